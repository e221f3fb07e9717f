"""Times on the wire: UTC-6 all year, without daylight saving."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from postroom.api.times import fine_time, minute_time, zoned_time

SUMMER = datetime(2026, 7, 1, 3, 4, 5, 678_901, tzinfo=UTC)


def test_definition_dates_are_of_minutes() -> None:
    assert minute_time(SUMMER) == "2026-06-30T21:04:00"
    assert minute_time(SUMMER.astimezone(timezone(timedelta(hours=9)))) == "2026-06-30T21:04:00"


@pytest.mark.parametrize(
    ("microsecond", "ending"), [(678_901, "05.678"), (550_000, "05.55"), (500_000, "05.5"), (999, "05"), (0, "05")]
)
def test_status_times_drop_zeros_at_the_end(microsecond: int, ending: str) -> None:
    assert fine_time(SUMMER.replace(microsecond=microsecond)) == f"2026-06-30T21:04:{ending}"


def test_asset_times_carry_their_offset() -> None:
    assert zoned_time(SUMMER) == "2026-06-30T21:04:05.678-06:00"
