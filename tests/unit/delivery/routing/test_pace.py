"""What a site has shown itself to be able to do, and when what does not fit comes again."""

from hypothesis import given
from hypothesis import strategies as st

from postroom.delivery.routing.pace import (
    FEWEST,
    HORIZON_SECONDS,
    LONGEST_WAIT_SECONDS,
    PATIENCE_SECONDS,
    SOON_SECONDS,
    Pace,
)


def ticks(pace: Pace, count: int, done: int, *, waiting: bool = True) -> None:
    for _ in range(count):
        for _ in range(done):
            pace.done()
        pace.tick(1.0, waiting)


def test_nothing_is_known_of_a_site_before_it_had_to_work() -> None:
    pace = Pace()
    ticks(pace, 10, 0, waiting=False)
    assert pace.limit is None


def test_a_site_that_answers_slowly_may_hold_ten_seconds_of_work() -> None:
    pace = Pace()
    ticks(pace, 20, 3)
    assert pace.limit == 3 * HORIZON_SECONDS


def test_a_silent_site_is_given_time_and_then_holds_the_fewest() -> None:
    pace = Pace()
    ticks(pace, int(PATIENCE_SECONDS), 0)
    assert pace.limit is None
    ticks(pace, 1, 0)
    assert pace.limit == FEWEST


def test_a_new_site_is_not_judged_by_its_first_answers() -> None:
    """While we have little of the processor the quickest site gets only a message or two: it is not slow for that."""
    pace = Pace()
    ticks(pace, 2, 1)
    assert pace.limit is None
    ticks(pace, 4, 100)
    assert pace.limit == (1 + 4 * 100) / 5 * HORIZON_SECONDS


def test_a_site_that_keeps_up_may_have_more_and_more() -> None:
    pace = Pace()
    ticks(pace, 20, 1)
    slow = pace.limit
    ticks(pace, 12, 100, waiting=False)
    assert slow is not None
    assert pace.limit is not None
    assert pace.limit > 50 * slow


def test_a_slow_site_that_had_nothing_to_do_is_still_slow() -> None:
    """Once its estimate grew with every idle moment, and its next mails stopped those of everybody for 15 seconds."""
    pace = Pace()
    ticks(pace, 20, 1)
    slow = pace.limit
    ticks(pace, 1000, 0, waiting=False)
    assert pace.limit == slow


def test_the_few_last_answers_of_a_slow_site_are_no_proof_that_it_is_quick() -> None:
    pace = Pace()
    ticks(pace, 20, 0)
    ticks(pace, 5, 1, waiting=False)
    ticks(pace, 100, 0, waiting=False)
    assert pace.limit == 2 * HORIZON_SECONDS


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=60))
def test_nobody_is_believed_to_do_more_than_twice_what_it_did(history: list[tuple[int, bool]]) -> None:
    pace = Pace()
    for done, backlog in history:
        ticks(pace, 1, done, waiting=backlog)
        if pace.per_second is not None:
            assert pace.per_second <= 2 * max(most for most, _ in history)


def test_what_it_sends_soon_is_told_by_its_work_from_the_first_moment_on() -> None:
    """Nothing is given back for this number, it only leaves room for others: it need not be patient."""
    pace = Pace()
    ticks(pace, 1, 50)
    assert pace.soon is None
    ticks(pace, 1, 50)
    assert pace.soon == 50 * SOON_SECONDS
    silent = Pace()
    ticks(silent, 2, 0)
    assert silent.soon == FEWEST


def test_what_does_not_fit_comes_back_at_the_rate_of_the_site() -> None:
    pace = Pace()
    ticks(pace, 20, 2)
    waits = [pace.book(100.0, 20) for _ in range(5)]
    assert waits == [10.5, 11.0, 11.5, 12.0, 12.5]


def test_it_knows_until_when_it_has_given_messages_back() -> None:
    pace = Pace()
    ticks(pace, 20, 2)
    assert pace.booked(100.0) == 0
    pace.book(100.0, 20)
    assert pace.booked(104.0) == 6.5
    assert pace.booked(111.0) == 0
    pace.all_back()
    assert pace.booked(104.0) == 0


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=40), st.integers(0, 2000))
def test_a_wait_is_never_nothing_and_never_for_ever(history: list[tuple[int, bool]], waiting: int) -> None:
    pace = Pace()
    for done, backlog in history:
        ticks(pace, 1, done, waiting=backlog)
    for _ in range(10):
        assert 0 < pace.book(50.0, waiting) <= LONGEST_WAIT_SECONDS
