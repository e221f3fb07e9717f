"""What a list shows of a mail, read from its header block without parsing the rest.

Runs once per captured mail, so it costs microseconds; it never raises on any bytes and gives text that PostgreSQL
takes (no NUL, no lone surrogates). `view` does the thorough reading when someone opens a mail.
"""

from __future__ import annotations

import binascii
import codecs
import re
from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

_HEADER_END = re.compile(rb"\r?\n\r?\n")
_FIELD = re.compile(rb"(?mi)^(subject|from|to|message-id)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)")
_ENCODED_WORD = re.compile(r"=\?([^?\s]+)\?([bBqQ])\?([^?]*)\?=")
_BETWEEN_ENCODED_WORDS = re.compile(r"(\?=)\s+(?==\?[^?\s]+\?[bBqQ]\?[^?]*\?=)")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_LONGEST_BLOCK = 65536
_LONGEST_FIELD = 2000
_QUOTED_OCTET = re.compile(rb"=([0-9A-Fa-f]{2})")
_MESSAGE_ID = re.compile(r"<(\d{1,9})\.([0-9a-f]{32})\.(\d{1,18})@[^<>\s]*>", re.ASCII)
# Python's codecs of text that no mail is written in; some take time in the square of the length.
_NO_CHARSETS = frozenset(
    codecs.lookup(name).name for name in ("unicode_escape", "raw_unicode_escape", "idna", "punycode", "undefined")
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Origin:
    """Names one of Postroom's own messages; `day` is the UTC date of its request."""

    account_id: int
    request_id: UUID
    position: int
    day: date


@dataclass(frozen=True, slots=True)
class Summary:
    """Header fields as text on one line; the first of several fields of a name counts."""

    subject: str
    header_from: str
    header_to: str
    message_id: str


def summarize(raw: bytes) -> Summary:
    """The header fields a list shows, decoded (RFC 2047, RFC 6532)."""
    end = _HEADER_END.search(raw, 0, _LONGEST_BLOCK)
    block = raw[: end.start()] if end else raw[:_LONGEST_BLOCK]
    if raw.startswith((b"\r\n", b"\n")):
        block = b""  # a body without any header field
    fields: dict[bytes, str] = {}
    for found in _FIELD.finditer(block):
        name = found[1].lower()
        if name not in fields:
            fields[name] = decode_field(found[2][: 4 * _LONGEST_FIELD].decode("utf-8", "replace"))
    return Summary(
        subject=fields.get(b"subject", ""),
        header_from=fields.get(b"from", ""),
        header_to=fields.get(b"to", ""),
        message_id=fields.get(b"message-id", ""),
    )


def decode_field(value: str, *, longest: int = _LONGEST_FIELD) -> str:
    """A header field's value as readable text on one line, at most `longest` characters, without controls."""
    value = value.replace("\r\n", "").replace("\n", "")
    if "=?" in value:
        value = _decode_words(_BETWEEN_ENCODED_WORDS.sub(r"\1", value))
    return _CONTROLS.sub(" ", value)[:longest].strip()


def origin_of(message_id: str) -> Origin | None:
    """Reads `<{position}.{request id in hex}.{account id}@{domain}>`; None for a Message-ID of any other shape.

    The request id is a UUIDv7: its first 48 bits are the milliseconds since 1970 (RFC 9562 §5.7).
    """
    found = _MESSAGE_ID.fullmatch(message_id)
    if found is None:
        return None
    request_id = UUID(hex=found[2])
    if request_id.version != 7:
        return None
    try:
        day = (_EPOCH + timedelta(milliseconds=request_id.int >> 80)).date()
    except OverflowError:
        return None
    if day.year > 9000:
        return None
    return Origin(account_id=int(found[3]), request_id=request_id, position=int(found[1]), day=day)


def _decode_words(value: str) -> str:
    """Replaces encoded-words. Neighbours of one charset are joined as octets first: many writers cut characters."""
    pieces: list[str] = []
    octets = b""
    charset = ""
    at = 0
    for word in _ENCODED_WORD.finditer(value):
        decoded = _word_octets(word[2], word[3])
        if decoded is None:
            continue
        named = word[1].partition("*")[0].lower()  # RFC 2231 §5: charset*language
        if octets and (word.start() != at or named != charset):
            pieces.append(decode_text(octets, charset))
            octets = b""
        pieces.append(value[at : word.start()])
        octets += decoded
        charset = named
        at = word.end()
    if octets:
        pieces.append(decode_text(octets, charset))
    pieces.append(value[at:])
    return "".join(pieces)


def _word_octets(encoding: str, text: str) -> bytes | None:
    if not text.isascii():
        return None
    data = text.encode("ascii")
    if encoding in "qQ":
        return _QUOTED_OCTET.sub(lambda hit: bytes((int(hit[1], 16),)), data.replace(b"_", b" "))
    try:
        return b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except binascii.Error:
        return None


def decode_text(octets: bytes, charset: str | None) -> str:
    """Text of `octets` in a charset named by a mail, which may not exist or be wrong; never raises."""
    try:
        codec = codecs.lookup(charset or "utf-8").name
        text = octets.decode("utf-8" if codec in _NO_CHARSETS else codec, "replace")
    except (LookupError, ValueError, TypeError, AssertionError):
        # LookupError: no such charset, or a codec that is no text encoding ("hex", "rot13").
        text = octets.decode("utf-8", "replace")
    return text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text
