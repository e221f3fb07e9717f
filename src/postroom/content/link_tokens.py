"""Signed tokens of links in mails: what a recipient's click, open or visit of a page stands for.

A token carries all that the server must know, so it works after the message's rows are gone and costs no look-up.
It is URL-safe base64 without padding of

    key id (1) | account, version, position, contact (varints) | request id (16) | zeros up to a multiple of 3
    HMAC-SHA-256 of all other bytes, cut to 12
    for a click: link number (varint) | name | region (a length byte and UTF-8 each) | target (UTF-8)

and is signed under a key of its kind, so that a token of one kind is none of another. The target of a click is
among what is signed: nobody but the server can make one that leads elsewhere. The link's part comes last, and the
parts before it are whole groups of base64, so that a fixed link is encoded once for all messages of a version.
"""

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Literal, TypeAlias
from uuid import UUID

Kind: TypeAlias = Literal["open", "click", "view", "unsubscribe", "profile", "subscriptions"]

KINDS: tuple[Kind, ...] = ("open", "click", "view", "unsubscribe", "profile", "subscriptions")

LONGEST_TARGET = 2_000
"""Octets of a click's target. A longer address stays as it is: many programs cut addresses near 2,083."""
LONGEST_NAME = 100
"""Octets of a link's name and of its region; longer ones are cut."""
LONGEST_TOKEN = 3_200

_MAC = 12
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_BLOCK = 64  # of SHA-256, RFC 2104
_HIGHEST_KEY = 255
_SHORTEST = 21 + _MAC

# Only what begins like this is an address to be counted. Controls and blanks would let a header or a browser
# read something else than what was signed.
_COUNTED = re.compile(
    r"https?://[^\0- \"<>\\^`{|}\x7f-\x9f/?#@:\u2028\u2029][^\0- \x7f-\x9f\u2028\u2029]*\Z", re.IGNORECASE
).match


@dataclass(frozen=True, slots=True)
class LinkMessage:
    """The message a token belongs to. ``version_id`` and ``contact_id`` outlive its rows."""

    account_id: int
    version_id: int
    position: int
    contact_id: int
    request_id: UUID


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says. The fields after ``message`` are those of a click; ``number`` is 0 for other kinds."""

    kind: Kind
    message: LinkMessage
    number: int = 0
    name: str = ""
    region: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class LinkPart:
    """The part of a click's token that does not depend on the message, as bytes and encoded."""

    raw: bytes
    text: str


class TokenKeyUnknown(LookupError):
    """There is no key to sign with."""


class LinkTokens:
    """Makes and reads tokens. ``keys`` maps key ids (1 to 255) to secrets of at least 16 bytes: all of them are
    accepted, the highest signs."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        if not keys:
            raise TokenKeyUnknown("no key to sign links with; the server makes one at its first start")
        if any(not 0 < key_id <= _HIGHEST_KEY or len(secret) < 16 for key_id, secret in keys.items()):
            raise ValueError("keys have ids from 1 to 255 and at least 16 bytes")
        self._current = max(keys)
        self._macs = {
            (key_id, kind): _Mac(_Mac(secret).digest(b"postroom link " + kind.encode()))
            for key_id, secret in keys.items()
            for kind in KINDS
        }
        self._signing = {kind: self._macs[self._current, kind] for kind in KINDS}

    def head(self, message: LinkMessage) -> "Head":
        """What all tokens of one message begin with."""
        raw = b"%c%b%b%b%b%b" % (
            self._current,
            varint(message.account_id),
            varint(message.version_id),
            varint(message.position),
            varint(message.contact_id),
            message.request_id.bytes,
        )
        raw += bytes(-len(raw) % 3)
        return Head(raw, self._signing)

    def read(self, kind: Kind, token: str) -> Token | None:
        """What the token says, or None when the server did not make it as one of this kind."""
        if len(token) > LONGEST_TOKEN or not token.isascii():
            return None
        try:
            data = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            return None
        # Base64 in Python passes over foreign characters, and the last one may carry bits that are not read.
        if len(data) < _SHORTEST or urlsafe_b64encode(data).rstrip(b"=").decode("ascii") != token:
            return None
        mac = self._macs.get((data[0], kind))
        if mac is None:
            return None
        try:
            message, at = _read_head(data)
        except (IndexError, ValueError):
            return None
        end = at + _MAC
        if not compare_digest(mac.digest(data[:at] + data[end:])[:_MAC], data[at:end]):
            return None
        return _read_link(message, data[end:]) if kind == "click" else Token(kind, message)


class Head:
    """The tokens of one message."""

    __slots__ = ("_click", "_macs", "_raw", "_text")

    def __init__(self, raw: bytes, macs: "Mapping[Kind, _Mac]") -> None:
        self._raw = raw
        self._text = urlsafe_b64encode(raw).decode("ascii")
        self._macs = macs
        self._click = macs["click"].digest

    def token(self, kind: Kind) -> str:
        """The message's token of a kind other than click."""
        return self._text + urlsafe_b64encode(self._macs[kind].digest(self._raw)[:_MAC]).decode("ascii")

    def click(self, link: LinkPart) -> str:
        """The token of one link."""
        mac = self._click(self._raw + link.raw)[:_MAC]
        return f"{self._text}{b2a_base64(mac, newline=False).translate(_URL_SAFE).decode('ascii')}{link.text}"


def link_part(number: int, target: str, name: str = "", region: str = "") -> LinkPart | None:
    """The part of a click's token that says where it leads; None for an address that is not counted: one that is
    not http or https, is longer than LONGEST_TARGET, or holds blanks or controls."""
    if _COUNTED(target) is None:
        return None
    octets = target.encode("utf-8", "replace")
    if len(octets) > LONGEST_TARGET:
        return None
    raw = varint(number) + _short(name) + _short(region) + octets
    return LinkPart(raw, urlsafe_b64encode(raw).rstrip(b"=").decode("ascii"))


def varint(number: int) -> bytes:
    """A whole number from 0 on, seven bits a byte, the lowest first."""
    if number < 128:
        return bytes((number,))
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def _short(text: str) -> bytes:
    octets = text.encode("utf-8", "replace")
    if len(octets) > LONGEST_NAME:
        octets = octets[:LONGEST_NAME].decode("utf-8", "ignore").encode()
    return bytes((len(octets),)) + octets


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        octet = data[at]
        at += 1
        number |= (octet & 127) << shift
        if octet < 128:
            return number, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 63 bits")


def _read_head(data: bytes) -> tuple[LinkMessage, int]:
    account_id, at = _read_varint(data, 1)
    version_id, at = _read_varint(data, at)
    position, at = _read_varint(data, at)
    contact_id, at = _read_varint(data, at)
    request_id = UUID(bytes=data[at : at + 16])
    at += 16
    return LinkMessage(account_id, version_id, position, contact_id, request_id), at + -at % 3


def _read_link(message: LinkMessage, data: bytes) -> Token:
    number, at = _read_varint(data, 0)
    name_end = at + 1 + data[at]
    region_end = name_end + 1 + data[name_end]
    return Token(
        "click",
        message,
        number,
        data[at + 1 : name_end].decode(),
        data[name_end + 1 : region_end].decode(),
        data[region_end:].decode(),
    )


class _Mac:
    """HMAC-SHA-256 (RFC 2104) with the key's two blocks hashed beforehand: a third of the time of ``hmac.digest``
    for texts as short as these."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(octet ^ 0x36 for octet in block))
        self._outer = hashlib.sha256(bytes(octet ^ 0x5C for octet in block))

    def digest(self, text: bytes) -> bytes:
        inner = self._inner.copy()
        inner.update(text)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()
