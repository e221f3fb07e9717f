"""Texts of values, numbers from values, and the comparison rules of ampscript.md §5."""

import math
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.content.ampscript.faults import ValueFault
from postroom.content.ampscript.values import (
    DATABASE_NULL,
    DateTime,
    Row,
    RowSet,
    compare,
    join_halves,
    ordinal_fold,
    ordinal_lower,
    ordinal_upper,
    shown,
    to_date,
    to_decimal,
    to_flag,
    to_number,
    to_text,
    to_whole,
    truth,
    utf16_length,
    utf16_slice,
)

NOON = DateTime(datetime(2026, 3, 4, 12, 0, 5))  # noqa: DTZ001

values = st.one_of(
    st.none(),
    st.just(DATABASE_NULL),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=9),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9),
    st.datetimes().map(DateTime),
    st.from_regex(r"-?[0-9]{1,4}(\.[0-9]{1,2})?", fullmatch=True),
    st.sampled_from(["true", "FALSE", "10/20/2024", "ß", "SS", "e\u0301", "é"]),
)
OPERATORS = ("==", "!=", "<", "<=", ">", ">=")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (DATABASE_NULL, ""),
        (True, "True"),
        (False, "False"),
        (-(2**63), "-9223372036854775808"),
        (10 / 3, "3.33333333333333"),
        (0.1 + 0.2, "0.3"),
        (-0.0, "0"),
        (1e15, "1E+15"),
        (1e-5, "1E-05"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
        (math.nan, "NaN"),
        (Decimal("1.50"), "1.50"),
        (Decimal("-0.0"), "0.0"),
        (Decimal("1E+3"), "1000"),
        (NOON, "3/4/2026 12:00:05 PM"),
        (DateTime(datetime(1, 1, 1)), "1/1/0001 12:00:00 AM"),  # noqa: DTZ001
        (RowSet(("a",), [("x",)]), ""),
        (RowSet(("a",), [("x",)]).row(1), ""),
        ({"a": [1]}, '{"a":[1]}'),
    ],
)
def test_text_of_a_value(value: object, text: str) -> None:
    assert to_text(value) == text


@pytest.mark.parametrize(
    ("value", "whole"), [(5, 5), (5.0, 5), (Decimal("5.0"), 5), (" +5 ", 5), ("-5", -5), (str(2**63 - 1), 2**63 - 1)]
)
def test_whole_numbers(value: object, whole: int) -> None:
    assert to_whole(value) == whole


@pytest.mark.parametrize("value", [5.5, "5.0", "", "x", True, None, math.inf, math.nan, 2**63, "9" * 40, "5_0", NOON])
def test_what_is_no_whole_number_is_named(value: object) -> None:
    with pytest.raises(ValueFault, match=r"the count .* is not a whole number"):
        to_whole(value, "the count")


@pytest.mark.parametrize(
    ("value", "flag"),
    [(True, True), (1, True), ("1", True), ("TRUE", True), (0, False), ("False", False), (None, False), ("", False)],
)
def test_flags(value: object, flag: bool) -> None:
    assert to_flag(value) is flag


@pytest.mark.parametrize("value", [2, "yes", "10", NOON])
def test_what_is_no_flag_is_an_error(value: object) -> None:
    with pytest.raises(ValueFault, match="flag"):
        to_flag(value)


@pytest.mark.parametrize("value", [1, "true", "x", None, 0, Decimal(1)])
def test_only_the_boolean_true_is_true(value: object) -> None:
    assert truth(True) is True
    assert truth(value) is False


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("1,234,567.5", Decimal("1234567.5")),
        ("1,2,3", Decimal(123)),
        ("1.000,5", None),
        (",5", None),
        ("1e5", None),
        (True, None),
        ("9" * 40, None),
        (0.1 + 0.2, Decimal("0.3")),
    ],
)
def test_decimals_with_grouping(value: object, number: Decimal | None) -> None:
    assert to_decimal(value, grouped=True) == number


