"""Functions on dates (ampscript.md §14, Date): system time is UTC-06:00 all year; texts are read by ``dates``."""

import calendar
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from postroom.content.ampscript.cultures import find_culture
from postroom.content.ampscript.dates import MONTHS, SYSTEM_OFFSET, SYSTEM_ZONE
from postroom.content.ampscript.faults import ValueFault
from postroom.content.ampscript.formatting_dates import vendor_date
from postroom.content.ampscript.functions.registry import function
from postroom.content.ampscript.run import Run
from postroom.content.ampscript.values import DateTime, shown, to_date, to_flag, to_text, to_whole

_UNITS = "Y, M, D, H or MI"


def _date(value: object) -> datetime:
    moment = to_date(value)
    if moment is None:
        raise ValueFault(f"{shown(value)} is not a date; write it as 2026-03-04 13:52 or 3/4/2026", code="NotADate")
    return moment


def _system(instant: datetime) -> DateTime:
    return DateTime(instant.astimezone(SYSTEM_ZONE).replace(tzinfo=None))


@function(
    "Now",
    maximum=1,
    params="[useSendTime]",
    doc="The time now, UTC-06:00 all year, the same throughout one message; with a flag the time the send started.",
    kind="Date",
    category="Date",
)
def now(run: Run, use_send_time: object = False) -> DateTime:
    wanted = to_text(use_send_time).strip().lower()
    return _system(run.send_time if wanted in {"1", "true"} else run.now)


@function(
    "GetSendTime",
    maximum=1,
    params="[forAll]",
    doc="When the send started.",
    differences="The time the message was accepted, for both values of the flag.",
    kind="Date",
    category="Date",
)
def get_send_time(run: Run, for_all: object = False) -> DateTime:
    return _system(run.send_time)


@function(
    "FormatDate",
    minimum=1,
    maximum=4,
    params="date[, datePattern[, timePattern[, culture]]]",
    doc="A date as text by the vendor's patterns; minutes exist in the time pattern only. No date gives an empty text.",
    differences="Month and day names are those of CLDR. Whether o ends in the offset: setting "
    "`template_offset_in_round_trip`.",
    category="Date",
)
def format_date(
    run: Run, date: object, date_pattern: object = "", time_pattern: object = "", culture: object = ""
) -> str:
    moment = to_date(date)
    if moment is None:
        return ""
    style = find_culture(to_text(culture)).dates
    offset = run.dialect.offset_in_round_trip
    return vendor_date(moment, to_text(date_pattern), to_text(time_pattern), style, offset=offset)


@function(
    "DateAdd",
    minimum=3,
    maximum=3,
    params="date, n, unit",
    doc="The date n units later (earlier when negative); unit is Y, M, D, H or MI; a month ends where it ends.",
    kind="Date",
    category="Date",
)
def date_add(run: Run, date: object, n: object, unit: object) -> DateTime:
    moment = _date(date)
    count = to_whole(n, "the number")
    kind = to_text(unit).strip().upper()
    try:
        if kind == "Y":
            return DateTime(_months_later(moment, 12 * count))
        if kind == "M":
            return DateTime(_months_later(moment, count))
        if kind == "D":
            return DateTime(moment + timedelta(days=count))
        if kind == "H":
            return DateTime(moment + timedelta(hours=count))
        if kind == "MI":
            return DateTime(moment + timedelta(minutes=count))
    except (OverflowError, ValueError):
        raise ValueFault(
            f"{count} {kind} from {moment} is outside the years 1 to 9999", code="DateOutOfRange"
        ) from None
    raise ValueFault(f"{shown(unit)} is no unit; write {_UNITS}", code="UnknownUnit")


def _months_later(moment: datetime, count: int) -> datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 + count, 12)
    if not 1 <= year <= 9999:
        raise OverflowError
    last = calendar.monthrange(year, month + 1)[1]
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last))


