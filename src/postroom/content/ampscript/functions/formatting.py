"""Functions that write numbers and dates by patterns and cultures (ampscript.md §9, §14)."""

from postroom.content.ampscript.cultures import find_culture
from postroom.content.ampscript.faults import ValueFault
from postroom.content.ampscript.formatting_dates import format_date as net_date
from postroom.content.ampscript.formatting_numbers import format_currency as currency_text
from postroom.content.ampscript.formatting_numbers import format_number as number_text
from postroom.content.ampscript.functions.registry import function
from postroom.content.ampscript.run import Run
from postroom.content.ampscript.values import is_null, shown, to_date, to_decimal, to_text, to_whole

_MAX_DECIMALS = 99


@function(
    "Format",
    minimum=2,
    maximum=4,
    params="value, pattern[, type[, culture]]",
    doc="A date or number by an ordinary .NET pattern; a pattern that does not fit gives the value as it is.",
    differences='The type is "Date" or empty; Number fails as it does at the vendor.',
    category="Utility",
)
def format_value(run: Run, value: object, pattern: object, kind: object = "", culture: object = "") -> str:
    wanted = to_text(kind).strip().lower()
    if wanted not in {"", "date"}:
        raise ValueFault(f'the type {shown(kind)} is not known; write "Date" or leave it empty', code="UnknownType")
    style = find_culture(to_text(culture))
    text = to_text(pattern)
    formatted: str | None = None
    if not wanted and (number := to_decimal(value)) is not None:
        formatted = number_text(number, text, style.numbers)
    elif (moment := to_date(value)) is not None:
        formatted = net_date(moment, text, style.dates)
    return to_text(value) if formatted is None else formatted


@function(
    "FormatNumber",
    minimum=2,
    maximum=3,
    params="n, pattern[, culture]",
    doc="A number by a .NET pattern, rounded half away from zero; what is not a number gives an empty text.",
    differences="Culture data is that of CLDR, with Windows' blanks and signs.",
    category="Utility",
)
def format_number(run: Run, n: object, pattern: object, culture: object = "") -> str:
    number = to_decimal(n, grouped=True)
    if number is None:
        return ""
    text = to_text(pattern)
    found = find_culture(to_text(culture))
    style = found.numbers if found.known else find_culture("").numbers
    formatted = number_text(number, text, style)
    return text if formatted is None else formatted


@function(
    "FormatCurrency",
    minimum=2,
    maximum=4,
    params="n, culture[, decimals[, symbol]]",
    doc="An amount of money as the culture writes it; an unknown culture writes ¤.",
    differences="Culture data is that of CLDR, with Windows' blanks and signs.",
    category="Utility",
)
def format_currency(run: Run, n: object, culture: object, decimals: object = None, symbol: object = None) -> str:
    number = to_decimal(n, grouped=True)
    if number is None:
        return ""
    places: int | None = None
    if not is_null(decimals) and decimals != "":
        places = to_whole(decimals, "the number of decimals")
        if not 0 <= places <= _MAX_DECIMALS:
            raise ValueFault(f"{places} decimals; write 0 to {_MAX_DECIMALS}", code="BadPrecision")
    sign = None if is_null(symbol) else to_text(symbol)
    return currency_text(number, find_culture(to_text(culture)).numbers, places, sign)
