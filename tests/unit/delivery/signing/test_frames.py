"""What is written is read, however it is cut; what is not like this is refused."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.delivery.signing.frames import (
    DIGESTS,
    KEY,
    LONGEST_FRAME,
    SIGNATURES,
    FrameBroken,
    Frames,
    digests_frame,
    digests_of,
    key_frame,
    key_of,
    signatures_frame,
    signatures_of,
)

_wanted = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(min_size=32, max_size=32)), max_size=10)
_signatures = st.lists(st.binary(max_size=512), max_size=10)
_key = st.tuples(st.integers(0, 2**32 - 1), st.binary(min_size=1, max_size=2000))


@given(_wanted, _signatures, _key, st.lists(st.integers(1, 300), max_size=20))
def test_frames_come_through_in_pieces_of_any_length(
    wanted: list[tuple[int, bytes]], signatures: list[bytes], key: tuple[int, bytes], cuts: list[int]
) -> None:
    data = key_frame(*key) + digests_frame(wanted) + signatures_frame(signatures)
    frames, found = Frames(), []
    for cut in (*cuts, len(data)):
        found += list(frames.read(data[:cut]))
        data = data[cut:]
    assert [kind for kind, _ in found] == [KEY, DIGESTS, SIGNATURES]
    assert key_of(found[0][1]) == key
    assert list(digests_of(found[1][1])) == wanted
    assert signatures_of(found[2][1]) == signatures


@pytest.mark.parametrize(
    "data", [b"\0\0\0\0\0", b"\5\0\0\0\0", struct.pack(">BI", DIGESTS, LONGEST_FRAME + 1)], ids=["none", "new", "long"]
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(FrameBroken, match=r"frame of kind \d with \d+ bytes"):
        list(Frames().read(data))


@given(st.binary(max_size=80))
def test_content_of_any_kind_is_read_or_refused(content: bytes) -> None:
    for read in (key_of, lambda content: list(digests_of(content)), signatures_of):
        with contextlib.suppress(FrameBroken):
            read(content)


@pytest.mark.parametrize("content", [b"\0", b"\0\2x", b"\0\1x\0"])
def test_half_a_signature_is_refused(content: bytes) -> None:
    with pytest.raises(FrameBroken, match="half a"):
        signatures_of(content)


def test_half_a_digest_and_a_key_of_no_length_are_refused() -> None:
    with pytest.raises(FrameBroken, match="digests of 35 bytes"):
        digests_of(bytes(35))
    with pytest.raises(FrameBroken, match="a key of 4 bytes"):
        key_of(bytes(4))
