"""Smooth weighted round robin."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from postroom.delivery.routing.turns import Turns


def test_weights_are_shares_evenly_spread() -> None:
    turns = Turns([("a", 3), ("b", 1)])
    assert [turns.next([True, True]) for _ in range(8)] == list("aabaaaba")


def test_who_is_away_is_left_out_and_gets_nothing_afterwards_for_it() -> None:
    turns = Turns([("a", 1), ("b", 1)])
    assert [turns.next([True, False]) for _ in range(10)] == ["a"] * 10
    assert Counter(turns.next([True, True]) for _ in range(10)) == {"a": 5, "b": 5}
    assert turns.next([False, False]) is None


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8))
def test_each_gets_exactly_its_share_of_a_whole_round(weights: list[int]) -> None:
    turns = Turns(list(enumerate(weights)))
    usable = [True] * len(weights)
    assert Counter(turns.next(usable) for _ in range(sum(weights))) == dict(enumerate(weights))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.lists(st.lists(st.booleans(), min_size=5, max_size=5)))
def test_only_a_usable_one_is_ever_chosen(weights: list[int], rounds: list[list[bool]]) -> None:
    turns = Turns(list(enumerate(weights)))
    for usable in rounds:
        chosen = turns.next(usable)
        if chosen is None:
            assert not any(usable[: len(weights)])
        else:
            assert usable[chosen]
