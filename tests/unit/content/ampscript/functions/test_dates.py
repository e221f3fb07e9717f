"""Dates: units, borders, zones."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.content.ampscript.functions.calls import call, make_run

from postroom.content.ampscript.faults import ValueFault
from postroom.content.ampscript.run import Account, Dialect
from postroom.content.ampscript.values import DateTime, to_text


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("Now", (), "3/4/2026 1:52:07 PM"),
        ("Now", ("anything",), "3/4/2026 1:52:07 PM"),
        ("GetSendTime", (), "3/4/2026 1:52:07 PM"),
        ("DateAdd", ("2026-01-31 13:52:07", 1, "M"), "2/28/2026 1:52:07 PM"),
        ("DateAdd", ("2024-02-29", 1, "y"), "2/28/2025 12:00:00 AM"),
        ("DateAdd", ("2026-01-31", -2, "M"), "11/30/2025 12:00:00 AM"),
        ("DateAdd", ("2026-12-31", "1", " d "), "1/1/2027 12:00:00 AM"),
        ("DateAdd", ("2026-03-04 13:52:07", 10, "mi"), "3/4/2026 2:02:07 PM"),
        ("DateAdd", ("2026-03-04 23:00", 2.0, "H"), "3/5/2026 1:00:00 AM"),
        ("DateDiff", ("2026-01-10 08:00:00", "2026-01-11 07:00:00", "D"), "1"),
        ("DateDiff", ("2026-12-31 23:59:59", "2027-01-01", "Y"), "1"),
        ("DateDiff", ("2026-01-01", "2025-11-30", "M"), "-2"),
        ("DateDiff", ("2026-01-01 00:59", "2026-01-01 01:00", "H"), "1"),
        ("DateDiff", ("2026-01-01 00:00:59", "2026-01-01 00:01:00", "MI"), "1"),
        ("DatePart", ("2026-03-04 00:30:00", "hour"), "12"),
        ("DatePart", ("2026-03-04 19:05:07", "H"), "7"),
        ("DatePart", ("2026-03-04 19:05:07", "MI"), "5"),
        ("DatePart", ("2026-03-04", "monthname"), "March"),
        ("DatePart", ("2026-03-04", "D"), "04"),
        ("DateParse", ("2026-03-04T09:05:07Z",), "3/4/2026 3:05:07 AM"),
        ("DateParse", ("2023-05-01 2:30PM-1:00", 1), "5/1/2023 3:30:00 PM"),
        ("StringToDate", ("March 4, 2026",), "3/4/2026 12:00:00 AM"),
        ("SystemDateToLocalDate", ("2026-01-15 12:00",), "1/15/2026 12:00:00 PM"),
        ("SystemDateToLocalDate", ("2026-07-15 12:00",), "7/15/2026 1:00:00 PM"),
        ("LocalDateToSystemDate", ("2026-07-15",), "7/14/2026 11:00:00 PM"),
        ("FormatDate", ("bogus", "yyyy"), ""),
        ("FormatDate", (20260304, "yyyy"), ""),
        ("FormatDate", (None,), ""),
    ],
)
def test_result(name: str, arguments: tuple[object, ...], text: str) -> None:
    assert to_text(call(name, *arguments)) == text


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("DateAdd", ("2026-03-04", 1, "S")),
        ("DateAdd", ("2026-03-04", 1, "day")),
        ("DateAdd", ("2026-03-04", 1.5, "D")),
        ("DateAdd", ("bogus", 1, "D")),
        ("DateAdd", (None, 1, "D")),
        ("DateAdd", ("9999-12-31", 1, "D")),
        ("DateAdd", ("2026-03-04", 10**18, "Y")),
        ("DateAdd", ("2026-03-04", -(10**18), "MI")),
        ("DateDiff", ("", "2026-03-04", "D")),
        ("DateDiff", ("2026-03-04", "2026-03-04", "week")),
        ("DatePart", ("2026-03-04", "second")),
        ("DateParse", (20260304,)),
        ("DateParse", ("1772614800",)),
        ("DateParse", ("0001-01-01T00:00:00+10:00",)),
        ("DateParse", ("9999-12-31 23:00", 1)),
        ("SystemDateToLocalDate", ("soon",)),
        ("SystemDateToLocalDate", ("9999-12-31 23:30",)),
    ],
)
def test_what_cannot_be_computed_is_an_error(name: str, arguments: tuple[object, ...]) -> None:
    with pytest.raises(ValueFault):
        call(name, *arguments)


def test_now_with_the_flag_is_when_the_send_started() -> None:
    run = make_run(send_time=datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert to_text(call("Now", 1, run=run)) == to_text(call("GetSendTime", run=run)) == "3/1/2026 6:00:00 AM"
    assert to_text(call("Now", run=run)) == "3/4/2026 1:52:07 PM"


def test_hours_to_24_are_a_setting() -> None:
    assert call("DatePart", "2026-03-04 19:05", "H", run=make_run(dialect=Dialect(hour_24=True))) == "19"


def test_the_zone_of_the_account_counts() -> None:
    berlin = make_run(account=Account(time_zone="Europe/Berlin"))
    assert to_text(call("SystemDateToLocalDate", "2026-03-04 12:00", run=berlin)) == "3/4/2026 7:00:00 PM"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "/etc/passwd", ""])
def test_an_unknown_zone_is_named(zone: str) -> None:
    with pytest.raises(ValueFault, match="IANA"):
        call("SystemDateToLocalDate", "2026-03-04", run=make_run(account=Account(time_zone=zone)))


moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)).map(lambda moment: moment.replace(microsecond=0))  # noqa: DTZ001


@given(moments, st.integers(-10_000, 10_000), st.sampled_from(["D", "H", "MI"]))
def test_a_difference_is_what_was_added(moment: datetime, count: int, unit: str) -> None:
    later = call("DateAdd", DateTime(moment), count, unit)
    assert call("DateDiff", DateTime(moment), later, unit) == count


@given(moments)
def test_a_date_survives_its_text(moment: datetime) -> None:
    assert call("DateParse", to_text(DateTime(moment))) == DateTime(moment)


@given(moments)
def test_local_time_and_back_is_the_same_but_for_the_hour_that_is_there_twice(moment: datetime) -> None:
    local = call("SystemDateToLocalDate", DateTime(moment))
    back = call("LocalDateToSystemDate", local)
    assert isinstance(back, DateTime)
    assert abs(back.moment - moment) <= timedelta(hours=1)
