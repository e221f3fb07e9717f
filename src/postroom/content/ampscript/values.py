"""The values of the language: their texts, their numbers, their truth, and how two are compared (ampscript.md §4, §5).

    AMPscript             Python
    null, unset           None
    null of a table       DATABASE_NULL (IsNull tells the two apart, nothing else does)
    boolean               bool
    integer               int
    decimal as written    Decimal
    result of arithmetic  float
    text                  str
    date                  DateTime
    rowset, row           RowSet, Row

Text is Python's, but its lengths and positions are the vendor's: UTF-16 code units.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from unicodedata import category, normalize

from postroom.content.attributes import value_text

from .dates import parse_date
from .faults import ValueFault

MIN_INTEGER: Final = -(2**63)
MAX_INTEGER: Final = 2**63 - 1


class DatabaseNull:
    """The null of a data extension; prints nothing, is empty, compares as None."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "DATABASE_NULL"


DATABASE_NULL: Final = DatabaseNull()


@dataclass(frozen=True, slots=True, order=True)
class DateTime:
    """An instant as the vendor's system clock shows it: ``moment`` is naive, UTC-06:00 all year."""

    moment: datetime

    def __str__(self) -> str:
        moment = self.moment
        clock = f"{moment.hour % 12 or 12}:{moment:%M:%S} {'AM' if moment.hour < 12 else 'PM'}"
        return f"{moment.month}/{moment.day}/{moment.year:04} {clock}"


class RowSet:
    """Rows that share ``columns``. Cells are Python values as a table gives them (None, datetime …)."""

    __slots__ = ("_cells", "_numbers", "columns")

    def __init__(self, columns: Sequence[str], cells: Sequence[Sequence[object]]) -> None:
        self.columns = tuple(columns)
        self._cells = cells
        self._numbers: Mapping[str, int] | None = None

    def __len__(self) -> int:
        return len(self._cells)

    def row(self, number: int) -> "Row":
        """Row ``number`` from 1; ValueFault when there is none."""
        if not 1 <= number <= len(self._cells):
            count = len(self._cells)
            held = "is empty" if count == 0 else f"has {count} row{'s' if count > 1 else ''}"
            raise ValueFault(f"there is no row {number}; the rowset {held}, ask RowCount first", code="RowOutOfRange")
        return Row(self, self._cells[number - 1])

    def number_of(self, column: str) -> int | None:
        """Where ``column`` (in any case) stands, from 0."""
        if self._numbers is None:
            numbers: dict[str, int] = {}
            for number, name in enumerate(self.columns):
                numbers.setdefault(name.strip().casefold(), number)
            self._numbers = numbers
        # as written it is found where it is the column's folded name, which it mostly is
        found: int | None = self._numbers.get(column)
        return self._numbers.get(column.strip().casefold()) if found is None else found


_AS_THEY_ARE: Final = frozenset({bool, float, int, str})
"""What a table holds most; these are values of the language as well."""


class Row:
    """One row of a rowset; without cells it is the empty row."""

    __slots__ = ("_cells", "_set")

    def __init__(self, owner: RowSet, cells: Sequence[object]) -> None:
        self._set = owner
        self._cells = cells

    def __bool__(self) -> bool:
        return bool(self._cells)

    @property
    def columns(self) -> tuple[str, ...]:
        return self._set.columns

    def by_name(self, column: str) -> tuple[bool, object]:
        """Whether there is such a column, and its value."""
        number = self._set.number_of(column)
        if number is None or number >= len(self._cells):
            return False, None
        cell = self._cells[number]
        return True, cell if type(cell) in _AS_THEY_ARE else from_table(cell)

    def by_number(self, number: int) -> tuple[bool, object]:
        """Whether there is a column ``number`` from 1, and its value."""
        if 1 <= number <= len(self._cells):
            return True, from_table(self._cells[number - 1])
        return False, None


EMPTY_ROW: Final = Row(RowSet((), ()), ())


def from_table(cell: object) -> object:
    """The language's value for what a table holds."""
    if cell is None:
        return DATABASE_NULL
    if isinstance(cell, datetime):
        return DateTime(cell)
    return cell


def is_null(value: object) -> bool:
    return value is None or value is DATABASE_NULL


