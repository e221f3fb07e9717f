"""What a data extension's columns hold, and what they refuse."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.catalog.data_columns import (
    COLUMN_TYPES,
    CellRejected,
    Column,
    ColumnType,
    cell_text,
    cell_value,
    check_default,
    default_text,
    row_key,
    row_terms,
    shown_text,
)

GOOD: list[tuple[ColumnType, object, str | None]] = [
    ("Text", " as it is ", " as it is "),
    ("Text", "", ""),
    ("Text", 17, "17"),
    ("Text", True, "True"),
    ("Text", 0.5, "0.5"),
    ("Number", "017", "17"),
    ("Number", 12.0, "12"),
    ("Number", "-2147483648", "-2147483648"),
    ("Number", " ", None),
    ("Decimal", "1.005", "1.01"),
    ("Decimal", 12, "12.00"),
    ("Decimal", "-0.001", "0.00"),
    ("Decimal", ".5", "0.50"),
    ("Decimal", "12345678.99", "12345678.99"),
    ("Boolean", True, "True"),
    ("Boolean", "no", "False"),
    ("Boolean", 1, "True"),
    ("Boolean", "", None),
    ("Date", "2026-01-05", "2026-01-05T00:00:00.000"),
    ("Date", "2026-01-05T12:00:00Z", "2026-01-05T06:00:00.000"),
    ("Date", "1/5/2026 3:41:18 pm", "2026-01-05T15:41:18.000"),
    ("Date", "12/31/2026 12:00 AM", "2026-12-31T00:00:00.000"),
    ("EmailAddress", "ada@example.com", "ada@example.com"),
    ("Phone", "+47 (22) 11 22 33", "+47 (22) 11 22 33"),
    ("Locale", "nb-NO", "nb-NO"),
]

BAD: list[tuple[ColumnType, object]] = [
    ("Text", "x" * 11),
    ("Text", "a\0b"),
    ("Text", ["list"]),
    ("Text", {"object": 1}),
    ("Text", "\ud800"),
    ("Number", "1.5"),
    ("Number", "2147483648"),
    ("Number", "seven"),
    ("Number", "٣"),
    ("Number", True),
    ("Decimal", "123456789.00"),
    ("Decimal", "NaN"),
    ("Decimal", "1e5"),
    ("Decimal", "."),
    ("Decimal", "9" * 70),
    ("Boolean", "maybe"),
    ("Boolean", 2),
    ("Date", "2026-02-30"),
    ("Date", "13/1/2026"),
    ("Date", "1/5/2026 13:00 PM"),
    ("Date", "yesterday"),
    ("EmailAddress", "nobody"),
    ("Phone", "call me"),
    ("Phone", "+"),
    ("Locale", "norsk"),
]


def column(kind: ColumnType) -> Column:
    """A column of this type with its bounds."""
    if kind == "Decimal":
        return Column(name="C", type=kind, length=10, scale=2)
    return Column(name="C", type=kind, length=10 if kind == "Text" else None)


@pytest.mark.parametrize(("kind", "value", "text"), GOOD)
def test_a_value_becomes_one_canonical_text(kind: ColumnType, value: object, text: str | None) -> None:
    assert cell_text(column(kind), value) == text
    assert cell_text(column(kind), text) == text


@pytest.mark.parametrize(("kind", "value"), BAD)
def test_what_does_not_fit_is_refused_with_the_column_and_the_type(kind: ColumnType, value: object) -> None:
    with pytest.raises(CellRejected, match=f"column C is {kind}: "):
        cell_text(column(kind), value)


@pytest.mark.parametrize("kind", COLUMN_TYPES.values())
@given(st.one_of(st.text(max_size=40), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.integers())))
def test_every_value_is_kept_or_refused_and_what_is_kept_reads_back(kind: ColumnType, value: object) -> None:
    try:
        text = cell_text(column(kind), value)
    except CellRejected:
        return
    again = cell_text(column(kind), cell_value(column(kind), text))
    assert again == text
    assert isinstance(shown_text(column(kind), text), str)


def test_cells_as_values_of_the_language() -> None:
    assert cell_value(column("Number"), "17") == 17
    assert cell_value(column("Decimal"), "17.50") == Decimal("17.50")
    assert cell_value(column("Boolean"), "False") is False
    assert cell_value(column("Date"), "2026-01-05T15:41:18.000") == datetime(2026, 1, 5, 15, 41, 18)  # noqa: DTZ001
    assert cell_value(column("Text"), None) is None


def test_dates_are_shown_as_the_vendor_writes_them() -> None:
    assert shown_text(column("Date"), "2026-01-05T00:41:08.000") == "1/5/2026 12:41:08 AM"
    assert shown_text(column("Date"), "2026-11-15T12:00:00.000") == "11/15/2026 12:00:00 PM"
    assert shown_text(column("Date"), None) == ""


def test_a_default_date_can_be_now() -> None:
    now = datetime(2026, 1, 5, 18, 0, tzinfo=UTC)
    made = Column(name="C", type="Date", default="GetDate()")
    kept = check_default(made)
    assert kept == "getdate()"
    assert default_text(Column(name="C", type="Date", default=kept), now) == "2026-01-05T12:00:00.000"


def test_keys_and_terms_ignore_case_and_stay_short() -> None:
    columns = [Column(name="Id", type="Text", length=900, primary_key=True), Column(name="City", type="Text")]
    assert row_key(columns, {"id": "Straße"}) == row_key(columns, {"id": "STRASSE"})
    assert row_key(columns, {"id": "a"}) != row_key(columns, {"id": "b"})
    long = row_key(columns, {"id": "x" * 900})
    assert long is not None
    assert len(long) < 100
    assert row_key(columns[1:], {"city": "Oslo"}) is None
    assert row_terms(7, columns, {"id": "A", "city": "OSLO"}) == row_terms(7, columns, {"id": "a", "city": "oslo"})
    assert row_terms(7, columns, {"id": "A"}) != row_terms(8, columns, {"id": "A"})
