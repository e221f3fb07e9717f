"""What became of one delivery attempt, as a value.

Every attempt ends in exactly one of five outcomes; nothing in delivery reports a peer's answer by
raising. The outcome carries the evidence (reply, host, TLS) so that the event log can show it later.

    Sent      the peer answered 2xx to the final dot: the mail is its responsibility now
    Deferred  not sent, and sending again later may work (4xx, connection trouble)
    Refused   not sent, and sending the same again is pointless (5xx, or unusable for SMTP)
    Unknown   the peer vanished between our final dot and its answer: it may have the mail or not
    Skipped   never attempted, by our own decision (suppressed, cleared, too old, not composable)
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Stage: TypeAlias = Literal[
    "", "connect", "greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "body", "final"
]

TEXT_LIMIT = 1000


Proof: TypeAlias = Literal["none", "webpki", "sts", "dane"]
"""How a certificate was verified: not, by public authorities, by those as MTA-STS demands, or by TLSA records."""


class Certificate(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Subject and issuer are printable and short; all three are empty for a certificate that can't be read."""

    verified: Proof
    sha256: str
    """Fingerprint of the whole certificate, in hexadecimal."""
    subject: str = ""
    issuer: str = ""
    expires: str = ""
    """The last day it is good for, as YYYY-MM-DD."""


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """The facts every outcome has; use one of its five subclasses."""

    code: int | None = None
    """SMTP reply code; None when the peer gave no reply (connection lost, never asked)."""
    enhanced: str = ""
    """Enhanced status code (RFC 3463) such as ``4.2.1``, or empty."""
    text: str = ""
    """The full reply or our own reason: printable, at most ``TEXT_LIMIT`` characters."""
    host: str = ""
    """Name of the host that was asked, as configured or found."""
    address: str = ""
    """``ip:port`` of the peer, IPv6 in brackets; empty when there was no connection."""
    tls: str = ""
    """Protocol and cipher such as ``TLSv1.3 TLS_AES_256_GCM_SHA384``; empty in clear text."""
    stage: Stage = ""
    """How far the dialogue was; empty for what never reached a dialogue."""
    refused_recipients: tuple[tuple[str, str], ...] = ()
    """(address, reply) of each cc or bcc recipient that the peer did not take."""
    certificate: Certificate | None = None
    """The peer's certificate; None in clear text, and when TLS failed."""
    source: str = ""
    """The IP address of ours, when it was chosen from a source pool."""


class Sent(Attempt, frozen=True, gc=False):
    """The peer took the mail."""


class Deferred(Attempt, frozen=True, gc=False):
    """Not sent; a later attempt may succeed. ``stage="connect"``: no fault of this message."""


class Refused(Attempt, frozen=True, gc=False):
    """Not sent and final. ``text`` begins with "not sent:" when we refused it ourselves."""


class Unknown(Attempt, frozen=True, gc=False):
    """The final dot was (perhaps partly) written and no reply came."""


class Skipped(Attempt, frozen=True, gc=False):
    """Not attempted; ``text`` says why."""


Outcome: TypeAlias = Sent | Deferred | Refused | Unknown | Skipped