def is_empty(value: object) -> bool:
    """What Empty tells: null and the empty text are, and a row that ClaimRow could not find."""
    return value is None or value == "" or value is DATABASE_NULL or (isinstance(value, Row) and not value)


def to_text(value: object) -> str:
    """How a value prints."""
    if isinstance(value, str):
        return value
    if type(value) is int:
        return str(value) if -MAX_INTEGER <= value <= MAX_INTEGER else value_text(value)
    if value is None or value is DATABASE_NULL:
        return ""
    if isinstance(value, Decimal):
        return format(abs(value) if value == 0 else value, "f")
    if isinstance(value, DateTime):
        return str(value)
    if isinstance(value, (Row, RowSet)):
        return ""
    return value_text(value)


# as .NET reads a double: white space, sign, digits, fraction, exponent; no grouping
_NUMBER = re.compile(r"[ \t-\r]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?[ \t-\r]*")
_WHOLE = re.compile(r"[ \t-\r]*[+-]?[0-9]{1,30}[ \t-\r]*")
_PLAIN = re.compile(r"[ \t-\r]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[ \t-\r]*")
_MAX_DECIMAL = Decimal(79228162514264337593543950335)  # what .NET's decimal holds


def to_number(value: object) -> float:
    """The number a mathematical function works with; ValueFault for anything but numbers and numeric texts."""
    if isinstance(value, float):
        return value
    if type(value) is int:
        return float(value)
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and len(value) <= 400 and _NUMBER.fullmatch(value):
        number = float(value)
        if not math.isinf(number):
            return number
    raise ValueFault(f"{shown(value)} is not a number", code="NotANumber")


def to_whole(value: object, what: str = "") -> int:
    """The integer a position or count needs; ValueFault when it is none. ``what`` names the argument."""
    whole: int | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        whole = value
    elif isinstance(value, (float, Decimal)):
        whole = int(value) if math.isfinite(value) and value == int(value) else None
    elif isinstance(value, str) and _WHOLE.fullmatch(value):
        whole = int(value)
    if whole is not None and MIN_INTEGER <= whole <= MAX_INTEGER:
        return whole
    subject = f"{what} " if what else ""
    raise ValueFault(f"{subject}{shown(value)} is not a whole number", code="NotAWholeNumber")


def to_decimal(value: object, *, grouped: bool = False) -> Decimal | None:
    """The exact number of what is number-like, else None; of a float the 15 digits that print.

    ``grouped`` also reads commas between digits. Infinities and NaN come through as they are.
    """
    if isinstance(value, float):
        return Decimal(f"{value:.15G}") if math.isfinite(value) else Decimal(value)
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, Decimal)):
        return Decimal(value)
    if isinstance(value, str):
        text = _without_groups(value) if grouped and "," in value else value
        if len(text) <= 64 and _PLAIN.fullmatch(text):
            number = Decimal(text.strip(" \t\n\v\f\r"))
            return number if abs(number) <= _MAX_DECIMAL else None
    return None


_GROUPED = re.compile(r"([ \t-\r]*[+-]?[0-9][0-9,]*)(\.[0-9]*)?[ \t-\r]*")


def _without_groups(text: str) -> str:
    match = _GROUPED.fullmatch(text) if len(text) <= 128 else None
    return match.group(1).replace(",", "") + (match.group(2) or "") if match else text


def to_flag(value: object) -> bool:
    """A flag: true, false, 1, 0 and these as texts; null and "" are false. ValueFault for anything else."""
    if isinstance(value, bool):
        return value
    if is_null(value):
        return False
    text = to_text(value).strip().lower()
    if text in {"1", "true"}:
        return True
    if text in {"0", "false", ""}:
        return False
    raise ValueFault(f"{shown(value)} is not a flag; write true or false, 1 or 0", code="NotAFlag")


def to_date(value: object) -> datetime | None:
    """The system time of a date or of a text that reads as one (§9), else None."""
    if isinstance(value, DateTime):
        return value.moment
    return parse_date(value) if isinstance(value, str) else None


def truth(value: object) -> bool:
    """What IF and IIf make of a condition: only the boolean true is true."""
    return value is True


