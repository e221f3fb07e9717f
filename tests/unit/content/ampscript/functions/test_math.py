"""Numbers: doubles, infinities instead of errors, anything that is no number an error."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.content.ampscript.functions.calls import call, make_run

from postroom.content.ampscript.faults import ValueFault
from postroom.content.ampscript.values import to_text


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("Add", ("5", 42), "47"),
        ("Add", (0.1, 0.2), "0.3"),
        ("Add", (" 1 ", "+2."), "3"),
        ("Add", ("1e3", ".5"), "1000.5"),
        ("Subtract", (42.51, 5), "37.51"),
        ("Multiply", (1_000_000, 1_000_000), "1000000000000"),
        ("Multiply", (1e200, 1e200), "∞"),
        ("Divide", (10, 3), "3.33333333333333"),
        ("Divide", (100, 0), "∞"),
        ("Divide", (-100, 0), "-∞"),
        ("Divide", (0, 0), "NaN"),
        ("Divide", (math.nan, 0), "NaN"),
        ("Mod", (-10, 3), "-1"),
        ("Mod", (10, -3), "1"),
        ("Mod", (5, 0), "NaN"),
        ("Mod", (math.inf, 2), "NaN"),
        ("Mod", (-500.123, 12.456), "-1.88300000000001"),
    ],
)
def test_result(name: str, arguments: tuple[object, ...], text: str) -> None:
    assert to_text(call(name, *arguments)) == text


@pytest.mark.parametrize("value", ["", " ", "abc", "1,000", "0x1F", "1e999", "１", "true", True, None, "inf", "nan"])
def test_what_is_no_number_is_an_error(value: object) -> None:
    for name in ("Add", "Subtract", "Multiply", "Divide", "Mod"):
        with pytest.raises(ValueFault, match="is not a number"):
            call(name, value, 1)
        with pytest.raises(ValueFault, match="is not a number"):
            call(name, 1, value)


@given(st.integers(-(2**40), 2**40), st.integers(-(2**40), 2**40))
def test_random_stays_within_both_ends_in_any_order(low: int, high: int) -> None:
    number = call("Random", low, str(high))
    assert isinstance(number, int)
    assert min(low, high) <= number <= max(low, high)


def test_random_is_the_same_for_the_same_message() -> None:
    one, other = make_run(), make_run()
    assert [call("Random", 1, 10**9, run=one) for _ in range(3)] == [call("Random", 1, 10**9, run=other) for _ in "abc"]


@pytest.mark.parametrize("value", [1.5, "1.5", "x", ""])
def test_random_takes_whole_numbers_only(value: object) -> None:
    with pytest.raises(ValueFault, match="whole number"):
        call("Random", value, 3)
