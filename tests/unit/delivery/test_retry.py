"""The retry schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.catalog.sending_options import SendingOptions
from postroom.delivery.retry import JITTER, RetrySchedule

ACCEPTED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SCHEDULE = RetrySchedule(waits=(MINUTE, 5 * MINUTE, 180 * MINUTE), max_age=timedelta(hours=72))

spans = st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=30))
chances = st.floats(min_value=0, max_value=1, exclude_max=True)


@st.composite
def schedules(draw: st.DrawFn) -> RetrySchedule:
    return RetrySchedule(tuple(draw(st.lists(spans, min_size=1, max_size=6))), draw(spans))


def middle() -> float:
    return 0.5


def test_waits_are_those_of_the_list_and_the_last_one_repeats() -> None:
    waits = []
    for attempt in range(1, 7):
        next_at = SCHEDULE.next_attempt(ACCEPTED, attempt, ACCEPTED, middle)
        assert next_at is not None
        waits.append((next_at - ACCEPTED) / MINUTE)
    assert waits == [1, 5, 180, 180, 180, 180]


def test_the_last_wait_ends_at_the_deadline() -> None:
    now = ACCEPTED + timedelta(hours=71, minutes=30)
    assert SCHEDULE.next_attempt(ACCEPTED, 20, now, middle) == ACCEPTED + timedelta(hours=72)


def test_too_old_is_not_tried_again() -> None:
    assert SCHEDULE.next_attempt(ACCEPTED, 20, ACCEPTED + timedelta(hours=72), middle) is None


@given(schedules(), st.integers(-5, 10**9), spans, chances)
def test_never_in_the_past_and_never_after_the_deadline(
    schedule: RetrySchedule, attempt: int, age: timedelta, chance: float
) -> None:
    now = ACCEPTED + age
    next_at = schedule.next_attempt(ACCEPTED, attempt, now, lambda: chance)
    if age >= schedule.max_age:
        assert next_at is None
    else:
        assert next_at is not None
        assert now <= next_at <= ACCEPTED + schedule.max_age


@given(schedules(), st.integers(1, 60), chances)
def test_jitter_stays_within_its_share(schedule: RetrySchedule, attempt: int, chance: float) -> None:
    exact = schedule.next_attempt(ACCEPTED, attempt, ACCEPTED, middle)
    varied = schedule.next_attempt(ACCEPTED, attempt, ACCEPTED, lambda: chance)
    assert exact is not None
    assert varied is not None
    deadline = ACCEPTED + schedule.max_age
    wait = exact - ACCEPTED
    tick = timedelta(microseconds=2)
    assert varied <= ACCEPTED + wait * (1 + JITTER) + tick
    if exact < deadline:
        assert varied >= ACCEPTED + wait * (1 - JITTER) - tick


def test_a_definition_may_choose_its_own_waits_and_an_earlier_end() -> None:
    own = SCHEDULE.chosen(SendingOptions(retry_schedule="5s 30s", deliver_before=300))
    assert own == RetrySchedule((timedelta(seconds=5), timedelta(seconds=30)), timedelta(minutes=5))
    assert SCHEDULE.chosen(SendingOptions(on_unknown="hold")) == SCHEDULE
    assert SCHEDULE.chosen(SendingOptions(deliver_before=30 * 86_400)) == SCHEDULE, "the age limit stays"


@pytest.mark.parametrize(
    ("problem", "waits", "max_age"),
    [
        ("waits is empty", (), MINUTE),
        ("waits has 0:00:00", (MINUTE, timedelta(0)), MINUTE),
        ("max_age is 0:00:00", (MINUTE,), timedelta(0)),
    ],
)
def test_a_schedule_that_makes_no_sense_names_the_field(
    problem: str, waits: tuple[timedelta, ...], max_age: timedelta
) -> None:
    with pytest.raises(ValueError, match=f"^{problem}"):
        RetrySchedule(waits, max_age)
