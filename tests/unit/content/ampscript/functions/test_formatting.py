"""Format, FormatNumber, FormatCurrency: what comes out for which value and culture."""

from decimal import Decimal

import pytest
from tests.unit.content.ampscript.functions.calls import call

from postroom.content.ampscript.faults import ValueFault


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("FormatNumber", ("1,234,567.891", "N2"), "1,234,567.89"),
        ("FormatNumber", (Decimal("1.005"), "N2"), "1.01"),
        ("FormatNumber", (1.005, "N2"), "1.01"),
        ("FormatNumber", ("abc", "N2"), ""),
        ("FormatNumber", ("", "N2"), ""),
        ("FormatNumber", (None, "N2"), ""),
        ("FormatNumber", (True, "N2"), ""),
        ("FormatNumber", (5, "Q"), "Q"),
        ("FormatNumber", (1234.5, "C", "zz-ZZ"), "$1,234.50"),
        ("FormatNumber", (1234.5, "N2", "../../etc"), "1,234.50"),
        ("FormatNumber", (float("inf"), "N2"), "∞"),
        ("FormatCurrency", (1234.5, "fr"), "1\u00a0234,50 €"),
        ("FormatCurrency", (1234.5, ""), "$1,234.50"),
        ("FormatCurrency", (1234.5, "xx-XX"), "¤1,234.50"),
        ("FormatCurrency", (1234.5, "de-DE", 0), "1.235 €"),
        ("FormatCurrency", (1234.5, "de-DE", "", "CHF"), "1.234,50 CHF"),
        ("FormatCurrency", (1234.5, "en-US", 2, ""), "1,234.50"),
        ("FormatCurrency", ("x", "en-US"), ""),
        ("FormatCurrency", (-5, "en-US"), "($5.00)"),
        ("Format", ("2026-03-04 13:52:07", "yyyy-MM-dd HH:mm:ss"), "2026-03-04 13:52:07"),
        ("Format", ("hello", "d"), "hello"),
        ("Format", (1234.5, "C2", "", "de-DE"), "1.234,50 €"),
        ("Format", ("2026-03-04", "dddd", "DATE", "de-DE"), "Mittwoch"),
        ("Format", ("5", "q"), "5"),
        ("Format", ("2026-03-04", "q"), "2026-03-04"),
        ("Format", (None, "d"), ""),
    ],
)
def test_result(name: str, arguments: tuple[object, ...], text: str) -> None:
    assert call(name, *arguments) == text


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("Format", (5, "N2", "Number")), ("FormatCurrency", (5, "en-US", -1)), ("FormatCurrency", (5, "en-US", 100))],
)
def test_a_wrong_option_is_an_error(name: str, arguments: tuple[object, ...]) -> None:
    with pytest.raises(ValueFault):
        call(name, *arguments)
