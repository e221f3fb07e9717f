"""Signing one mail (RFC 6376 §3.5, §3.7): a body hash and a signature for each key; all else is prepared.

Everything in a signature comes from the mail, the key and the time the message was accepted, and both algorithms
are deterministic: a mail that is sent again is signed with the same bytes.
"""

import hashlib
from binascii import b2a_base64
from collections.abc import Sequence

from postroom.delivery.dkim.canonical import BodyForm, header_fields
from postroom.delivery.dkim.key import SigningKey

SIGNED_FIELDS = (
    b"from",
    b"to",
    b"cc",
    b"subject",
    b"date",
    b"message-id",
    b"reply-to",
    b"mime-version",
    b"content-type",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
    b"feedback-id",
    b"auto-submitted",
)
"""What is signed where it is there. From is signed once more than it occurs: none can be added (RFC 6376 §8.15)."""

_SIGNED = frozenset(SIGNED_FIELDS)
_LINE = 72
_FIRST_LINE_FIELDS = 6


class Unsignable(ValueError):
    """The mail can't be signed, and why."""


class Signer:
    """Signs the mails of one domain, with one key or with several for receivers to choose from.

    May be used by several threads at a time.
    """

    def __init__(self, domain: str, keys: Sequence[SigningKey]) -> None:
        """``domain`` in A-labels. Raises ValueError without a key."""
        if not keys:
            raise ValueError(f"domain {domain}: there is no key to sign with")
        self.domain = domain
        self._keys = [
            (key, f"v=1; a={key.algorithm}; c=relaxed/relaxed;\r\n d={domain}; s={key.selector};\r\n t=".encode())
            for key in keys
        ]
        self._form = BodyForm()

    def sign(self, data: bytes, at: int) -> bytes:
        """``data``, a mail as SMTP carries it, with its signature fields before it; ``at`` is the time to put in
        as ``t=``, in seconds since 1970. Raises Unsignable."""
        return self.signature_fields(data, at) + data

    def signature_fields(self, data: bytes, at: int) -> bytes:
        """The DKIM-Signature fields, each with its CRLF, to stand before everything else of the mail."""
        header, gap, body = data.partition(b"\r\n\r\n")
        if not gap:
            raise Unsignable("the mail has no empty line after its header")
        names, signed = _signed_fields(header)
        body_hash = b2a_base64(hashlib.sha256(self._form.of(body)).digest(), newline=False)
        tail = b"%d;\r\n h=%b;\r\n bh=%b;\r\n b=" % (at, names, body_hash)
        fields = []
        for key, head in self._keys:
            value = head + tail
            own = b"dkim-signature:" + value.replace(b"\r\n ", b" ")
            signature = b2a_base64(key.sign(signed + own), newline=False)
            fields.append(b"DKIM-Signature: " + value + _folded(signature) + b"\r\n")
        return b"".join(fields)


def _signed_fields(header: bytes) -> tuple[bytes, bytes]:
    """The names for ``h=`` and what is hashed for them. A field that occurs more than once is taken from the
    bottom up (RFC 6376 §5.4.2)."""
    found: dict[bytes, list[bytes]] = {}
    for name, field in header_fields(header, _SIGNED):
        found.setdefault(name, []).append(field)
    if b"from" not in found:
        raise Unsignable("the mail has no From field")
    names = [b"from"]
    lines = []
    for name in SIGNED_FIELDS:
        for field in reversed(found.get(name, ())):
            names.append(name)
            lines.append(field)
    lines.append(b"")
    listed = b":".join(names[:_FIRST_LINE_FIELDS])
    if len(names) > _FIRST_LINE_FIELDS:
        listed += b":\r\n " + b":".join(names[_FIRST_LINE_FIELDS:])
    return listed, b"\r\n".join(lines)


def _folded(text: bytes) -> bytes:
    return b"\r\n ".join([text[at : at + _LINE] for at in range(0, len(text), _LINE)])
