"""A shared library without some of the libraries it says it needs, so that it loads where those are not installed; no
I/O.

A linker lists what it was told to link against, also what nothing is taken from. Loading the result with RTLD_NOW
proves that nothing was: the loader then refuses a library of which any symbol is missing.

Source: the System V ABI's object file format, 64 bits, little-endian.
"""

import struct
from collections.abc import Iterator, Sequence

_IDENT = b"\x7fELF\x02\x01"  # 64 bits, little-endian
_LOADED, _DYNAMIC = 1, 2
_END, _NEEDED, _STRINGS = 0, 1, 5
_NOTHING = 21  # DT_DEBUG: a place for debuggers, which a library does not use
_SEGMENTS = struct.Struct("<32xQ14xHH")
_SEGMENT = struct.Struct("<I4xQQ8xQ16x")
_ENTRY = struct.Struct("<QQ")


class NotASharedObject(ValueError):
    """The bytes are no shared library of this format, and what is wrong."""


def without_needs(library: bytes, unneeded: Sequence[bytes]) -> bytes:
    """The same library, but that no name beginning with one of ``unneeded`` is among those it needs. Raises
    NotASharedObject."""
    if not library.startswith(_IDENT):
        raise NotASharedObject("it is not a 64-bit little-endian ELF file")
    changed = bytearray(library)
    try:
        segments = list(_segments(library))
        dynamic = next(((offset, size) for kind, offset, _, size in segments if kind == _DYNAMIC), (0, 0))
        entries = list(_entries(library, *dynamic))
        strings = next((value for _, kind, value in entries if kind == _STRINGS), None)
        if strings is None:
            raise NotASharedObject("it has no names of libraries")
        names = _offset(segments, strings)
        for at, kind, value in entries:
            if kind == _NEEDED and library.startswith(tuple(unneeded), names + value):
                _ENTRY.pack_into(changed, at, _NOTHING, 0)
    except (struct.error, OverflowError) as wrong:
        raise NotASharedObject("it speaks of places behind its end") from wrong
    return bytes(changed)


def _segments(library: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Kind, place in the file, address and size of each."""
    begin, size, count = _SEGMENTS.unpack_from(library)
    for place in range(count):
        yield _SEGMENT.unpack_from(library, begin + place * size)


def _entries(library: bytes, offset: int, size: int) -> Iterator[tuple[int, int, int]]:
    """Place in the file, kind and value of what is in the dynamic section."""
    for at in range(offset, offset + size, _ENTRY.size):
        kind, value = _ENTRY.unpack_from(library, at)
        if kind == _END:
            return
        yield at, kind, value


def _offset(segments: Sequence[tuple[int, int, int, int]], address: int) -> int:
    for kind, offset, begin, size in segments:
        if kind == _LOADED and begin <= address < begin + size:
            return address - begin + offset
    raise NotASharedObject(f"nothing is loaded at address {address}")
