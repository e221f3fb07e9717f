import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.intake.ledger import SMALL_REQUEST, cut, lane_of


@given(st.sets(st.integers(0, 1_999)).map(sorted), st.integers(1, 2_000))
def test_slices_hold_every_position_once_and_in_order(positions: list[int], slice_size: int) -> None:
    slices = cut(positions, slice_size)
    held = [[each for each in positions if first <= each <= last] for first, last, _ in slices]
    assert [each for part in held for each in part] == positions
    assert [len(part) for part in held] == [messages for _, _, messages in slices]
    assert all(messages == slice_size for _, _, messages in slices[:-1])
    assert all(1 <= messages <= slice_size for _, _, messages in slices)


@pytest.mark.parametrize(("recipients", "lane"), [(1, 0), (SMALL_REQUEST, 0), (SMALL_REQUEST + 1, 1), (2_000, 1)])
def test_small_requests_have_a_lane_of_their_own(recipients: int, lane: int) -> None:
    assert lane_of(recipients) == lane
