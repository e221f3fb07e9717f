"""Dates as text (§9): .NET's patterns for Format, and the vendor's own dialect of them for FormatDate.

pattern        Format (.NET)       FormatDate, date pattern        FormatDate, time pattern
mm             minute              month                           minute
MM             month               month                           minute
ddd            Wed                 the full name, read as pattern  as date pattern
dddd           Wednesday           Wed                             as date pattern
ddddd          Wednesday           Wednesday                       as date pattern
a lone letter  standard format     standard format                 standard format; h and H are errors
"""

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Final

from .cultures import DateStyle
from .dates import SYSTEM_OFFSET
from .faults import ValueFault

_NET_LETTERS: Final = frozenset("dfFghHKmMstyz")
_VENDOR_LETTERS: Final = _NET_LETTERS | frozenset("DSTY")
_MAX_PATTERN: Final = 1_000
_SHORT: Final = 64
_ENGLISH_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ENGLISH_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_OFFSET_HOURS: Final = int(SYSTEM_OFFSET.total_seconds() // 3600)

_DATE_WORDS: Final = {"short": "d", "s": "d", "long": "D", "l": "D"}
_TIME_WORDS: Final = {"short": "t", "s": "t", "long": "T", "l": "T"}
_WORDS: Final = {"sortable": "s", "iso": "o", "rfc": "r"}


def format_date(moment: datetime, pattern: str, style: DateStyle) -> str | None:
    """``moment`` by a .NET pattern; None when .NET knows no such pattern."""
    if len(pattern) > _MAX_PATTERN:
        return None
    if len(pattern) <= 1:
        return standard_date(moment, pattern or "G", style)
    return _written(moment, pattern, style)


def standard_date(moment: datetime, letter: str, style: DateStyle, *, offset: bool = False) -> str | None:
    """One of .NET's single-letter formats, None for a letter that is none; ``offset`` ends ``o`` in the zone."""
    if letter in {"o", "O"}:
        zone = f"{_OFFSET_HOURS:+03d}:00" if offset else ""
        return f"{_sortable(moment)}.{moment.microsecond:06d}0{zone}"
    if letter in {"r", "R"}:
        day, month = _ENGLISH_DAYS[moment.weekday()], _ENGLISH_MONTHS[moment.month - 1]
        return f"{day}, {moment.day:02d} {month} {moment.year:04d} {moment:%H:%M:%S} GMT"
    if letter == "s":
        return _sortable(moment)
    if letter == "u":
        return f"{_sortable(moment).replace('T', ' ')}Z"
    if letter == "U":
        try:
            moment = moment - SYSTEM_OFFSET
        except OverflowError:
            return None
    pattern = {
        "d": style.short_date,
        "D": style.long_date,
        "f": f"{style.long_date} {style.short_time}",
        "F": f"{style.long_date} {style.long_time}",
        "U": f"{style.long_date} {style.long_time}",
        "g": f"{style.short_date} {style.short_time}",
        "G": f"{style.short_date} {style.long_time}",
        "m": style.month_day,
        "M": style.month_day,
        "t": style.short_time,
        "T": style.long_time,
        "y": style.year_month,
        "Y": style.year_month,
    }.get(letter)
    return None if pattern is None else _written(moment, pattern, style)


def _sortable(moment: datetime) -> str:
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}"


def vendor_date(
    moment: datetime, date_pattern: str, time_pattern: str, style: DateStyle, *, offset: bool = False
) -> str:
    """``moment`` as FormatDate writes it; without any pattern the short date and the long time.

    Raises ValueFault for a lone ``h`` or ``H``, which no system reads.
    """
    if len(date_pattern) + len(time_pattern) > _MAX_PATTERN:
        raise ValueFault(f"the pattern is longer than {_MAX_PATTERN:,} characters")
    if len(date_pattern) + len(time_pattern) <= _SHORT:
        return _remembered_date(moment, date_pattern, time_pattern, style, offset)
    return _vendor_date(moment, date_pattern, time_pattern, style, offset)


def _vendor_date(moment: datetime, date_pattern: str, time_pattern: str, style: DateStyle, offset: bool) -> str:
    if not date_pattern and not time_pattern:
        return standard_date(moment, "G", style) or ""
    parts = [
        _half(moment, pattern, style, offset=offset, clock=clock)
        for pattern, clock in ((date_pattern, False), (time_pattern, True))
        if pattern
    ]
    return " ".join(parts)


# The parts of one mail mostly write the same date, and so do the mails of one day.
_remembered_date = lru_cache(maxsize=512)(_vendor_date)


def _half(moment: datetime, pattern: str, style: DateStyle, *, offset: bool, clock: bool) -> str:
    word = pattern.strip().lower()
    letter = (_TIME_WORDS if clock else _DATE_WORDS).get(word) or _WORDS.get(word)
    if letter is None and len(pattern) == 1:
        if pattern in "hH":
            example = "%h" if pattern == "h" else "%H"
            raise ValueFault(f"{pattern} alone is no format; write {example}", code="BadPattern")
        letter = "d" if pattern == "D" else pattern
    if letter is not None:
        return standard_date(moment, letter, style, offset=offset) or pattern
    return _vendor_written(moment, pattern, style, clock=clock)


