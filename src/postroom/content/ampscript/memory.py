"""Data extensions and content blocks held in memory, for ``postroom render``, golden cases and tests."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import cmp_to_key

from postroom.content.attributes import fold_name

from .faults import MissingFault, ValueFault
from .run import Block, BlockKind, Image, ImageKind, Pairs, Rows
from .values import compare, from_table, is_null, to_date, to_flag, to_text

_KINDS = ("text", "number", "decimal", "date", "boolean", "emailaddress", "phone", "locale")
_LIMIT = 2_000


class TablesRejected(Exception):
    """The description of data extensions is not of the shape ``MemoryData.load`` asks for; the message says where."""


@dataclass(frozen=True, slots=True)
class Column:
    """``kind`` is one of text, number, decimal, date, boolean, emailaddress, phone, locale."""

    name: str
    kind: str
    key: bool
    nullable: bool
    default: object


class Table:
    """One data extension: rows are lists in the order of ``columns``."""

    def __init__(self, name: str, columns: Sequence[Column], rows: Iterable[Mapping[str, object]]) -> None:
        self.name = name
        self.columns = tuple(columns)
        self._numbers = {fold_name(column.name): number for number, column in enumerate(columns)}
        self.rows: list[list[object]] = []
        for row in rows:
            self.add(tuple(row.items()))

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def number(self, name: str) -> int:
        """Where a column stands; MissingFault when there is none."""
        found = self._numbers.get(fold_name(name))
        if found is None:
            raise MissingFault(f"data extension {self.name} has no column {name}", code="UnknownColumn")
        return found

    def match(self, pairs: Pairs, *, exact: bool = False) -> list[list[object]]:
        wanted = [(self.number(name), value) for name, value in pairs]
        return [row for row in self.rows if all(_equal(row[number], value, exact) for number, value in wanted)]

    def add(self, pairs: Pairs) -> None:
        given = {self.number(name): value for name, value in pairs}
        row = [_stored(self, column, given.get(number, column.default)) for number, column in enumerate(self.columns)]
        keys = [number for number, column in enumerate(self.columns) if column.key]
        if keys and any(all(_equal(row[number], old[number], False) for number in keys) for old in self.rows):
            shown = ", ".join(f"{self.columns[number].name} {to_text(row[number])}" for number in keys)
            raise ValueFault(f"data extension {self.name} already has a row with {shown}", code="DuplicateRow")
        self.rows.append(row)

    def change(self, row: list[object], pairs: Pairs) -> None:
        for name, value in pairs:
            number = self.number(name)
            row[number] = _stored(self, self.columns[number], value)


class MemoryData:
    """The data extensions of one business unit; a DataAccess whose calls never wait."""

    def __init__(self, tables: Iterable[Table] = ()) -> None:
        self._tables = {fold_name(table.name): table for table in tables}

    @classmethod
    def load(cls, described: Mapping[str, object]) -> "MemoryData":
        """From JSON: ``{name: {"fields": [{"name", "type", "primary_key", "nullable", "default"}], "rows": [{…}]}}``,
        or ``{name: [{…}, …]}``, where every column is text. Raises TablesRejected."""
        return cls([_table(name, value) for name, value in described.items()])

    def table(self, name: str) -> Table:
        """MissingFault when there is none."""
        found = self._tables.get(fold_name(name))
        if found is None:
            raise MissingFault(f"there is no data extension {name}", code="UnknownDataExtension")
        return found

    async def find(
        self, table: str, match: Pairs, *, exact: bool = False, order: Sequence[tuple[str, bool]] = (), limit: int = 0
    ) -> Rows:
        found = self.table(table)
        rows = found.match(match, exact=exact)
        for name, descending in reversed(order):
            number = found.number(name)

            def ordered(one: list[object], other: list[object], number: int = number) -> int:
                return _order(one[number], other[number])

            rows.sort(key=cmp_to_key(ordered), reverse=descending)
        return Rows(found.names, [tuple(row) for row in rows[: limit or _LIMIT]])

    async def size(self, table: str) -> int:
        return len(self.table(table).rows)

    async def insert(self, table: str, values: Pairs) -> int:
        self.table(table).add(values)
        return 1

    async def update(self, table: str, match: Pairs, values: Pairs) -> int:
        found = self.table(table)
        rows = found.match(match)
        for row in rows:
            found.change(row, values)
        return len(rows)

    async def upsert(self, table: str, match: Pairs, values: Pairs) -> int:
        changed = await self.update(table, match, values)
        return changed or await self.insert(table, (*match, *values))

    async def delete(self, table: str, match: Pairs) -> int:
        found = self.table(table)
        gone = {id(row) for row in found.match(match)}
        found.rows = [row for row in found.rows if id(row) not in gone]
        return len(gone)

    async def claim(self, table: str, claimed: str, claimant: str, who: object, values: Pairs) -> Rows:
        found = self.table(table)
        mine = found.match([(claimed, True), (claimant, who)])
        if not mine:
            number = found.number(claimed)
            mine = [row for row in found.rows if not _flagged(row[number])][:1]
            for row in mine:
                found.change(row, [(claimed, True), (claimant, who), *values])
        return Rows(found.names, [tuple(row) for row in mine[:1]])


class MemoryBlocks:
    """Content blocks by key, id and name; a BlockStore whose calls never wait."""

    def __init__(
        self,
        by_key: Mapping[str, str] | None = None,
        by_id: Mapping[str, str] | None = None,
        by_name: Mapping[str, str] | None = None,
        *,
        images: Mapping[str, Image] | None = None,
    ) -> None:
        self._images = {fold_name(name): image for name, image in (images or {}).items()}
        self._blocks: dict[tuple[BlockKind, str], Block] = {}
        kinds: list[tuple[BlockKind, Mapping[str, str] | None]] = [("key", by_key), ("id", by_id), ("name", by_name)]
        for kind, blocks in kinds:
            for name, source in (blocks or {}).items():
                self._blocks[kind, fold_name(str(name))] = Block(f"{kind} {fold_name(str(name))}", source)

    async def find(self, kind: BlockKind, name: str) -> Block | None:
        return self._blocks.get((kind, fold_name(name)))

    async def image(self, kind: ImageKind, name: str) -> Image | None:
        return self._images.get(fold_name(name))


def _table(name: str, value: object) -> Table:
    if isinstance(value, list):
        value = {"rows": value}
    if not isinstance(value, Mapping):
        raise TablesRejected(f'data extension {name}: give an object with "fields" and "rows", or a list of rows')
    rows = value.get("rows", [])
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise TablesRejected(f"data extension {name}: rows is not a list of objects; write [{{column: value}}, …]")
    fields = value.get("fields")
    if fields is None:
        names = dict.fromkeys(str(column) for row in rows for column in row)
        fields = [{"name": column, "type": "Text", "nullable": True} for column in names]
    if not isinstance(fields, list):
        raise TablesRejected(f'data extension {name}: fields is not a list; write [{{"name": …, "type": …}}, …]')
    try:
        return Table(name, [_column(name, field) for field in fields], rows)
    except (MissingFault, ValueFault) as fault:
        raise TablesRejected(f"data extension {name}: {fault.message}") from None


def _column(table: str, field: object) -> Column:
    if not isinstance(field, Mapping) or not isinstance(field.get("name"), str):
        raise TablesRejected(f'data extension {table}: a field has no name; write {{"name": …, "type": …}}')
    kind = str(field.get("type", "Text")).lower()
    if kind not in _KINDS:
        raise TablesRejected(
            f"data extension {table}: field {field['name']} has type {kind}, which is none of {_KINDS}"
        )
    return Column(
        str(field["name"]), kind, bool(field.get("primary_key")), bool(field.get("nullable")), field.get("default")
    )


def _stored(table: Table, column: Column, value: object) -> object:
    """``value`` as ``column`` holds it; ValueFault when it cannot."""
    if is_null(value):
        return None
    what = f"data extension {table.name}, column {column.name}: {to_text(value)[:60]}"
    if column.kind in {"number", "decimal"}:
        if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
            return value
        try:
            number = Decimal(to_text(value).strip())
        except InvalidOperation:
            raise ValueFault(f"{what} is not a number", code="BadColumnValue") from None
        return int(number) if number == number.to_integral_value() and column.kind == "number" else number
    if column.kind == "boolean":
        try:
            return to_flag(value)
        except ValueFault:
            raise ValueFault(f"{what} is not true or false", code="BadColumnValue") from None
    if column.kind == "date":
        moment = value if isinstance(value, datetime) else to_date(value)
        if moment is None:
            raise ValueFault(f"{what} is not a date", code="BadColumnValue")
        return moment
    return to_text(value)


def _flagged(value: object) -> bool:
    return value is True or to_text(value).lower() in {"true", "1"}


def _equal(held: object, wanted: object, exact: bool) -> bool:
    wanted = from_table(wanted)
    if held is None or is_null(wanted):
        return held is None and is_null(wanted)
    if isinstance(held, str):
        return held == to_text(wanted) if exact else held.casefold() == to_text(wanted).casefold()
    return compare("==", from_table(held), wanted)


def _order(one: object, other: object) -> int:
    """Nulls first, as the database does."""
    if one is None or other is None:
        return (one is not None) - (other is not None)
    left, right = from_table(one), from_table(other)
    return compare(">", left, right) - compare("<", left, right)