@function(
    "DateDiff",
    minimum=3,
    maximum=3,
    params="from, to, unit",
    doc="How many borders of a unit (Y, M, D, H, MI) lie between two dates; negative when to is before from.",
    kind="Number",
    category="Date",
)
def date_diff(run: Run, start: object, end: object, unit: object) -> int:
    one, other = _date(start), _date(end)
    kind = to_text(unit).strip().upper()
    if kind == "Y":
        return other.year - one.year
    if kind == "M":
        return (other.year - one.year) * 12 + other.month - one.month
    days = other.toordinal() - one.toordinal()
    if kind == "D":
        return days
    hours = days * 24 + other.hour - one.hour
    if kind == "H":
        return hours
    if kind == "MI":
        return hours * 60 + other.minute - one.minute
    raise ValueFault(f"{shown(unit)} is no unit; write {_UNITS}", code="UnknownUnit")


@function(
    "DatePart",
    minimum=2,
    maximum=2,
    params="date, part",
    doc="One part of a date as text: year, month and day (two digits), hour (of twelve), minute, monthName.",
    differences="Whether hours count to 24 is contested; setting `template_hour_24`.",
    category="Date",
)
def date_part(run: Run, date: object, part: object) -> str:
    moment = _date(date)
    wanted = to_text(part).strip().lower()
    if wanted in {"y", "year"}:
        return str(moment.year)
    if wanted in {"m", "month"}:
        return f"{moment.month:02d}"
    if wanted in {"d", "day"}:
        return f"{moment.day:02d}"
    if wanted in {"h", "hour"}:
        return str(moment.hour if run.dialect.hour_24 else moment.hour % 12 or 12)
    if wanted in {"mi", "minute"}:
        return str(moment.minute)
    if wanted == "monthname":
        return MONTHS[moment.month - 1]
    raise ValueFault(
        f"{shown(part)} is no part of a date; write year, month, day, hour, minute or monthName", code="UnknownUnit"
    )


def _parsed(value: object) -> datetime:
    return value.moment if isinstance(value, DateTime) else _date(value)


@function(
    "DateParse",
    minimum=1,
    maximum=2,
    params="text[, utc]",
    doc="The date a text says: ISO 8601, month first, RFC 1123, long forms; zones are honoured; utc gives UTC.",
    kind="Date",
    category="Date",
)
def date_parse(run: Run, text: object, utc: object = False) -> DateTime:
    moment = _parsed(text)
    if not to_flag(utc):
        return DateTime(moment)
    try:
        return DateTime(moment - SYSTEM_OFFSET)
    except OverflowError:
        raise ValueFault(f"{shown(text)} is outside the years 1 to 9999 in UTC", code="DateOutOfRange") from None


@function(
    "StringToDate",
    minimum=1,
    maximum=1,
    params="text",
    doc="The date a text says, as DateParse.",
    kind="Date",
    category="Date",
)
def string_to_date(run: Run, text: object) -> DateTime:
    return DateTime(_parsed(text))


def _zone(run: Run) -> ZoneInfo:
    name = run.account.time_zone
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueFault(
            f"the account's time zone {name!r} is not known; set an IANA name", code="BadTimeZone"
        ) from None


@function(
    "SystemDateToLocalDate",
    minimum=1,
    maximum=1,
    params="date",
    doc="A system time (UTC-06:00) in the account's time zone, with its daylight saving.",
    kind="Date",
    category="Date",
)
def system_date_to_local_date(run: Run, date: object) -> DateTime:
    zone = _zone(run)
    try:
        return DateTime(_date(date).replace(tzinfo=SYSTEM_ZONE).astimezone(zone).replace(tzinfo=None))
    except OverflowError:
        raise ValueFault(f"{shown(date)} is outside the years 1 to 9999", code="DateOutOfRange") from None


@function(
    "LocalDateToSystemDate",
    minimum=1,
    maximum=1,
    params="date",
    doc="A time in the account's time zone as system time (UTC-06:00).",
    differences="A time the change to summer time skips is read with the offset before the change.",
    kind="Date",
    category="Date",
)
def local_date_to_system_date(run: Run, date: object) -> DateTime:
    zone = _zone(run)
    try:
        return DateTime(_date(date).replace(tzinfo=zone).astimezone(SYSTEM_ZONE).replace(tzinfo=None))
    except OverflowError:
        raise ValueFault(f"{shown(date)} is outside the years 1 to 9999", code="DateOutOfRange") from None