def _vendor_written(moment: datetime, pattern: str, style: DateStyle, *, clock: bool) -> str:
    written: list[str] = []
    day_number = not clock and "d" in pattern.lower()
    for letter, run, literal in _read(pattern, fold=True):
        if literal is not None:
            written.append(_mark(letter, literal, style))
        elif letter == "d" and run == 3:
            # the name is put into the pattern before it is read
            written.append(_written(moment, _as_net(style.days[moment.weekday()]), style))
        elif letter == "d" and run > 3:
            written.append(style.short_days[moment.weekday()] if run == 4 else style.days[moment.weekday()])
        else:
            month_or_minute = "m" if clock else "M"
            found = month_or_minute if letter in "mM" else letter
            written.append(_field(moment, found, run, style, beside_day=day_number))
    return "".join(written)


def _as_net(name: str) -> str:
    """A day's name as the pattern .NET takes it for: every letter that means something, in the case that does."""
    return "".join([_net_letter(letter) for letter in name])


def _net_letter(letter: str) -> str:
    return letter if letter in _NET_LETTERS else letter.lower() if letter in "DTYS" else letter


def _written(moment: datetime, pattern: str, style: DateStyle) -> str:
    runs = _read(pattern, fold=False)
    day_number = any(letter == "d" and 0 < run <= 2 for letter, run, _ in runs)
    return "".join(
        [
            _field(moment, letter, run, style, beside_day=day_number)
            if literal is None
            else _mark(letter, literal, style)
            for letter, run, literal in runs
        ]
    )


_Run = tuple[str, int, str | None]


def _read(pattern: str, *, fold: bool) -> tuple[_Run, ...]:
    """A pattern as runs of one letter and their length, or literals (with their letter where they were not quoted);
    ``fold``: D, S, T and Y are small letters."""
    return _remembered(pattern, fold) if len(pattern) <= _SHORT else tuple(_runs(pattern, fold=fold))


@lru_cache(maxsize=256)
def _remembered(pattern: str, fold: bool) -> tuple[_Run, ...]:
    return tuple(_runs(pattern, fold=fold))


def _mark(letter: str, literal: str, style: DateStyle) -> str:
    """A literal; unquoted, a slash and a colon are the culture's marks."""
    return style.date_mark if letter == "/" else style.time_mark if letter == ":" else literal


def _runs(pattern: str, *, fold: bool) -> Iterator[_Run]:
    at = 0
    known = _VENDOR_LETTERS if fold else _NET_LETTERS
    while at < len(pattern):
        letter = pattern[at]
        if letter == "\\" and at + 1 < len(pattern):
            yield "", 0, pattern[at + 1]
            at += 2
        elif letter in "'\"":
            end = pattern.find(letter, at + 1)
            end = len(pattern) if end < 0 else end
            yield "", 0, pattern[at + 1 : end]
            at = end + 1
        elif letter == "%":
            at += 1
        elif letter in known:
            same = {letter, letter.lower(), letter.upper()} if fold and letter not in "hH" else {letter}
            end = at
            while end < len(pattern) and pattern[end] in same:
                end += 1
            yield (letter.lower() if fold and letter in "DSTY" else letter), end - at, None
            at = end
        else:
            yield letter, 0, letter
            at += 1


def _field(moment: datetime, letter: str, run: int, style: DateStyle, *, beside_day: bool) -> str:
    """What a run of ``letter`` stands for in .NET."""
    if letter == "d":
        if run >= 3:
            return (style.short_days if run == 3 else style.days)[moment.weekday()]
        return f"{moment.day:0{run}d}"
    if letter == "M":
        if run >= 4:
            return (style.of_month if beside_day else style.months)[moment.month - 1]
        return style.short_months[moment.month - 1] if run == 3 else f"{moment.month:0{run}d}"
    if letter == "y":
        return f"{moment.year % 100:0{run}d}" if run <= 2 else f"{moment.year:0{run}d}"
    if letter == "h":
        return f"{moment.hour % 12 or 12:0{min(run, 2)}d}"
    if letter == "H":
        return f"{moment.hour:0{min(run, 2)}d}"
    if letter == "m":
        return f"{moment.minute:0{min(run, 2)}d}"
    if letter == "s":
        return f"{moment.second:0{min(run, 2)}d}"
    if letter == "t":
        half = style.morning if moment.hour < 12 else style.afternoon
        return half[:1] if run == 1 else half
    if letter == "f":
        return f"{moment.microsecond:06d}0"[: min(run, 7)]
    if letter == "F":
        return f"{moment.microsecond:06d}0"[: min(run, 7)].rstrip("0")
    if letter == "z":
        return f"{_OFFSET_HOURS:+03d}:00" if run >= 3 else f"{_OFFSET_HOURS:+0{run + 1}d}"
    # K is the zone of a date that knows its own, which the vendor's dates do not
    return "A.D." if letter == "g" else ""
