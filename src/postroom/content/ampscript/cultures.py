"""How cultures write numbers and dates, as the vendor's servers (Windows, .NET Framework) do.

Names, separators and currencies come from CLDR through Babel, never from the host's locale. Where Windows writes
otherwise, this file says so: U+00A0 where CLDR has a narrow blank between groups, a plain blank before signs, ``-``
for minus, ``($1.00)`` for a negative amount of US dollars, and the date patterns of the table below.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from types import MappingProxyType

from babel import Locale, UnknownLocaleError, localedata
from babel.core import get_global
from babel.numbers import get_currency_precision, get_currency_symbol, get_territory_currencies

_NAME = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,2}")
_CURRENCIES_OF = date(2026, 1, 1)  # which currency a country pays with is fixed here, not by the clock of the host
_LONGEST = 40
_MEMORY = 128  # cultures kept ready; hostile templates cannot fill more


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """``groups`` are sizes from the decimal separator outwards, the last repeated. Each pattern holds an ``n`` for the
    number and, in currency patterns, ``¤`` for the symbol."""

    decimal: str
    group: str
    groups: tuple[int, ...]
    symbol: str
    currency_decimals: int
    currency: str
    negative_currency: str
    percent: str
    negative_percent: str


@dataclass(frozen=True, slots=True, eq=False)
class DateStyle:
    """Names from January and from Monday; patterns in .NET's letters. ``of_month`` are the names beside a day number
    (genitive in Slavic languages)."""

    months: tuple[str, ...]
    of_month: tuple[str, ...]
    short_months: tuple[str, ...]
    days: tuple[str, ...]
    short_days: tuple[str, ...]
    morning: str
    afternoon: str
    date_mark: str
    time_mark: str
    short_date: str
    long_date: str
    short_time: str
    long_time: str
    month_day: str
    year_month: str


@dataclass(frozen=True, slots=True)
class Culture:
    """One culture; ``known`` is false for the stand-in of a name nobody knows, which writes like en-US with ¤."""

    name: str
    known: bool
    numbers: NumberStyle
    dates: DateStyle


_Patterns = tuple[str, str, str, str, str, str, str]
# short date, long date, short time, long time, month and day, year and month, date separator
_WINDOWS: Mapping[str, _Patterns] = MappingProxyType(
    {
        "en_US": ("M/d/yyyy", "dddd, MMMM d, yyyy", "h:mm tt", "h:mm:ss tt", "MMMM d", "MMMM yyyy", "/"),
        "en_GB": ("dd/MM/yyyy", "dd MMMM yyyy", "HH:mm", "HH:mm:ss", "d MMMM", "MMMM yyyy", "/"),
        "en_AU": ("d/MM/yyyy", "dddd, d MMMM yyyy", "h:mm tt", "h:mm:ss tt", "d MMMM", "MMMM yyyy", "/"),
        "en_CA": ("yyyy-MM-dd", "MMMM d, yyyy", "h:mm tt", "h:mm:ss tt", "MMMM d", "MMMM yyyy", "-"),
        "en_IE": ("dd/MM/yyyy", "dddd d MMMM yyyy", "HH:mm", "HH:mm:ss", "d MMMM", "MMMM yyyy", "/"),
        "en_IN": ("dd-MM-yyyy", "dd MMMM yyyy", "HH:mm", "HH:mm:ss", "d MMMM", "MMMM yyyy", "-"),
        "en_NZ": ("d/MM/yyyy", "dddd, d MMMM yyyy", "h:mm tt", "h:mm:ss tt", "d MMMM", "MMMM yyyy", "/"),
        "de_DE": ("dd.MM.yyyy", "dddd, d. MMMM yyyy", "HH:mm", "HH:mm:ss", "d. MMMM", "MMMM yyyy", "."),
        "de_AT": ("dd.MM.yyyy", "dddd, d. MMMM yyyy", "HH:mm", "HH:mm:ss", "d. MMMM", "MMMM yyyy", "."),
        "de_CH": ("dd.MM.yyyy", "dddd, d. MMMM yyyy", "HH:mm", "HH:mm:ss", "d. MMMM", "MMMM yyyy", "."),
        "fr_FR": ("dd/MM/yyyy", "dddd d MMMM yyyy", "HH:mm", "HH:mm:ss", "d MMMM", "MMMM yyyy", "/"),
        "fr_CA": ("yyyy-MM-dd", "d MMMM yyyy", "HH:mm", "HH:mm:ss", "d MMMM", "MMMM, yyyy", "-"),
        "fr_CH": ("dd.MM.yyyy", "dddd, d MMMM yyyy", "HH:mm", "HH:mm:ss", "d MMMM", "MMMM yyyy", "."),
        "es_ES": (
            "dd/MM/yyyy", "dddd, d' de 'MMMM' de 'yyyy", "H:mm", "H:mm:ss", "d' de 'MMMM", "MMMM' de 'yyyy", "/",
        ),
        "es_MX": (
            "dd/MM/yyyy", "dddd, d' de 'MMMM' de 'yyyy", "hh:mm tt", "hh:mm:ss tt",
            "d' de 'MMMM", "MMMM' de 'yyyy", "/",
        ),
        "it_IT": ("dd/MM/yyyy", "dddd d MMMM yyyy", "HH:mm", "HH:mm:ss", "d MMMM", "MMMM yyyy", "/"),
        "pt_BR": (
            "dd/MM/yyyy", "dddd, d' de 'MMMM' de 'yyyy", "HH:mm", "HH:mm:ss", "d' de 'MMMM", "MMMM' de 'yyyy", "/",
        ),
        "pt_PT": (
            "dd/MM/yyyy", "d' de 'MMMM' de 'yyyy", "HH:mm", "HH:mm:ss", "d' de 'MMMM", "MMMM' de 'yyyy", "/",
        ),
        "nl_NL": ("d-M-yyyy", "dddd d MMMM yyyy", "HH:mm", "HH:mm:ss", "d MMMM", "MMMM yyyy", "-"),
        "nl_BE": ("d/MM/yyyy", "dddd d MMMM yyyy", "H:mm", "H:mm:ss", "d MMMM", "MMMM yyyy", "/"),
        "sv_SE": ("yyyy-MM-dd", "'den 'd MMMM yyyy", "HH:mm", "HH:mm:ss", "'den 'd MMMM", "MMMM yyyy", "-"),
        "da_DK": ("dd-MM-yyyy", "d. MMMM yyyy", "HH:mm", "HH:mm:ss", "d. MMMM", "MMMM yyyy", "-"),
        "nb_NO": ("dd.MM.yyyy", "dddd d. MMMM yyyy", "HH:mm", "HH:mm:ss", "d. MMMM", "MMMM yyyy", "."),
        "fi_FI": ("d.M.yyyy", "dddd d. MMMM yyyy", "H.mm", "H.mm.ss", "d. MMMM", "MMMM yyyy", "."),
        "pl_PL": ("dd.MM.yyyy", "dddd, d MMMM yyyy", "HH:mm", "HH:mm:ss", "d MMMM", "MMMM yyyy", "."),
        "cs_CZ": ("dd.MM.yyyy", "dddd d. MMMM yyyy", "H:mm", "H:mm:ss", "d. MMMM", "MMMM yyyy", "."),
        "hu_HU": ("yyyy. MM. dd.", "yyyy. MMMM d., dddd", "H:mm", "H:mm:ss", "MMMM d.", "yyyy. MMMM", ". "),
        "ru_RU": ("dd.MM.yyyy", "d MMMM yyyy 'г.'", "H:mm", "H:mm:ss", "d MMMM", "MMMM yyyy", "."),
        "tr_TR": ("d.MM.yyyy", "d MMMM yyyy dddd", "HH:mm", "HH:mm:ss", "d MMMM", "MMMM yyyy", "."),
        "ja_JP": ("yyyy/MM/dd", "yyyy'年'M'月'd'日'", "H:mm", "H:mm:ss", "M'月'd'日'", "yyyy'年'M'月'", "/"),
        "zh_CN": ("yyyy/M/d", "yyyy'年'M'月'd'日'", "H:mm", "H:mm:ss", "M'月'd'日'", "yyyy'年'M'月'", "/"),
        "ko_KR": (
            "yyyy-MM-dd", "yyyy'년' M'월' d'일' dddd", "tt h:mm", "tt h:mm:ss", "M'월' d'일'", "yyyy'년' M'월'", "-",
        ),
    }
)  # fmt: skip


_RENAMED: Mapping[str, str] = MappingProxyType({"no": "nb_no", "no_no": "nb_no", "iw_il": "he_il"})


def find_culture(name: str) -> Culture:
    """The culture called ``name`` (``de-DE``, ``de_DE``, ``de``; "" is en-US), or en-US with ¤ and ``known`` false."""
    return _named(name) if len(name) <= _LONGEST else _unknown()


@lru_cache(maxsize=_MEMORY)
def _named(name: str) -> Culture:
    wanted = name.strip()
    if not wanted:
        return _culture("en_US")
    if _NAME.fullmatch(wanted) is None:
        return _unknown()
    wanted = wanted.replace("-", "_").lower()
    return _culture(_RENAMED.get(wanted, wanted))


@lru_cache(maxsize=_MEMORY)
def _culture(name: str) -> Culture:
    try:
        locale = Locale.parse(name)
        if locale.territory is None:
            # the culture .NET takes for a language alone
            full = Locale.parse(f"{locale.language}_{_home(locale)}")
            locale = full if locale.script is None else locale
    except (UnknownLocaleError, ValueError):
        return _unknown()
    culture = Culture(str(locale), True, _number_style(locale), _date_style(locale))
    # Babel keeps every locale it ever read, 190 MB for a template that asks for all of them
    with localedata._cache_lock:
        localedata._cache.clear()
    return culture


def _home(locale: Locale) -> str:
    likely: str = get_global("likely_subtags").get(locale.language, "en_Latn_US")
    return likely.rpartition("_")[2]


@lru_cache(maxsize=1)
def _unknown() -> Culture:
    english = _culture("en_US")
    numbers = english.numbers
    neutral = NumberStyle(
        numbers.decimal, numbers.group, numbers.groups, "¤", 2,
        numbers.currency, numbers.negative_currency, numbers.percent, numbers.negative_percent,
    )  # fmt: skip
    return Culture("", False, neutral, english.dates)


def _number_style(locale: Locale) -> NumberStyle:
    symbols = locale.number_symbols["latn"]
    grouping = locale.decimal_formats[None].grouping
    groups = (grouping[0], grouping[1]) if grouping[0] != grouping[1] else (grouping[0],)
    standard = locale.currency_formats["standard"]
    percent = locale.percent_formats[None]
    paid = get_territory_currencies(locale.territory or "US", start_date=_CURRENCIES_OF)
    money: str = str(paid[0]) if paid else "XXX"
    negative = _around(standard.prefix[1], standard.suffix[1])
    return NumberStyle(
        decimal=symbols["decimal"],
        group=symbols["group"].replace("\u202f", "\xa0"),
        groups=groups,
        symbol=get_currency_symbol(money, locale).replace("￥", "¥").translate(_INVISIBLE),
        currency_decimals=get_currency_precision(money),
        currency=_around(standard.prefix[0], standard.suffix[0]),
        negative_currency="(¤n)" if str(locale) == "en_US" else negative,
        percent=_around(percent.prefix[0], percent.suffix[0]),
        negative_percent=_around(percent.prefix[1], percent.suffix[1]),
    )


_INVISIBLE = str.maketrans({"\xa0": " ", "\u202f": " ", "\u200e": None, "\u200f": None, "\u061c": None, "−": "-"})


def _around(prefix: str, suffix: str) -> str:
    return f"{prefix}n{suffix}".translate(_INVISIBLE)


def _date_style(locale: Locale) -> DateStyle:
    months, days, periods = locale.months, locale.days, locale.day_periods
    alone, beside = months["stand-alone"], months["format"]
    halves = periods["format"]["abbreviated"] if locale.language != "en" else {"am": "AM", "pm": "PM"}
    patterns = _WINDOWS.get(f"{locale.language}_{locale.territory}") or _cldr_patterns(locale)
    short_date, long_date, short_time, long_time, month_day, year_month, mark = patterns
    return DateStyle(
        months=_in_order(alone["wide"], 1, 12),
        of_month=_in_order(beside["wide"], 1, 12),
        short_months=_in_order(alone["abbreviated"], 1, 12),
        days=_in_order(days["format"]["wide"], 0, 7),
        short_days=_in_order(days["stand-alone"]["abbreviated"], 0, 7),
        morning=halves["am"],
        afternoon=halves["pm"],
        date_mark=mark,
        time_mark=":" if ":" in short_time else ".",
        short_date=short_date,
        long_date=long_date,
        short_time=short_time,
        long_time=long_time,
        month_day=month_day,
        year_month=year_month,
    )


def _in_order(names: Mapping[int, str], first: int, count: int) -> tuple[str, ...]:
    return tuple(names[number] for number in range(first, first + count))


def _cldr_patterns(locale: Locale) -> _Patterns:
    short = _net_pattern(locale.date_formats["short"].pattern)
    if "yyyy" not in short:
        short = short.replace("yy", "yyyy")
    mark = next((letter for letter in short if letter in "/.-"), "/")
    return (
        short,
        _net_pattern(locale.date_formats["full"].pattern),
        _net_pattern(locale.time_formats["short"].pattern),
        _net_pattern(locale.time_formats["medium"].pattern),
        _net_pattern(locale.datetime_skeletons["MMMMd"].pattern) if "MMMMd" in locale.datetime_skeletons else "MMMM d",
        _net_pattern(locale.datetime_skeletons["yMMMM"].pattern)
        if "yMMMM" in locale.datetime_skeletons
        else "MMMM yyyy",
        mark,
    )


_LETTERS = re.compile(r"'[^']*'|([A-Za-z])\1*")


def _net_pattern(pattern: str) -> str:
    """A CLDR date pattern in .NET's letters (Unicode TR 35 §8)."""

    def replaced(match: re.Match[str]) -> str:
        run = match.group()
        letter = match.group(1)
        if letter in {"E", "c"}:
            return "dddd" if len(run) == 4 else "ddd"
        if letter == "y":
            return "yy" if len(run) == 2 else "yyyy"
        if letter == "L":
            return "M" * len(run)
        if letter in {"a", "b", "B"}:
            return "tt"
        if letter == "k":
            return "H" * len(run)
        if letter == "K":
            return "h" * len(run)
        return "" if letter == "G" else run

    return _LETTERS.sub(replaced, pattern).translate(_INVISIBLE).strip()
