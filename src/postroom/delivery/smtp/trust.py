"""What the TLS of a peer has to prove, and what is done when it does not.

    OFF            clear text
    OPPORTUNISTIC  TLS when offered, with any certificate; where it breaks, clear text for ten minutes
    REQUIRED       TLS, with any certificate
    VERIFY         TLS, with a certificate that the context's authorities vouch for, for the name of the host

A ``judge`` looks at the certificates after a handshake that took any (DANE). One ``Trust`` may give way to another:
what is used for a while when TLS fails under it.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from postroom.delivery.outcome import Proof
from postroom.delivery.smtp.target import SmtpTarget, TlsMode

TlsFailure: TypeAlias = Literal[
    "starttls-not-supported",
    "certificate-host-mismatch",
    "certificate-expired",
    "certificate-not-trusted",
    "validation-failure",
    "tlsa-invalid",
    "dnssec-invalid",
    "dane-required",
    "sts-policy-fetch-error",
    "sts-policy-invalid",
    "sts-webpki-invalid",
]
"""The result types of RFC 8460 §4.3."""

# Of X509_V_ERR_… in OpenSSL.
_BY_VERIFY_CODE: dict[int, TlsFailure] = {
    9: "certificate-expired",  # not valid yet
    10: "certificate-expired",
    62: "certificate-host-mismatch",
    64: "certificate-host-mismatch",  # of an address
}


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a certificate is not good enough."""

    failure: TlsFailure
    reason: str


Judge: TypeAlias = Callable[[Sequence[bytes]], Rejected | None]
"""Looks at a chain of certificates in DER, the peer's own first; None when it will do."""


@dataclass(frozen=True, slots=True)
class Trust:
    """One way to deal with TLS; ``proof`` is what a handshake under it has proved."""

    mode: TlsMode
    proof: Proof
    context: ssl.SSLContext | None
    judge: Judge | None = None
    gives_way_to: Trust | None = None
    server_name: str = ""
    """What the peer is told whose certificate is wanted; empty for the name of the host."""


CLEAR_TEXT = Trust(TlsMode.OFF, "none", None)


@dataclass(frozen=True, slots=True)
class TlsSession:
    """One session that was opened, or failed to be, as TLS-RPT counts them. ``failure`` is None for success."""

    host: str
    address: str
    failure: TlsFailure | None
    reason: str = ""


def target_trust(target: SmtpTarget, context: ssl.SSLContext | None) -> Trust:
    """The trust that a target's own rules ask for; ``context`` replaces the one made for it."""
    if target.tls is TlsMode.OFF and not target.implicit_tls:
        return CLEAR_TEXT
    if target.tls is TlsMode.VERIFY:
        return Trust(TlsMode.VERIFY, "webpki", context or ssl.create_default_context())
    # TLS that is offered but broken is no reason to send nothing where clear text was allowed.
    clear_text_will_do = (
        target.tls is TlsMode.OPPORTUNISTIC
        and not target.implicit_tls
        and (target.credentials is None or target.cleartext_auth)
    )
    return Trust(
        target.tls, "none", context or any_certificate(), gives_way_to=CLEAR_TEXT if clear_text_will_do else None
    )


def any_certificate() -> ssl.SSLContext:
    """A context that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def handshake_failure(problem: Exception) -> TlsFailure:
    """The result type of a handshake that failed with an exception."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return _BY_VERIFY_CODE.get(problem.verify_code, "certificate-not-trusted")
    return "validation-failure"


def chain(connection: ssl.SSLObject) -> list[bytes]:
    """The certificates that the peer sent, in DER, its own first; nothing is verified."""
    # Public since Python 3.13; before, only the object inside has it, and its items have to be written out.
    public = getattr(connection, "get_unverified_chain", None)
    if public is not None:
        return [bytes(each) for each in public()]
    inner = getattr(connection, "_sslobj", None)
    sent = inner.get_unverified_chain() if inner is not None else None
    if sent is None:
        own = connection.getpeercert(binary_form=True)
        return [own] if own else []
    return [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in sent]