def compare(operator: str, left: object, right: object) -> bool:
    """``left operator right`` by the rules of §5; ``operator`` is one of ``== != < <= > >=``."""
    if type(left) is int and type(right) is int:  # no boolean
        return _ordered(operator, (left > right) - (left < right))
    if isinstance(left, str) and isinstance(right, str):
        return operator in {"==", "<=", ">="} if left == right else _compare_texts(operator, left, right)
    if is_null(left) or is_null(right):
        return _alike(operator, is_null(left) and is_null(right))
    if isinstance(left, bool) or isinstance(right, bool):
        return _alike(operator, _as_boolean(left) is _as_boolean(right))
    if isinstance(left, DateTime) or isinstance(right, DateTime):
        one, other = to_date(left) or datetime.min, to_date(right) or datetime.min  # noqa: DTZ901
        return _ordered(operator, (one > other) - (one < other))
    number, other_number = _number_like(left), _number_like(right)
    if number is not None or other_number is not None:
        return _compare_numbers(operator, number or Decimal(0), other_number or Decimal(0))
    return _compare_words(operator, to_text(left), to_text(right))


def _compare_texts(operator: str, text: str, other_text: str) -> bool:
    number, other_number = _number_like(text), _number_like(other_text)
    if number is not None or other_number is not None:
        return _compare_numbers(operator, number or Decimal(0), other_number or Decimal(0))
    return _compare_words(operator, text, other_text)


def _compare_words(operator: str, text: str, other_text: str) -> bool:
    if operator in {"==", "!="}:
        return (text == other_text or ordinal_fold(text) == ordinal_fold(other_text)) is (operator == "==")
    key, other_key = _sort_key(text), _sort_key(other_text)
    return _ordered(operator, (key > other_key) - (key < other_key))


def _number_like(value: object) -> Decimal | None:
    if isinstance(value, str) and (not value or value[0] > "9"):
        return None  # most texts: no digit, sign, point or blank comes first
    return to_decimal(value)


def _compare_numbers(operator: str, one: Decimal, other: Decimal) -> bool:
    if one.is_nan() or other.is_nan():
        return operator == "!="
    return _ordered(operator, (one > other) - (one < other))


def _as_boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float, Decimal)):
        return value == 1
    return isinstance(value, str) and value.strip().lower() == "true"


def _alike(operator: str, alike: bool) -> bool:
    return alike if operator in {"==", "<=", ">="} else not alike


def _ordered(operator: str, sign: int) -> bool:
    if operator == "==":
        return sign == 0
    if operator == "!=":
        return sign != 0
    if operator == "<":
        return sign < 0
    if operator == "<=":
        return sign <= 0
    if operator == ">":
        return sign > 0
    return sign >= 0


def ordinal_upper(text: str) -> str:
    """Upper case letter by letter, each by one letter: ß stays ß."""
    if text.isascii():
        return text.upper()
    upper = text.upper()
    if len(upper) == len(text):
        return upper
    return "".join([wide if len(wide := letter.upper()) == 1 else letter for letter in text])


def ordinal_lower(text: str) -> str:
    """Lower case letter by letter, wherever in a word it stands."""
    if text.isascii():
        return text.lower()
    return "".join([small if len(small := letter.lower()) == 1 else letter for letter in text])


def ordinal_fold(text: str) -> str:
    """What texts are compared by when case does not matter; as long as ``text``, position by position."""
    return ordinal_upper(text)


def _sort_key(text: str) -> str:
    if not text.isascii():
        text = "".join([letter for letter in normalize("NFD", text) if category(letter) != "Mn"])
    return text.casefold()


def utf16_length(text: str) -> int:
    """The number of UTF-16 code units."""
    if text.isascii():
        return len(text)
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf16_slice(text: str, start: int, end: int) -> str:
    """``text[start:end]`` counted in UTF-16 code units from 0; half of a pair comes out as a lone surrogate."""
    if text.isascii():
        return text[start:end]
    return text.encode("utf-16-le", "surrogatepass")[2 * start : 2 * end].decode("utf-16-le", "surrogatepass")


_HALF = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def join_halves(text: str) -> str:
    """``text`` with the halves of UTF-16 pairs that have come to stand side by side made one character."""
    if text.isascii() or _HALF.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def shown(value: object) -> str:
    """A value as a message to its author shows it."""
    if is_null(value):
        return "null"
    if isinstance(value, Row):
        return "a row"
    if isinstance(value, RowSet):
        return "a rowset"
    text = to_text(value)
    return ascii(text if len(text) <= 60 else f"{text[:60]}…") if isinstance(value, str) else text
