"""The columns of a data extension: their types, the one text each value is kept as, and what does not fit.

A cell is kept as canonical text: numbers without leading zeros, decimals with the column's scale, dates as
``YYYY-MM-DDTHH:MM:SS.mmm`` in the vendor's system time (UTC-06:00 all year), booleans as ``True`` and ``False``. A
null cell is no cell. Equal values of a column therefore have equal texts, and dates sort as their texts do.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from hashlib import sha256
from typing import Literal, TypeAlias

from postroom.content.address import parse_address
from postroom.content.attributes import fold_name, value_text

ColumnType: TypeAlias = Literal["Text", "Number", "Decimal", "Date", "Boolean", "EmailAddress", "Phone", "Locale"]

COLUMN_TYPES: Mapping[str, ColumnType] = {
    "text": "Text",
    "number": "Number",
    "decimal": "Decimal",
    "date": "Date",
    "boolean": "Boolean",
    "emailaddress": "EmailAddress",
    "phone": "Phone",
    "locale": "Locale",
}
"""By the lower-case name a client may write."""

SYSTEM_TIME = timezone(timedelta(hours=-6))
LONGEST_TEXT = 4_000
LONGEST_UNBOUNDED_TEXT = 1_000_000
LONGEST_DECIMAL = 38

_LONGEST = {"EmailAddress": 254, "Phone": 50, "Locale": 5}
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}(?:\.0*)?")
_NUMBER_LOW, _NUMBER_HIGH = -(2**31), 2**31 - 1
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,60}(?:\.[0-9]{0,60})?|\.[0-9]{1,60})")
_PHONE = re.compile(r"[0-9+(][0-9 ().+x/-]*", re.IGNORECASE)
_LOCALE = re.compile(r"[A-Za-z]{2}(?:[-_][A-Za-z]{2})?")
_US_DATE = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?\s*(am|pm)?)?", re.ASCII | re.IGNORECASE
)
_FLAGS = {"true": "True", "1": "True", "yes": "True", "y": "True"}
_FLAGS |= {"false": "False", "0": "False", "no": "False", "n": "False"}
_NOW = frozenset({"getdate()", "now()", "current date"})
_LONGEST_TERM = 200

TERM_SEPARATOR = "\x1e"
"""A character that no term holds."""
_EXACT = Context(prec=130)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. ``length`` bounds a Text (None: nearly endless) and is the precision of a Decimal, ``scale`` its
    digits behind the point. ``default`` is canonical text; for a Date also ``getdate()``."""

    name: str
    type: ColumnType
    length: int | None = None
    scale: int = 0
    primary_key: bool = False
    nullable: bool = True
    default: str | None = None

    @property
    def folded(self) -> str:
        """The name as it is compared and as cells are filed under."""
        return fold_name(self.name)


class CellRejected(ValueError):
    """A value that its column can't hold. The text names column, type and value."""

    def __init__(self, column: Column, value: object, wanted: str) -> None:
        shown = value_text(value)
        super().__init__(f"column {column.name} is {column.type}: {shown[:60]!r} {wanted}")
        self.column = column.name


