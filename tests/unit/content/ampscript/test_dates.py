"""Which texts are dates, and which instant they say."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.content.ampscript.dates import parse_date


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026-03-04", "2026-03-04T00:00:00"),
        ("2026/3/4", "2026-03-04T00:00:00"),
        ("2026-03-04 09:05:07", "2026-03-04T09:05:07"),
        ("2026-03-04T09:05:07.1234567", "2026-03-04T09:05:07.123456"),
        ("2026-03-04T09:05:07Z", "2026-03-04T03:05:07"),
        ("2026-03-04T09:05:07+05:30", "2026-03-03T21:35:07"),
        ("2026-03-04T09:05:07-0600", "2026-03-04T09:05:07"),
        ("2023-05-01 2:30PM-1:00", "2023-05-01T09:30:00"),
        ("3/4/2026 9:05 AM", "2026-03-04T09:05:00"),
        ("3/4/2026 12:00:00 am", "2026-03-04T00:00:00"),
        ("3/4/2026 9 PM", "2026-03-04T21:00:00"),
        ("12/31/29", "2029-12-31T00:00:00"),
        ("12/31/30", "1930-12-31T00:00:00"),
        ("3-4-2026", "2026-03-04T00:00:00"),
        ("Mon, 25 Sep 2023 12:00:10", "2023-09-25T12:00:10"),
        ("Mon, 25 Sep 2023 12:00:10 GMT", "2023-09-25T06:00:10"),
        ("Wednesday, March 4, 2026 1:52:07 PM", "2026-03-04T13:52:07"),
        ("march 4 2026", "2026-03-04T00:00:00"),
        ("4-Mar-2026", "2026-03-04T00:00:00"),
        ("4 March 2026 10:00", "2026-03-04T10:00:00"),
        ("March 2026", "2026-03-01T00:00:00"),
        ("  2026-03-04  ", "2026-03-04T00:00:00"),
    ],
)
def test_dates(text: str, iso: str) -> None:
    assert parse_date(text) == datetime.fromisoformat(iso)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "bogus", "March 4th, 2026", "20260304", "1772614800", "2026-02-30", "13/1/2026", "2026-03-04 25:00",
        "2026-03-04 13:00 PM", "2026-03-04 0:30 AM", "2026-03-04 9", "Tue, 25 Sep 2023", "2026-03-04T09:05:07+99:00",
        "0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-14:00", "March 5 10:00", "２０２６-03-04", "3/4", "14:30",
        "1" * 100_000, "March " * 50_000, " " * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_date(text: str) -> None:
    assert parse_date(text) is None


@given(st.text(alphabet="0123456789/-:. TZAPMGMarchonWed,+", max_size=40))
def test_any_text_is_a_date_or_none(text: str) -> None:
    found = parse_date(text)
    assert found is None or found.tzinfo is None
