"""The arithmetic of a warm-up."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.delivery.routing.warm_up import WarmUp, seconds_to_next_day

RAMP = WarmUp(date(2026, 11, 30), (50, 100, 400))


@pytest.mark.parametrize(
    ("day", "limit"),
    [
        (date(2026, 11, 1), 50),
        (date(2026, 11, 30), 50),
        (date(2026, 12, 1), 100),
        (date(2026, 12, 2), 400),
        (date(2026, 12, 3), None),
        (date(2027, 12, 3), None),
    ],
)
def test_the_limit_of_a_day(day: date, limit: int | None) -> None:
    assert RAMP.limit(day) == limit


def test_the_next_day_begins_at_midnight_utc() -> None:
    assert seconds_to_next_day(datetime(2026, 11, 30, 23, 59, 30, tzinfo=UTC)) == 30
    berlin = timezone(timedelta(hours=1))
    assert seconds_to_next_day(datetime(2026, 12, 1, 0, 30, tzinfo=berlin)) == 1800


@given(st.datetimes(timezones=st.just(UTC)).filter(lambda now: now.year < 9999))
def test_it_is_always_ahead_and_never_more_than_a_day(now: datetime) -> None:
    seconds = seconds_to_next_day(now)
    assert 0 < seconds <= 86_400
    assert (now + timedelta(seconds=seconds)).date() == now.date() + timedelta(days=1)