@pytest.mark.parametrize(
    ("left", "operator", "right", "holds"),
    [
        (None, "==", DATABASE_NULL, True),
        (None, ">=", DATABASE_NULL, True),
        (None, "<", DATABASE_NULL, False),
        (None, "<", 0, True),
        (0, ">", None, True),
        (None, "==", "", False),
        (True, "==", 1, True),
        (True, "==", 1.0, True),
        (True, "==", 2, False),
        (True, "<", 2, True),
        (True, "==", "TRUE", True),
        (False, "==", "anything", True),
        ("4", "<", "50", True),
        ("a", "<", 1, True),
        ("", "==", 0, True),
        ("", "==", "0", True),
        ("1.0", "==", "1", True),
        (" 1 ", "==", 1, True),
        ("1e2", "==", "100", False),
        (0.1 + 0.2, "==", "0.3", True),
        (math.inf, ">", 5, True),
        (math.nan, "==", math.nan, False),
        (math.nan, "!=", 1, True),
        ("a", "==", "A", True),
        ("Graßl", "==", "Grassl", False),
        ("é", "==", "e", False),
        ("é", "<=", "E", True),
        ("Zebra", ">", "äpfel", True),
        ("10/20/2024", "<", "2/1/2025", True),
        (NOON, ">", "3/4/2026", True),
        (NOON, "==", "2026-03-04 12:00:05", True),
        (NOON, ">", "no date", True),
        (NOON, ">", 99999999, True),
        ("9" * 40, "==", "9" * 40, True),
        ("9" * 40, "==", "9" * 41, False),
    ],
)
def test_comparison(left: object, operator: str, right: object, holds: bool) -> None:
    assert compare(operator, left, right) is holds


@given(values, values)
def test_every_pair_compares_and_what_is_not_equal_is_unequal(left: object, right: object) -> None:
    results = {operator: compare(operator, left, right) for operator in OPERATORS}
    assert results["!="] is not results["=="]


@given(values, values)
def test_equality_is_the_same_from_both_sides(left: object, right: object) -> None:
    assert compare("==", left, right) is compare("==", right, left)


@given(st.text() | st.integers(-(2**63), 2**63 - 1), st.text() | st.integers(-(2**63), 2**63 - 1))
def test_less_from_one_side_is_greater_from_the_other(left: object, right: object) -> None:
    assert compare("<", left, right) is compare(">", right, left)
    assert compare("<=", left, right) is compare(">=", right, left)


@given(st.text(), st.integers(0, 20), st.integers(0, 20))
def test_slices_count_utf16_units(text: str, start: int, length: int) -> None:
    units = [text.encode("utf-16-le", "surrogatepass")[at : at + 2] for at in range(0, 2 * utf16_length(text), 2)]
    part = utf16_slice(text, start, start + length)
    assert part.encode("utf-16-le", "surrogatepass") == b"".join(units[start : start + length])
    assert join_halves(utf16_slice(text, 0, start) + utf16_slice(text, start, len(units))) == join_halves(text)


@given(st.text())
def test_folding_keeps_positions(text: str) -> None:
    assert len(ordinal_fold(text)) == len(ordinal_upper(text)) == len(ordinal_lower(text)) == len(text)


@given(values)
def test_every_value_prints_and_can_be_shown(value: object) -> None:
    assert isinstance(to_text(value), str)
    assert len(shown(value)) < 500


@given(st.text())
def test_a_number_from_a_text_is_the_number_it_shows(text: str) -> None:
    try:
        number = to_number(text)
    except ValueFault:
        return
    assert number == float(text)


def test_rows_know_their_columns_in_any_case() -> None:
    rows = RowSet(("Name", "name ", "When"), [("Ada", "x", datetime(2026, 1, 1)), (None,)])  # noqa: DTZ001
    first = rows.row(1)
    assert first.by_name(" NAME ") == (True, "Ada")
    assert first.by_number(3) == (True, DateTime(datetime(2026, 1, 1)))  # noqa: DTZ001
    assert first.by_name("nope") == first.by_number(0) == first.by_number(4) == (False, None)
    assert rows.row(2).by_number(1) == (True, DATABASE_NULL)
    assert rows.row(2).by_name("When") == (False, None)
    for number in (0, 3, -1):
        with pytest.raises(ValueFault, match=f"no row {number}; the rowset has 2 rows"):
            rows.row(number)
    with pytest.raises(ValueFault, match="is empty"):
        RowSet((), ()).row(1)
    assert not Row(rows, ())


def test_only_dates_and_texts_are_dates() -> None:
    assert to_date(NOON) == to_date("March 4, 2026 12:00:05 PM")
    assert to_date(20260304) is None
    assert to_date(None) is None
