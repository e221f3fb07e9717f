from datetime import UTC, date, datetime

import pytest

from postroom.events.status import days_back


@pytest.mark.parametrize(
    ("now", "hours", "first", "last"),
    [
        (datetime(2026, 11, 23, 12, tzinfo=UTC), 72, date(2026, 11, 20), date(2026, 11, 24)),
        (datetime(2026, 11, 23, 0, tzinfo=UTC), 1, date(2026, 11, 22), date(2026, 11, 24)),
        (datetime(2026, 3, 1, 5, tzinfo=UTC), 24, date(2026, 2, 28), date(2026, 3, 2)),
    ],
)
def test_every_day_that_the_hours_touch_and_the_next(now: datetime, hours: int, first: date, last: date) -> None:
    days = days_back(now, hours)
    assert (days[0], days[-1]) == (first, last)
    assert len(days) == (last - first).days + 1
    assert days == sorted(days)
