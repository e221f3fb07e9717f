"""Dates by .NET's patterns, and by FormatDate's own dialect of them."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.content.ampscript.cultures import find_culture
from postroom.content.ampscript.faults import ValueFault
from postroom.content.ampscript.formatting_dates import format_date, standard_date, vendor_date

WEDNESDAY = datetime(2026, 3, 4, 13, 52, 7, 123456)  # noqa: DTZ001
ENGLISH = find_culture("en-US").dates


@pytest.mark.parametrize(
    ("pattern", "culture", "text"),
    [
        ("yyyy-MM-dd HH:mm:ss", "", "2026-03-04 13:52:07"),
        ("dddd, d. MMMM yyyy", "de-DE", "Mittwoch, 4. März 2026"),
        ("ddd dd MMM yy", "", "Wed 04 Mar 26"),
        ("d MMMM yyyy", "pl-PL", "4 marca 2026"),
        ("MMMM yyyy", "pl-PL", "marzec 2026"),
        ("h:mm tt", "", "1:52 PM"),
        ("hh 't' t", "", "01 t P"),
        ("fff FFFFFFF", "", "123 123456"),
        ("zzz z", "", "-06:00 -6"),
        (r"\d%d", "", "d4"),
        ("MM/dd", "de-DE", "03.04"),
        ("MM'/'dd", "de-DE", "03/04"),
        ("HH:mm", "fi-FI", "13.52"),
        ("gg K", "", "A.D. "),
        ("d", "", "3/4/2026"),
        ("d", "de-DE", "04.03.2026"),
        ("d", "nl", "4-3-2026"),
        ("D", "es-ES", "miércoles, 4 de marzo de 2026"),
        ("D", "ja-JP", "2026年3月4日"),
        ("F", "", "Wednesday, March 4, 2026 1:52:07 PM"),
        ("g", "sv-SE", "2026-03-04 13:52"),
        ("M", "", "March 4"),
        ("o", "", "2026-03-04T13:52:07.1234560"),
        ("r", "de-DE", "Wed, 04 Mar 2026 13:52:07 GMT"),
        ("s", "", "2026-03-04T13:52:07"),
        ("t", "", "1:52 PM"),
        ("u", "", "2026-03-04 13:52:07Z"),
        ("U", "", "Wednesday, March 4, 2026 7:52:07 PM"),
        ("y", "", "March 2026"),
        ("", "", "3/4/2026 1:52:07 PM"),
        ("q", "", None),
    ],
)
def test_net_pattern(pattern: str, culture: str, text: str | None) -> None:
    assert format_date(WEDNESDAY, pattern, find_culture(culture).dates) == text


@pytest.mark.parametrize(
    ("date_pattern", "time_pattern", "text"),
    [
        ("YYYY-MM-DD", "", "2026-03-04"),
        ("yyyy-mm-dd", "", "2026-03-04"),
        ("yyyy-MM-dd HH:mm:ss", "", "2026-03-04 13:03:07"),
        ("yyyy-MM-dd", "HH:mm:ss", "2026-03-04 13:52:07"),
        ("", "mm", "52"),
        ("", "HH:MM", "13:52"),
        ("dddd", "", "Wed"),
        ("ddddd", "", "Wednesday"),
        ("dddddddd", "", "Wednesday"),
        ("ddd", "", "We4ne74a26"),
        ("mmmm", "", "March"),
        ("MMM", "", "Mar"),
        ("qqqq", "", "qqqq"),
        ("%d", "", "4"),
        ("d", "", "3/4/2026"),
        ("D", "", "3/4/2026"),
        ("M", "", "March 4"),
        ("s", "s", "3/4/2026 1:52 PM"),
        ("Long", "LONG", "Wednesday, March 4, 2026 1:52:07 PM"),
        ("sortable", "", "2026-03-04T13:52:07"),
        ("iso", "", "2026-03-04T13:52:07.1234560"),
        ("rfc", "", "Wed, 04 Mar 2026 13:52:07 GMT"),
        ("", "hh:mm TT", "01:52 PM"),
        ("", "h:mm", "1:52"),
        ("", "%h", "1"),
        ("'day' d", "", "day 4"),
        ("", "", "3/4/2026 1:52:07 PM"),
        ("x", "", "x"),
    ],
)
def test_vendor_pattern(date_pattern: str, time_pattern: str, text: str) -> None:
    assert vendor_date(WEDNESDAY, date_pattern, time_pattern, ENGLISH) == text


@pytest.mark.parametrize("letter", ["h", "H"])
def test_a_lone_hour_is_an_error(letter: str) -> None:
    with pytest.raises(ValueFault, match=f"write %{letter}"):
        vendor_date(WEDNESDAY, "", letter, ENGLISH)


def test_the_offset_of_a_round_trip_is_a_setting() -> None:
    assert vendor_date(WEDNESDAY, "o", "", ENGLISH, offset=True) == "2026-03-04T13:52:07.1234560-06:00"


def test_universal_time_at_the_end_of_time_is_no_format() -> None:
    assert standard_date(datetime(9999, 12, 31, 23), "U", ENGLISH) is None  # noqa: DTZ001


def test_a_pattern_without_end_is_refused() -> None:
    with pytest.raises(ValueFault, match="longer"):
        vendor_date(WEDNESDAY, "d" * 5_000, "", ENGLISH)
    assert format_date(WEDNESDAY, "d" * 5_000, ENGLISH) is None


@given(st.datetimes(), st.text(alphabet="dDfFgGhHKmMstTyYzOoRruUq%\\'\"/:,. x", min_size=2, max_size=12))
def test_any_pattern_of_two_letters_and_more_gives_a_text(moment: datetime, pattern: str) -> None:
    assert isinstance(format_date(moment, pattern, ENGLISH), str)
    assert isinstance(vendor_date(moment, pattern, pattern, ENGLISH), str)


@given(st.datetimes())
def test_a_padded_date_reads_back(moment: datetime) -> None:
    text = format_date(moment, "yyyy-MM-dd HH:mm:ss.ffffff", ENGLISH)
    assert datetime.fromisoformat(text or "") == moment