def cell_text(column: Column, value: object) -> str | None:
    """The canonical text of a JSON or language value, None for null.

    An empty text is null in every column but Text. Raises CellRejected.
    """
    if value is None:
        return None
    if isinstance(value, datetime):
        if column.type not in ("Date", "Text"):
            raise CellRejected(column, value, "is a date")
        return date_text(value)
    if not isinstance(value, str | bool | int | float | Decimal):
        raise CellRejected(column, value, "is a list or object")
    text = value_text(value)
    if "\0" in text:
        raise CellRejected(column, text, "holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CellRejected(column, ascii(text), "is not Unicode text") from None
    if column.type == "Text":
        return _bounded(column, text, column.length or LONGEST_UNBOUNDED_TEXT)
    text = text.strip()
    if not text:
        return None
    if column.type == "Number":
        return _number(column, text)
    if column.type == "Decimal":
        return _decimal(column, text)
    if column.type == "Date":
        return date_text(_date(column, text))
    if column.type == "Boolean":
        flag = _FLAGS.get(text.lower())
        if flag is None:
            raise CellRejected(column, text, "is neither true nor false")
        return flag
    return _special(column, text)


def default_text(column: Column, now: datetime) -> str | None:
    """What a row gets that does not name the column; ``now`` is aware."""
    if column.type == "Date" and column.default is not None and column.default.lower() in _NOW:
        return date_text(now)
    return column.default


def check_default(column: Column) -> str | None:
    """The column's default as it is kept. Raises CellRejected."""
    if column.type == "Date" and column.default is not None and column.default.strip().lower() in _NOW:
        return "getdate()"
    return cell_text(column, column.default)


def cell_value(column: Column, text: str | None) -> object:
    """The language value of a cell: None, int, Decimal, bool, a naive datetime in system time, or str."""
    if text is None:
        return None
    if column.type == "Number":
        return int(text)
    if column.type == "Decimal":
        return Decimal(text)
    if column.type == "Boolean":
        return text == "True"
    if column.type == "Date":
        return datetime.fromisoformat(text)
    return text


def shown_text(column: Column, text: str | None) -> str:
    """A cell as the data routes show it: dates as ``1/5/2026 3:41:18 AM``, null as an empty text."""
    if text is None:
        return ""
    if column.type != "Date":
        return text
    moment = datetime.fromisoformat(text)
    hour = moment.hour % 12 or 12
    half = "AM" if moment.hour < 12 else "PM"
    return f"{moment.month}/{moment.day}/{moment.year} {hour}:{moment.minute:02}:{moment.second:02} {half}"


def row_key(columns: Sequence[Column], cells: Mapping[str, str]) -> str | None:
    """The primary key of a row as one text that ignores case, None for a table without one."""
    keys = [cells.get(column.folded, "") for column in columns if column.primary_key]
    if not keys:
        return None
    text = "\x1f".join(key.casefold() for key in keys)
    return text if len(text) <= _LONGEST_TERM else "sha256:" + sha256(text.encode()).hexdigest()


def term(extension_id: int, folded_name: str, text: str) -> str:
    """What a row is found by when this column has this value, whatever its case."""
    folded = text.casefold()
    if len(folded) > _LONGEST_TERM or TERM_SEPARATOR in folded:
        folded = "sha256:" + sha256(folded.encode()).hexdigest()
    return f"{extension_id}\x1f{folded_name}\x1f{folded}"


def row_terms(extension_id: int, columns: Sequence[Column], cells: Mapping[str, str]) -> list[str]:
    """Everything a row is found by: its cells that are not null."""
    names = {column.folded for column in columns}
    return [term(extension_id, name, text) for name, text in cells.items() if name in names]


def date_text(moment: datetime) -> str:
    """A date's canonical text; a naive one is in system time already."""
    if moment.tzinfo is not None:
        try:
            moment = moment.astimezone(SYSTEM_TIME).replace(tzinfo=None)
        except OverflowError:
            moment = moment.replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds")


def _bounded(column: Column, text: str, longest: int) -> str:
    if len(text) > longest:
        raise CellRejected(column, text, f"has {len(text)} characters, more than {longest}")
    return text


def _number(column: Column, text: str) -> str:
    if not _NUMBER.fullmatch(text):
        raise CellRejected(column, text, "is not a whole number")
    number = int(text.partition(".")[0])
    if not _NUMBER_LOW <= number <= _NUMBER_HIGH:
        raise CellRejected(column, text, f"is not between {_NUMBER_LOW} and {_NUMBER_HIGH}")
    return str(number)


def _decimal(column: Column, text: str) -> str:
    if not _DECIMAL.fullmatch(text):
        raise CellRejected(column, text, "is not a decimal number")
    try:
        number = Decimal(text).quantize(Decimal(1).scaleb(-column.scale), ROUND_HALF_UP, _EXACT)
    except InvalidOperation:
        raise CellRejected(column, text, "has too many digits") from None
    precision = column.length or 18
    before = len(str(abs(int(number)))) if int(number) else 0
    if before > precision - column.scale:
        raise CellRejected(column, text, f"has more than {precision - column.scale} digits before the point")
    return format(abs(number) if number == 0 else number, "f")


def _date(column: Column, text: str) -> datetime:
    try:
        if found := _US_DATE.fullmatch(text):
            month, day, year, hour, minute, second, half = found.groups()
            hours = int(hour or 0)
            if half:
                if not 1 <= hours <= 12:
                    raise ValueError(hours)
                hours = hours % 12 + (12 if half.lower() == "pm" else 0)
            return datetime(  # noqa: DTZ001  (system time has no zone)
                int(year), int(month), int(day), hours, int(minute or 0), int(second or 0)
            )
        return datetime.fromisoformat(text)
    except ValueError:
        raise CellRejected(column, text, "is not a date such as 2026-01-31T08:00:00 or 1/31/2026 8:00 AM") from None


def _special(column: Column, text: str) -> str:
    _bounded(column, text, _LONGEST[column.type])
    if column.type == "EmailAddress" and parse_address(text) is None:
        raise CellRejected(column, text, "is not an email address")
    if column.type == "Phone" and (not _PHONE.fullmatch(text) or not any(each.isdigit() for each in text)):
        raise CellRejected(column, text, "is not a phone number")
    if column.type == "Locale" and not _LOCALE.fullmatch(text):
        raise CellRejected(column, text, "is not a locale such as en-us")
    return text
