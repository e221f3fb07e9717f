"""Reading dates as a server in the United States reads them: month first, system time UTC-06:00 all year (§9).

Read are ISO 8601, ``M/d/yyyy``, RFC 1123 and the long forms with month names, each with or without a time, each
time with or without AM/PM, fraction and zone. A text with a zone is turned into system time; one without is
system time already. Not read: ordinals (4th), bare numbers, a time without a date.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Final

SYSTEM_OFFSET: Final = timedelta(hours=-6)
SYSTEM_ZONE: Final = timezone(SYSTEM_OFFSET)

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_LATEST_SHORT_YEAR = 29  # two digits up to it are 20xx (.NET Framework, Gregorian en-US)


def _by_name(names: tuple[str, ...], first: int) -> Mapping[str, int]:
    found = {name.lower(): number for number, name in enumerate(names, first)}
    found.update({name[:3].lower(): number for number, name in enumerate(names, first)})
    return MappingProxyType(found)


_MONTH_NUMBERS = _by_name(MONTHS, 1)
_DAY_NUMBERS = _by_name(DAYS, 0)

_NAME = "|".join(sorted(_MONTH_NUMBERS, key=len, reverse=True))
_DAY = "|".join(sorted(_DAY_NUMBERS, key=len, reverse=True))
_TIME = (
    r"(?:(?:[T ]\s*|,\s*)"
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:\.(?P<fraction>\d{1,9}))?)?)?"
    r"\s*(?P<half>[AP]M)?\s*(?P<zone>Z|GMT|UTC|[+-]\d{1,2}(?::?\d{2})?)?)?"
)
_DATES = (
    r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})",
    r"(?P<month>\d{1,2})(?P<mark>[-/.])(?P<day>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})",
    rf"(?P<name>{_NAME})\.?[ -]\s*(?P<day>\d{{1,2}})(?:\s*,\s*|[ -]\s*)(?P<year>\d{{4}}|\d{{2}}(?!:))",
    rf"(?P<day>\d{{1,2}})[ -]?\s*(?P<name>{_NAME})\.?(?:\s*,\s*|[ -]\s*)(?P<year>\d{{4}}|\d{{2}}(?!:))",
    rf"(?P<name>{_NAME})\s*,?\s*(?P<year>\d{{4}})",
    rf"(?P<year>\d{{4}})[ -](?P<name>{_NAME})[ -](?P<day>\d{{1,2}})",
)
_FORMS = tuple(
    re.compile(rf"\s*(?:(?P<weekday>{_DAY})\s*,?\s+)?{date}{_TIME}\s*", re.IGNORECASE | re.ASCII) for date in _DATES
)
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?)?", re.ASCII)  # what most texts are, read faster
_MAX_LENGTH = 80


def parse_date(text: str) -> datetime | None:
    """The naive system time that ``text`` says, None when it says none."""
    if len(text) > _MAX_LENGTH:
        return None
    if _ISO.fullmatch(text) is not None:
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return None
    for form in _FORMS:
        match = form.fullmatch(text)
        if match is not None:
            return _read(match.groupdict())
    return None


def _read(found: Mapping[str, str | None]) -> datetime | None:
    name = found.get("name")
    month = _MONTH_NUMBERS[name.lower()] if name else int(found["month"] or 0)
    year = int(found["year"] or 0)
    if len(found["year"] or "") == 2:
        year += 2000 if year <= _LATEST_SHORT_YEAR else 1900
    hour = int(found["hour"] or 0)
    half = (found["half"] or "").upper()
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "PM" else 0)
    elif found["hour"] and not found["minute"]:
        return None  # a lone number after a date is no time
    try:
        fraction = int((found["fraction"] or "0")[:6].ljust(6, "0"))
        minute, second = int(found["minute"] or 0), int(found["second"] or 0)
        moment = datetime(year, month, int(found.get("day") or 1), hour, minute, second, fraction)  # noqa: DTZ001
        weekday = found["weekday"]
        if weekday and moment.weekday() != _DAY_NUMBERS[weekday.lower()]:
            return None
        zone = found["zone"]
        return moment if zone is None else moment - _offset(zone) + SYSTEM_OFFSET
    except (ValueError, OverflowError):
        return None


def _offset(zone: str) -> timedelta:
    if zone[0] not in "+-":
        return timedelta(0)
    digits = zone[1:].replace(":", "")
    hours, minutes = (int(digits), 0) if len(digits) <= 2 else (int(digits[:-2]), int(digits[-2:]))
    if hours > 14 or minutes > 59:
        raise ValueError(zone)
    offset = timedelta(hours=hours, minutes=minutes)
    return offset if zone[0] == "+" else -offset
