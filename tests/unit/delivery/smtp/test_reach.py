"""The order of addresses."""

from hypothesis import given
from hypothesis import strategies as st

from postroom.delivery.smtp.reach import MOST_REMEMBERED, UNREACHED_SECONDS, Reach

_SIX = ("2001:db8::1", "2001:db8::2", "2001:db8::3")
_FOUR = ("192.0.2.1", "192.0.2.2")


def test_families_take_turns_and_the_first_stays_the_first() -> None:
    reach = Reach(lambda: 0.0)
    assert reach.order(_SIX + _FOUR) == [_SIX[0], _FOUR[0], _SIX[1], _FOUR[1], _SIX[2]]
    assert reach.order(_FOUR + _SIX) == [_FOUR[0], _SIX[0], _FOUR[1], _SIX[1], _SIX[2]]
    assert reach.order(_FOUR) == list(_FOUR)
    assert reach.order(()) == []


def test_what_could_not_be_reached_comes_last_for_a_while() -> None:
    now = 0.0
    reach = Reach(lambda: now)
    for address in _SIX:
        reach.failed(address)
    assert reach.order(_SIX + _FOUR) == [*_FOUR, *_SIX]
    reach.reached(_SIX[1])
    assert reach.order(_SIX + _FOUR) == [_SIX[1], _FOUR[0], _FOUR[1], _SIX[0], _SIX[2]]
    now = UNREACHED_SECONDS
    assert reach.order(_SIX + _FOUR) == [_SIX[0], _FOUR[0], _SIX[1], _FOUR[1], _SIX[2]]


def test_the_memory_is_bounded() -> None:
    reach = Reach(lambda: 0.0)
    reach.failed("192.0.2.1")
    for number in range(MOST_REMEMBERED):
        reach.failed(f"host{number}")
    assert reach.order(["192.0.2.1", "host5", "192.0.2.2"]) == ["192.0.2.1", "192.0.2.2", "host5"]


@given(st.lists(st.sampled_from(_SIX + _FOUR), unique=True), st.sets(st.sampled_from(_SIX + _FOUR)))
def test_none_is_lost_and_none_is_added(addresses: list[str], failed: set[str]) -> None:
    reach = Reach(lambda: 0.0)
    for address in failed:
        reach.failed(address)
    order = reach.order(addresses)
    assert sorted(order) == sorted(addresses)
    assert [address for address in order if address in failed] == order[len([a for a in order if a not in failed]) :]
