"""Suppressions as CSV and NDJSON: what is read, what is told, and what a spreadsheet must not run."""

import csv
import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.audience.suppression import CAUSES, Entry, Suppression
from postroom.audience.suppression_file import (
    FileFormat,
    Line,
    file_head,
    file_line,
    read_csv,
    read_file,
    read_moment,
    read_ndjson,
)

DAY = datetime(2027, 1, 5, tzinfo=UTC)


def rows(text: str) -> list[Line]:
    return list(read_csv(io.StringIO(text, newline="")))


def stored(address: str, evidence: str = "", **more: object) -> Suppression:
    fields = {"suppression_id": 1, "cause": "import", "created_at": DAY, "changed_at": DAY, "expires_at": None}
    return Suppression(address=address, evidence=evidence, **fields | more)  # type: ignore[arg-type]


def test_columns_are_found_by_their_names_in_any_order() -> None:
    text = (
        'Name,EXPIRES,Email Address,cause,evidence\r\nAnn,2027-01-05,ann@example.com,Bounce,"550 ""no"",\r\nuser"\r\n'
    )
    assert rows(text) == [Line(3, Entry("ann@example.com", "bounce", '550 "no",\r\nuser', DAY))]


def test_a_list_of_addresses_needs_no_header() -> None:
    text = "ann@example.com\n\n ben@example.com \n"
    assert rows(text) == [Line(1, Entry("ann@example.com", "import")), Line(3, Entry("ben@example.com", "import"))]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("ann", "'ann' is not an email address"),
        (",bounce", "there is no address"),
        ("ann@example.com,weather", "cause is 'weather'; it must be one of complaint, bounce,"),
        ("ann@example.com,,,soon", "expires is 'soon'; write a time such as 2027-01-05T09:00:00Z, or a date"),
        ("ann@example.com,,,2027-01-05T09:00", "end it with the offset, Z for UTC"),
        ("ann@example.com,,,0001-01-05", "its year must be from 2000 to 9000"),
        ("ann@example.com," + "x" * 200_000, "this is not CSV: field larger than field limit"),
    ],
)
def test_a_bad_line_is_told_and_the_next_is_read(line: str, problem: str) -> None:
    found = rows(f"address,cause,evidence,expires\n{line}\nben@example.com\n")
    assert [each.entry for each in found] == [None, Entry("ben@example.com", "import")]
    assert (found[0].number, found[1].number) == (2, 3)
    assert problem in found[0].problem


def test_ndjson_lines_are_told_like_those_of_csv() -> None:
    text = '{"address":"ann@example.com","cause":"manual","id":3}\n\nnull\n{"adress":"x"}\n{"address":null}\n[1,\n'
    found = list(read_ndjson(text.splitlines(keepends=True), "bounce"))
    assert found[0] == Line(1, Entry("ann@example.com", "manual"))
    assert [(each.number, each.entry) for each in found[1:]] == [(3, None), (4, None), (5, None), (6, None)]
    assert "unknown field `adress`" in found[2].problem
    assert found[3].problem == "there is no address"


FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    '=HYPERLINK("http://evil.example","x")',
    "=cmd|' /C calc'!A0",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_csv_injection_a_cell_is_never_a_formula(formula: str) -> None:
    line = file_line("csv", stored("=1+1@example.com", formula))
    (cells,) = csv.reader(io.StringIO(line, newline=""))
    assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
    assert cells[0] == "'=1+1@example.com"


@given(
    st.one_of(st.emails(), st.from_regex(r"[-=+'a]{1,5}@example\.com", fullmatch=True)).map(str.lower),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
    | st.from_regex(r"'*[=+\-@]x", fullmatch=True),
    st.sampled_from(CAUSES),
    st.none() | st.datetimes(datetime(2000, 1, 1), datetime(9000, 1, 1)),  # noqa: DTZ001
    st.sampled_from(["csv", "ndjson"]),
)
def test_what_is_written_is_read_again(
    address: str, evidence: str, cause: str, expires: datetime | None, kind: FileFormat
) -> None:
    moment = None if expires is None else expires.replace(microsecond=0, tzinfo=UTC)
    text = file_head(kind) + file_line(kind, stored(address, evidence, cause=cause, expires_at=moment))
    (found,) = read_file(kind, io.StringIO(text, newline=""))
    assert found.entry == Entry(address, cause, evidence, moment), found  # type: ignore[arg-type]


@given(st.text(max_size=200), st.sampled_from(["csv", "ndjson"]))
def test_no_text_stops_the_reading(text: str, kind: FileFormat) -> None:
    for line in read_file(kind, io.StringIO(text, newline="")):
        assert (line.entry is None) == bool(line.problem)


def test_a_date_is_midnight_utc_and_an_offset_is_kept_to() -> None:
    assert read_moment("expires", "2027-01-05") == DAY
    assert read_moment("expires", "2027-01-05T02:00:00+02:00") == DAY
