"""Who is slow does not take the room of the others: what counts for the next claim, and what is put aside."""

from collections import Counter
from collections.abc import Iterable
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from postroom.delivery.routing.in_hand import InHand
from postroom.delivery.slices import LaneKey

BATCHES = LaneKey(100, UUID(int=1), 1)
SMALL = LaneKey(100, UUID(int=1), 0)
LANE = 1000


class Slow:
    def __init__(self, *beyond: tuple[LaneKey, int]) -> None:
        self._beyond = beyond

    def beyond(self) -> Iterable[tuple[LaneKey, int]]:
        return self._beyond


def in_hand(key: LaneKey, held: int, *, unrouted: int = 0, slow: tuple[int, ...] = ()) -> InHand:
    made = InHand(LANE)
    made.tally[key] = held
    made.unrouted[key] = unrouted
    made.look([Slow((key, messages)) for messages in slow])
    return made


def test_what_waits_for_quick_sites_fills_the_lane() -> None:
    made = in_hand(BATCHES, 501)
    assert made.waiting(BATCHES) == 501
    assert made.full() == {BATCHES}
    assert not in_hand(BATCHES, 500).full()


def test_what_waits_for_the_dns_or_for_the_slow_is_put_aside() -> None:
    made = in_hand(BATCHES, 1100, unrouted=400, slow=(300, 200))
    assert made.waiting(BATCHES) == 200
    assert not made.full()


def test_the_slow_have_a_room_as_large_as_the_lane_and_no_more() -> None:
    made = in_hand(BATCHES, 5000, slow=(4900,))
    assert made.waiting(BATCHES) == 4000
    assert made.full() == {BATCHES}


def test_the_room_of_small_requests_is_a_quarter() -> None:
    assert in_hand(SMALL, 400, unrouted=400).waiting(SMALL) == 150
    assert in_hand(SMALL, 400, unrouted=400).full() == {SMALL}
    assert not in_hand(SMALL, 300, unrouted=300).full()


def test_a_look_says_whether_there_is_more_room_than_before() -> None:
    made = in_hand(BATCHES, 900, slow=(300,))
    assert made.look([Slow((BATCHES, 301))])
    assert not made.look([Slow((BATCHES, 301))])
    assert not made.look([])
    assert made.waiting(BATCHES) == 900


@given(
    st.lists(st.integers(0, 500)),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 100))),
    st.integers(0, 2000),
)
def test_the_slow_take_no_room_while_theirs_is_enough(
    quick: list[int], slow: list[tuple[int, int]], unrouted: int
) -> None:
    """Whatever mixture: quick mail counts in full, and the rest counts only once its own room is full."""
    ahead = sum(min(held, soon) for held, soon in slow)
    beyond = sum(max(0, held - soon) for held, soon in slow)
    made = InHand(LANE)
    made.tally = Counter({BATCHES: sum(quick) + sum(held for held, _ in slow) + unrouted})
    made.unrouted[BATCHES] = unrouted
    made.look([Slow((BATCHES, held - soon)) for held, soon in slow if held > soon])
    assert made.waiting(BATCHES) == sum(quick) + ahead + max(0, beyond + unrouted - LANE)
    assert made.tally[BATCHES] - made.waiting(BATCHES) <= LANE
