"""The retry schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.delivery.retry import JITTER, RetrySchedule

ACCEPTED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SCHEDULE = RetrySchedule(first=MINUTE, factor=4, longest=timedelta(hours=3), max_age=timedelta(hours=72))

spans = st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=30))
chances = st.floats(min_value=0, max_value=1, exclude_max=True)


@st.composite
def schedules(draw: st.DrawFn) -> RetrySchedule:
    first, more = draw(spans), draw(spans)
    return RetrySchedule(first, draw(st.floats(1, 10)), first + more, draw(spans))


def middle() -> float:
    return 0.5


def test_waits_grow_by_the_factor_up_to_the_longest() -> None:
    waits = []
    for attempt in range(1, 7):
        next_at = SCHEDULE.next_attempt(ACCEPTED, attempt, ACCEPTED, middle)
        assert next_at is not None
        waits.append((next_at - ACCEPTED) / MINUTE)
    assert waits == [1, 4, 16, 64, 180, 180]


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


@given(schedules(), st.integers(1, 60), chances)
def test_a_later_attempt_never_waits_less(schedule: RetrySchedule, attempt: int, chance: float) -> None:
    earlier = schedule.next_attempt(ACCEPTED, attempt, ACCEPTED, lambda: chance)
    later = schedule.next_attempt(ACCEPTED, attempt + 1, ACCEPTED, lambda: chance)
    assert earlier is not None
    assert later is not None
    assert later >= earlier


@pytest.mark.parametrize(
    ("field", "first", "factor", "longest", "max_age"),
    [
        ("first", timedelta(0), 2, MINUTE, MINUTE),
        ("factor", MINUTE, 0.5, MINUTE, MINUTE),
        ("factor", MINUTE, float("nan"), MINUTE, MINUTE),
        ("longest", MINUTE, 2, MINUTE / 2, MINUTE),
        ("max_age", MINUTE, 2, MINUTE, timedelta(0)),
    ],
)
def test_a_schedule_that_makes_no_sense_names_the_field(
    field: str, first: timedelta, factor: float, longest: timedelta, max_age: timedelta
) -> None:
    with pytest.raises(ValueError, match=f"^{field} is "):
        RetrySchedule(first, factor, longest, max_age)
