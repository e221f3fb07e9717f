"""Numbers by .NET's patterns in the cultures of the world."""

from decimal import ROUND_HALF_UP, Decimal

import babel.localedata
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.content.ampscript.cultures import find_culture
from postroom.content.ampscript.formatting_numbers import format_currency, format_number

ENGLISH = find_culture("en-US").numbers


@pytest.mark.parametrize(
    ("number", "pattern", "text"),
    [
        ("1234.555", "C", "$1,234.56"),
        ("-1234.555", "C", "($1,234.56)"),
        ("1234.555", "E", "1.234555E+003"),
        ("1234.555", "e2", "1.23e+003"),
        ("0.00001234", "E2", "1.23E-005"),
        ("9.9999999", "E2", "1.00E+001"),
        ("0", "E", "0.000000E+000"),
        ("1234.555", "F", "1234.56"),
        ("1234.555", "G", "1234.555"),
        ("1234.50", "", "1234.5"),
        ("1234.555", "G2", "1.2E+03"),
        ("100", "G3", "100"),
        ("0.0001", "G", "0.0001"),
        ("0.00001", "G", "1E-05"),
        ("-0.5", "G", "-0.5"),
        ("1234.555", "N", "1,234.56"),
        ("1234.555", "n3", "1,234.555"),
        ("-0.004", "N2", "0.00"),
        ("2.5", "N0", "3"),
        ("-2.5", "N0", "-3"),
        ("1.005", "N2", "1.01"),
        ("0.1288", "P", "12.88%"),
        ("-0.1288", "P1", "-12.9%"),
        ("1234.555", "R", "1234.555"),
        ("123", "D5", "00123"),
        ("-123", "D", "-123"),
        ("123", "X", "7B"),
        ("123", "x4", "007b"),
        ("-5", "X", "FFFFFFFB"),
        ("1234.555", "Q", None),
        ("1234.555", "#,##0.00", "1,234.56"),
        ("1234567890123", "#,#", "1,234,567,890,123"),
        ("1234567", "#,##0,", "1,235"),
        ("1234567890", "0,,", "1235"),
        ("-1234.555", "#0.00;(#0.00)", "(1234.56)"),
        ("0", "0.0;-0.0;zero", "zero"),
        ("-0.01", "0.0;(0.0);none", "none"),
        ("-5", "0;;none", "-5"),
        ("5551234567", "(000) 000-0000", "(555) 123-4567"),
        ("12", "0000", "0012"),
        ("0", "#.##", ""),
        ("0.5", ".00", ".50"),
        ("0.5", "#.##", ".5"),
        ("1.5", "0.##'pt'", "1.5pt"),
        ("7", r"\#0", "#7"),
        ("7", '"no. "0', "no. 7"),
        ("0.125", "0.0%", "12.5%"),
        ("0.0125", "0.0‰", "12.5‰"),
        ("12345", "0.00E+00", "1.23E+04"),
        ("0.00012", "0.0e0", "1.2e-4"),
        ("99999", "0.0E+0", "1.0E+5"),
        ("5", "Zz", "Zz"),
        ("5", "E+x", "E+x"),
        ("5", "'open", "open"),
        ("5", "0.0.0", "5.00"),
        ("NaN", "N2", "NaN"),
        ("Infinity", "C", "∞"),
        ("-Infinity", "0", "-∞"),
    ],
)
def test_pattern(number: str, pattern: str, text: str | None) -> None:
    assert format_number(Decimal(number), pattern, ENGLISH) == text


@pytest.mark.parametrize(
    ("culture", "amount", "text"),
    [
        ("en_GB", "1234.555", "£1,234.56"),
        ("en-GB", "-1", "-£1.00"),
        ("de-DE", "-1234.555", "-1.234,56 €"),
        ("de", "1234.555", "1.234,56 €"),
        ("de-AT", "1234.5", "€ 1.234,50"),
        ("de-CH", "1234.555", "CHF 1’234.56"),
        ("fr-FR", "1234.555", "1\u00a0234,56 €"),
        ("ja-JP", "1234.555", "¥1,235"),
        ("pt-BR", "1234.555", "R$ 1.234,56"),
        ("en-IN", "12345678.9", "₹1,23,45,678.90"),
        ("sv-SE", "1234.5", "1\u00a0234,50 kr"),
        ("no", "1", "1,00 kr"),
        ("zz-ZZ", "-1", "(¤1.00)"),
        ("", "1", "$1.00"),
    ],
)
def test_money(culture: str, amount: str, text: str) -> None:
    assert format_currency(Decimal(amount), find_culture(culture).numbers) == text


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "en_US.dat", "x" * 5_000, "de-", "\0", "e", "en/US", "de_DE_x_y_z"]
)
def test_path_traversal_a_culture_is_a_name_and_nothing_else(name: str) -> None:
    assert not find_culture(name).known


def test_every_locale_there_is_has_a_whole_culture() -> None:
    known = [find_culture(name) for name in babel.localedata.locale_identifiers() if name != "root"]
    assert sum(culture.known for culture in known) > 900
    for culture in known:
        assert len(culture.dates.months) == len(culture.dates.of_month) == len(culture.dates.short_months) == 12
        assert len(culture.dates.days) == len(culture.dates.short_days) == 7
        for pattern in (culture.numbers.currency, culture.numbers.negative_currency):
            assert pattern.count("n") == pattern.count("¤") == 1, culture.name


decimals = st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**15), max_value=10**15)


@given(decimals, st.integers(0, 8))
def test_numbers_round_half_away_from_zero_on_their_decimal_text(number: Decimal, places: int) -> None:
    text = format_number(number, f"F{places}", ENGLISH)
    assert Decimal(text or "") == number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


@given(decimals)
def test_grouping_only_adds_commas_and_exponents_keep_the_value(number: Decimal) -> None:
    assert (format_number(number, "N6", ENGLISH) or "").replace(",", "") == format_number(number, "F6", ENGLISH)
    assert format_number(number, "#,##0.000000", ENGLISH) == format_number(number, "N6", ENGLISH)
    assert Decimal(format_number(number, "E30", ENGLISH) or "") == number
    assert Decimal(format_number(number, "G", ENGLISH) or "") == number


@given(st.floats(), st.text(alphabet="0#,.%‰;eE+-'\"\\CDEFGNPRX19x", max_size=12))
def test_any_pattern_gives_a_text_or_none(number: float, pattern: str) -> None:
    text = format_number(Decimal(number), pattern, ENGLISH)
    assert text is None or len(text) < 2_000
