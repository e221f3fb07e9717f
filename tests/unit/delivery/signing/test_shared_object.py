"""A library that needs fewer others: what it needs besides, and everything else of it, stays as it was."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.delivery.signing.shared_object import NotASharedObject, without_needs

NAMES = b"\0libc.so.6\0libsvml.so\0libimf.so\0"
BASE = 0x10000
STRINGS_AT, DYNAMIC_AT, SIZE = 200, 300, 400
UNNEEDED = (b"libsvml.so", b"libimf.so")


def library(needs: list[bytes], *, strings: bool = True) -> bytes:
    """A library of which only what the loader reads first is there."""
    made = bytearray(SIZE)
    struct.pack_into("<6s", made, 0, b"\x7fELF\x02\x01")
    struct.pack_into("<Q14xHH", made, 32, 64, 56, 2)
    struct.pack_into("<IIQQQQQQ", made, 64, 1, 0, 0, BASE, BASE, SIZE, SIZE, 1)
    entries = [(1, NAMES.index(need)) for need in needs] + ([(5, BASE + STRINGS_AT)] if strings else []) + [(0, 0)]
    struct.pack_into("<IIQQQQQQ", made, 120, 2, 0, DYNAMIC_AT, 0, 0, 16 * len(entries), 0, 1)
    made[STRINGS_AT : STRINGS_AT + len(NAMES)] = NAMES
    for place, entry in enumerate(entries):
        struct.pack_into("<QQ", made, DYNAMIC_AT + 16 * place, *entry)
    return bytes(made)


def needs(made: bytes) -> list[bytes]:
    found = []
    for at in range(DYNAMIC_AT, SIZE, 16):
        kind, value = struct.unpack_from("<QQ", made, at)
        if kind == 0:
            break
        if kind == 1:
            found.append(NAMES[value : NAMES.index(b"\0", value)])
    return found


def test_it_needs_what_was_not_named() -> None:
    made = library([b"libsvml.so", b"libc.so.6", b"libimf.so"])
    changed = without_needs(made, UNNEEDED)
    assert needs(changed) == [b"libc.so.6"]
    different = [at for at in range(SIZE) if made[at] != changed[at]]
    assert all(DYNAMIC_AT <= at < DYNAMIC_AT + 48 for at in different)


def test_one_that_needs_none_of_them_is_left_alone() -> None:
    made = library([b"libc.so.6"])
    assert without_needs(made, UNNEEDED) == made
    assert without_needs(library([b"libsvml.so"]), ()) == library([b"libsvml.so"])


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (b"", "not a 64-bit"),
        (b"#!/bin/sh\n", "not a 64-bit"),
        (b"\x7fELF\x01\x01" + bytes(100), "not a 64-bit"),
        (library([b"libc.so.6"])[:50], "behind its end"),
        (library([b"libc.so.6"])[:310], "behind its end"),
        (library([b"libc.so.6"], strings=False), "no names"),
    ],
)
def test_what_is_no_library_is_refused(wrong: bytes, why: str) -> None:
    with pytest.raises(NotASharedObject, match=why):
        without_needs(wrong, UNNEEDED)


@given(st.lists(st.tuples(st.integers(6, SIZE - 1), st.binary(min_size=1, max_size=4)), max_size=6))
def test_a_damaged_library_is_refused_or_stays_as_long(damage: list[tuple[int, bytes]]) -> None:
    made = bytearray(library([b"libsvml.so", b"libc.so.6"]))
    for at, data in damage:
        made[at : at + len(data)] = data
    damaged = bytes(made[:SIZE])
    with contextlib.suppress(NotASharedObject):
        assert len(without_needs(damaged, UNNEEDED)) == SIZE
