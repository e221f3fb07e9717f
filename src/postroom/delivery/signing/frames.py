"""What a delivery process and its signing processes say to each other, as bytes in both directions; no I/O.

    frame      kind (1 byte), length of what follows (4 bytes), what follows
    KEY        place (4 bytes), a private key as PKCS #8: from here on the place means this key
    DIGESTS    for each signature wanted: place of its key (4 bytes), SHA-256 of what is signed (32 bytes)
    SIGNATURES the answer to one DIGESTS, in its order: length (2 bytes), signature; length 0 where there is none
    HOW        what a process says first: how many signatures it makes together (1 byte), and how in words for the
               log (UTF-8)

Numbers are big-endian. No part of a mail is in it.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence

KEY, DIGESTS, SIGNATURES, HOW = 1, 2, 3, 4

LONGEST_FRAME = 1 << 20

_HEAD = struct.Struct(">BI")
_PLACE = struct.Struct(">I")
_DIGEST = struct.Struct(">I32s")
_LENGTH = struct.Struct(">H")


class FrameBroken(ValueError):
    """The other side does not speak like this, and what is wrong."""


class Frames:
    """Takes what was read, in pieces of any length, and gives it as frames."""

    def __init__(self) -> None:
        self._unread = b""

    def read(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The frames that are whole now, as kind and content. Raises FrameBroken."""
        data = self._unread + data
        at = 0
        try:
            while len(data) - at >= _HEAD.size:
                kind, length = _HEAD.unpack_from(data, at)
                if length > LONGEST_FRAME or kind not in (KEY, DIGESTS, SIGNATURES, HOW):
                    raise FrameBroken(f"a frame of kind {kind} with {length} bytes")
                end = at + _HEAD.size + length
                if len(data) < end:
                    break
                content, at = data[at + _HEAD.size : end], end
                yield kind, content
        finally:
            self._unread = data[at:]


def key_frame(place: int, private: bytes) -> bytes:
    """``private`` is PKCS #8."""
    return _HEAD.pack(KEY, _PLACE.size + len(private)) + _PLACE.pack(place) + private


def key_of(content: bytes) -> tuple[int, bytes]:
    """Place and private key. Raises FrameBroken."""
    if len(content) <= _PLACE.size:
        raise FrameBroken(f"a key of {len(content)} bytes")
    return _PLACE.unpack_from(content)[0], content[_PLACE.size :]


def digests_frame(wanted: Sequence[tuple[int, bytes]]) -> bytes:
    """``wanted`` holds place of the key and digest for each signature."""
    return _HEAD.pack(DIGESTS, _DIGEST.size * len(wanted)) + b"".join([_DIGEST.pack(*each) for each in wanted])


def digests_of(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Place of the key and digest for each. Raises FrameBroken."""
    if len(content) % _DIGEST.size:
        raise FrameBroken(f"digests of {len(content)} bytes")
    return _DIGEST.iter_unpack(content)


def signatures_frame(signatures: Iterable[bytes]) -> bytes:
    """An empty one says that there is none."""
    content = b"".join([_LENGTH.pack(len(each)) + each for each in signatures])
    return _HEAD.pack(SIGNATURES, len(content)) + content


def signatures_of(content: bytes) -> list[bytes]:
    """The signatures in their order. Raises FrameBroken."""
    found, at = [], 0
    while at < len(content):
        begin = at + _LENGTH.size
        if begin > len(content):
            raise FrameBroken("half a length")
        at = begin + _LENGTH.unpack_from(content, begin - _LENGTH.size)[0]
        if at > len(content):
            raise FrameBroken("half a signature")
        found.append(content[begin:at])
    return found


def how_frame(together: int, how: str) -> bytes:
    """``together`` is how many signatures are made together, ``how`` is in words for the log."""
    content = bytes([together]) + how.encode()
    return _HEAD.pack(HOW, len(content)) + content


def how_of(content: bytes) -> tuple[int, str]:
    """How many signatures are made together, and how in words. Raises FrameBroken."""
    if not content or not content[0]:
        raise FrameBroken("no signature is made together")
    return content[0], content[1:].decode("utf-8", "replace")
