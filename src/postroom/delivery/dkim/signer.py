"""Signing one mail (RFC 6376 §3.5, §3.7): a body hash and a signature for each key; all else is prepared.

Everything in a signature comes from the mail, the key and the time the message was accepted, and both algorithms
are deterministic: a mail that is sent again is signed with the same bytes.
"""

import hashlib
from binascii import b2a_base64
from collections.abc import Sequence
from typing import NamedTuple

from postroom.delivery.dkim.canonical import BodyForm, HeaderForm, without_empty_lines_at_end
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
    b"tls-report-domain",
    b"tls-report-submitter",
)
"""What is signed where it is there. From is signed once more than it occurs: none can be added (RFC 6376 §8.15)."""

_PLACES = {name: place for place, name in enumerate(SIGNED_FIELDS)}
_LINE = 72
_NAMES_IN_A_LINE = 6
_KEPT_LISTS = 100


class Unsignable(ValueError):
    """The mail can't be signed, and why."""


class Part(NamedTuple):
    """One signature field that is ready but for the signature."""

    key: SigningKey
    value: bytes
    digest: bytes
    """What the key has to sign."""


class Signer:
    """Signs the mails of one domain, with one key or with several for receivers to choose from."""

    def __init__(self, domain: str, keys: Sequence[SigningKey]) -> None:
        """``domain`` in A-labels. Raises ValueError without a key."""
        if not keys:
            raise ValueError(f"domain {domain}: there is no key to sign with")
        self.domain = domain
        self._keys = [
            (key, f"v=1; a={key.algorithm}; c=relaxed/relaxed;\r\n d={domain}; s={key.selector};\r\n t=".encode())
            for key in keys
        ]
        self._header_form = HeaderForm(frozenset(SIGNED_FIELDS))
        self._body_form = BodyForm()
        self._listed: dict[tuple[bytes, ...], bytes] = {}

    def sign(self, data: bytes, at: int, body_form: bytes | None = None) -> bytes:
        """``data``, a mail as SMTP carries it, with its signature fields before it; ``at`` is the time to put in
        as ``t=``, in seconds since 1970; ``body_form`` as for `parts`. Raises Unsignable."""
        return self.signature_fields(data, at, body_form) + data

    def signature_fields(self, data: bytes, at: int, body_form: bytes | None = None) -> bytes:
        """The DKIM-Signature fields, each with its CRLF, to stand before everything else of the mail; arguments and
        errors as for `parts`."""
        return b"".join([field(part, part.key.sign(part.digest)) for part in self.parts(data, at, body_form)])

    def parts(self, data: bytes, at: int, body_form: bytes | None = None) -> list[Part]:
        """All of the DKIM-Signature fields but the signatures, in the order of the keys.

        ``at`` is the time to put in; ``body_form`` is the relaxed canonical form of the body where it is known
        already, but for empty lines at its end. Raises Unsignable.
        """
        gap = data.find(b"\r\n\r\n")
        if gap < 0:
            raise Unsignable("the mail has no empty line after its header")
        body_form = self._body_form.of(data[gap + 4 :]) if body_form is None else without_empty_lines_at_end(body_form)
        names, signed = self._signed_fields(data[:gap])
        body_hash = b2a_base64(hashlib.sha256(body_form).digest(), newline=False)
        tail = b"%d;\r\n h=%b;\r\n bh=%b;\r\n b=" % (at, names, body_hash)
        parts = []
        for key, head in self._keys:
            value = head + tail
            own = b"dkim-signature:" + value.replace(b"\r\n ", b" ")
            parts.append(Part(key, value, hashlib.sha256(signed + own).digest()))
        return parts

    def _signed_fields(self, header: bytes) -> tuple[bytes, bytes]:
        """The names for ``h=`` and what is hashed for them. A field that occurs more than once is taken from the
        bottom up (RFC 6376 §5.4.2)."""
        # Sorting keeps the order of equal ones, so it has to begin from the bottom.
        found = self._header_form.of(header)[::-1]
        found.sort(key=_place)
        if not found or found[0][0] != b"from":
            raise Unsignable("the mail has no From field")
        names = tuple([name for name, _ in found])
        listed = self._listed.get(names)
        if listed is None:
            listed = _name_list((b"from", *names))
            if len(self._listed) < _KEPT_LISTS:
                self._listed[names] = listed
        return listed, b"".join([b"%b\r\n" % field for _, field in found])


def field(part: Part, signature: bytes) -> bytes:
    """The DKIM-Signature field with its CRLF."""
    return b"DKIM-Signature: %b%b\r\n" % (part.value, _folded(b2a_base64(signature, newline=False)))


def _place(field: tuple[bytes, bytes]) -> int:
    return _PLACES[field[0]]


def _name_list(names: Sequence[bytes]) -> bytes:
    listed = b":".join(names[:_NAMES_IN_A_LINE])
    for at in range(_NAMES_IN_A_LINE, len(names), _NAMES_IN_A_LINE):
        listed += b":\r\n " + b":".join(names[at : at + _NAMES_IN_A_LINE])
    return listed


def _folded(text: bytes) -> bytes:
    return b"\r\n ".join([text[at : at + _LINE] for at in range(0, len(text), _LINE)])
