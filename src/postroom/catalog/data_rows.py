"""Rows of data extensions: insert, upsert, update, count up, delete, look up.

Writers take many rows at once and say of each what was wrong with it. They store the good ones; a caller that wants
all or none ends its transaction by raising. Rows are locked in the order of their keys, so writers wait for each other
and never deadlock; two that insert one key at the same moment make one row of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import TypeAlias
from uuid import UUID

import asyncpg
import msgspec

from postroom.catalog.data_columns import CellRejected, cell_text, default_text, row_key, row_terms
from postroom.catalog.data_extensions import DataExtension
from postroom.content.attributes import fold_name
from postroom.store.database import Connection, Database

Cells: TypeAlias = dict[str, str]

_FOR_CHANGE = """
select r.row_id, r.row_key, r.cells
  from unnest($3::text[]) as wanted(row_key)
 cross join lateral (
    select row_id, row_key, cells from data_row
     where account_id = $1 and extension_id = $2 and row_key = wanted.row_key
     limit 1 for update) r
"""

# A key, or a message's row, that is already there is left as it is.
_INSERT = """
insert into data_row (account_id, extension_id, row_key, cells, terms, request_id, position)
select $1, $2, new.row_key, new.cells::jsonb, array(select jsonb_array_elements_text(new.terms::jsonb)),
       new.request_id, new.position
  from unnest($3::text[], $4::text[], $5::text[], $6::uuid[], $7::integer[])
       as new(row_key, cells, terms, request_id, position)
on conflict do nothing
returning row_key, request_id, position
"""

_INSERT_KEYLESS = """
insert into data_row (account_id, extension_id, cells, terms)
select $1, $2, new.cells::jsonb, array(select jsonb_array_elements_text(new.terms::jsonb))
  from unnest($3::text[], $4::text[]) as new(cells, terms)
"""

_UPDATE = """
update data_row set cells = new.cells::jsonb, terms = array(select jsonb_array_elements_text(new.terms::jsonb)),
                    modified_at = now()
  from unnest($3::bigint[], $4::text[], $5::text[]) as new(row_id, cells, terms)
 where account_id = $1 and extension_id = $2 and data_row.row_id = new.row_id
"""

_DELETE = """
delete from data_row where account_id = $1 and extension_id = $2 and row_id = any($3::bigint[])
"""

_CLEAR = "delete from data_row where account_id = $1 and extension_id = $2"

_OF_MESSAGES = """
select r.request_id, r.position, r.cells
  from unnest($3::uuid[], $4::integer[]) as wanted(request_id, position)
 cross join lateral (
    select request_id, position, cells from data_row
     where account_id = $1 and extension_id = $2 and request_id = wanted.request_id and position = wanted.position
     limit 1) r
"""

_MOST_RACES = 10

_decode_cells = msgspec.json.Decoder(dict[str, str]).decode
_encode = msgspec.json.Encoder().encode


class RowFault(Enum):
    """Why a row is not stored."""

    MISSING = "a column that must have a value has none"
    INVALID = "a value does not fit its column"
    UNKNOWN_COLUMN = "there is no such column"
    DUPLICATE = "there is already a row with this primary key"
    NO_SUCH_ROW = "there is no row with this primary key"
    NO_KEY = "the data extension has no primary key"


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What was wrong with one row; ``text`` names column and value."""

    fault: RowFault
    text: str


@dataclass(slots=True)
class NewRow:
    """A row as a client gives it: values by column name in any case; a message's own row says whose it is."""

    values: Mapping[str, object]
    request_id: UUID | None = None
    position: int | None = None


@dataclass(slots=True)
class _Given:
    """A row brought to canonical form; ``cells`` has None where null was given."""

    place: int
    cells: dict[str, str | None]
    key: str | None = None
    new: Cells = field(default_factory=dict)


async def insert_rows(
    connection: Connection, extension: DataExtension, rows: Sequence[NewRow], now: datetime
) -> list[RowProblem | None]:
    """Store new rows; one problem or None for each, in their order. ``now`` is aware."""
    problems: list[RowProblem | None] = [None] * len(rows)
    ready: list[_Given] = []
    taken: set[str] = set()
    for given in _read(extension, [row.values for row in rows], problems):
        problem = _complete(extension, given, now)
        if problem is None and given.key is not None and rows[given.place].request_id is None:
            if given.key in taken:
                problem = _duplicate(extension, given.new)
            taken.add(given.key)
        problems[given.place] = problem
        if problem is None:
            ready.append(given)
    keyless = [given for given in ready if given.key is None and rows[given.place].request_id is None]
    if keyless:
        await connection.execute(
            _INSERT_KEYLESS,
            extension.account_id,
            extension.extension_id,
            [_json(given.new) for given in keyless],
            [_terms(extension, given.new) for given in keyless],
        )
    single = [given for given in ready if given.key is not None or rows[given.place].request_id is not None]
    if single:
        stored = await _insert(connection, extension, single, rows)
        for given in single:
            row = rows[given.place]
            if (given.key, row.request_id, row.position) not in stored:
                problems[given.place] = _duplicate(extension, given.new)
    return problems


async def insert_message_rows(
    connection: Connection, extension: DataExtension, rows: Sequence[NewRow], now: datetime
) -> tuple[list[RowProblem | None], list[Cells]]:
    """As `insert_rows` for rows of messages, and the cells each has.

    A message that has its row from an earlier attempt keeps that one, as it is now.
    """
    problems: list[RowProblem | None] = [None] * len(rows)
    cells: list[Cells] = [{} for _ in rows]
    stored = {
        (row["request_id"], row["position"]): _decode_cells(row["cells"])
        for row in await connection.fetch(
            _OF_MESSAGES,
            extension.account_id,
            extension.extension_id,
            [row.request_id for row in rows],
            [row.position for row in rows],
        )
    }
    fresh = [place for place, row in enumerate(rows) if (row.request_id, row.position) not in stored]
    for place, row in enumerate(rows):
        cells[place] = stored.get((row.request_id, row.position), {})
    for place, problem in zip(
        fresh, await insert_rows(connection, extension, [rows[place] for place in fresh], now), strict=True
    ):
        problems[place] = problem
        if problem is None:
            (given,) = _read(extension, [rows[place].values], [None])
            _complete(extension, given, now)
            cells[place] = given.new
    return problems, cells


async def message_cells(database: Database, extension: DataExtension, request_id: UUID, position: int) -> Cells:
    """The cells of the row that a message's send made; none when there is no such row."""
    row = await database.fetchrow(_OF_MESSAGES, extension.account_id, extension.extension_id, [request_id], [position])
    return {} if row is None else _decode_cells(row["cells"])


async def upsert_rows(
    connection: Connection, extension: DataExtension, rows: Sequence[Mapping[str, object]], now: datetime
) -> list[RowProblem | None]:
    """Change the rows that are there by their primary key and insert the others, in the order given."""
    return await _write(connection, extension, rows, now, insert=True)


async def update_rows(
    connection: Connection, extension: DataExtension, rows: Sequence[Mapping[str, object]], now: datetime
) -> list[RowProblem | None]:
    """Change the rows that are there by their primary key; NO_SUCH_ROW for the others."""
    return await _write(connection, extension, rows, now, insert=False)


async def increment_cell(
    connection: Connection, extension: DataExtension, keys: Mapping[str, object], column_name: str, step: int
) -> str | RowProblem:
    """Add to a Number or Decimal of the row with this primary key, null counting as 0; its text then."""
    column = extension.by_name.get(fold_name(column_name))
    if column is None:
        return RowProblem(RowFault.UNKNOWN_COLUMN, f"there is no column {column_name[:100]!r} in {extension.key}")
    if column.primary_key or column.type not in ("Number", "Decimal"):
        wanted = "a Number or Decimal that is not of the primary key"
        return RowProblem(RowFault.INVALID, f"column {column.name} can't be counted up; it must be {wanted}")
    problems: list[RowProblem | None] = [None]
    given = _keyed(extension, _read(extension, [keys], problems), problems)
    if problems[0] is not None:
        return problems[0]
    stored = await _lock(connection, extension, {each.key for each in given if each.key is not None})
    for row in stored.values():
        cells = _decode_cells(row["cells"])
        try:
            text = cell_text(column, Decimal(cells.get(column.folded, "0")) + step)
        except CellRejected as rejected:
            return RowProblem(RowFault.INVALID, str(rejected))
        assert text is not None
        await _update(connection, extension, [row["row_id"]], [cells | {column.folded: text}])
        return text
    return RowProblem(RowFault.NO_SUCH_ROW, RowFault.NO_SUCH_ROW.value)


async def delete_rows(
    connection: Connection, extension: DataExtension, keys: Sequence[Mapping[str, object]]
) -> list[RowProblem | None]:
    """Remove rows by their primary key; NO_SUCH_ROW for those that are not there."""
    problems: list[RowProblem | None] = [None] * len(keys)
    given = _keyed(extension, list(_read(extension, keys, problems)), problems)
    stored = await _lock(connection, extension, {each.key for each in given if each.key is not None})
    for each in given:
        if each.key not in stored:
            problems[each.place] = RowProblem(RowFault.NO_SUCH_ROW, RowFault.NO_SUCH_ROW.value)
    gone = [row["row_id"] for row in stored.values()]
    if gone:
        await connection.execute(_DELETE, extension.account_id, extension.extension_id, gone)
    return problems


async def change_found(
    connection: Connection, extension: DataExtension, found: Sequence[asyncpg.Record], values: Mapping[str, object]
) -> RowProblem | None:
    """Give locked rows (``row_id`` and ``cells``) new values; the primary key stays as it is."""
    problems: list[RowProblem | None] = [None]
    for given in _read(extension, [values], problems):
        if any(column.primary_key and column.folded in given.cells for column in extension.columns):
            return RowProblem(RowFault.INVALID, "a primary key can't be changed")
        if found:
            merged = [_merged(_decode_cells(row["cells"]), given.cells) for row in found]
            await _update(connection, extension, [row["row_id"] for row in found], merged)
    return problems[0]


async def delete_found(connection: Connection, extension: DataExtension, row_ids: Sequence[int]) -> None:
    """Remove rows by their numbers."""
    await connection.execute(_DELETE, extension.account_id, extension.extension_id, row_ids)


async def clear_rows(database: Database, extension: DataExtension) -> None:
    """Remove all its rows."""
    await database.execute(_CLEAR, extension.account_id, extension.extension_id)


async def _write(
    connection: Connection,
    extension: DataExtension,
    rows: Sequence[Mapping[str, object]],
    now: datetime,
    *,
    insert: bool,
) -> list[RowProblem | None]:
    problems: list[RowProblem | None] = [None] * len(rows)
    waiting = _keyed(extension, list(_read(extension, rows, problems)), problems)
    keys = {column.folded for column in extension.columns if column.primary_key}
    for _ in range(_MOST_RACES):
        if not waiting:
            return problems
        stored = await _lock(connection, extension, {each.key for each in waiting if each.key is not None})
        merged: dict[int, Cells] = {}
        fresh: dict[str, _Given] = {}
        for given in waiting:
            assert given.key is not None
            row = stored.get(given.key)
            # A key that is there keeps its spelling.
            changes = {name: text for name, text in given.cells.items() if name not in keys}
            if row is not None:
                number = row["row_id"]
                merged[number] = _merged(merged.get(number) or _decode_cells(row["cells"]), changes)
            elif not insert:
                problems[given.place] = RowProblem(RowFault.NO_SUCH_ROW, RowFault.NO_SUCH_ROW.value)
            elif given.key in fresh:
                fresh[given.key].new = _merged(fresh[given.key].new, changes)
            else:
                problems[given.place] = _complete(extension, given, now)
                if problems[given.place] is None:
                    fresh[given.key] = given
        if merged:
            await _update(connection, extension, list(merged), list(merged.values()))
        lost: set[str] = set()
        if fresh:
            made = await _insert(connection, extension, list(fresh.values()), None)
            lost = {key for key in fresh if (key, None, None) not in made}
        # Somebody else made these rows at this moment: they are there now, and changed like any other.
        waiting = [given for given in waiting if given.key in lost and problems[given.place] is None]
    raise RuntimeError(f"rows of {extension.key} come and go too fast to change them")


def _read(
    extension: DataExtension, rows: Sequence[Mapping[str, object]], problems: list[RowProblem | None]
) -> list[_Given]:
    """The rows whose columns exist and whose values fit; the problems of the others."""
    by_name = extension.by_name
    found = []
    for place, values in enumerate(rows):
        cells: dict[str, str | None] = {}
        problem: RowProblem | None = None
        for name, value in values.items():
            column = by_name.get(fold_name(name))
            if column is None:
                problem = RowProblem(RowFault.UNKNOWN_COLUMN, f"there is no column {name[:100]!r} in {extension.key}")
                break
            try:
                text = cell_text(column, value)
            except CellRejected as rejected:
                problem = RowProblem(RowFault.INVALID, str(rejected))
                break
            if text is None and not column.nullable and column.default is None:
                problem = RowProblem(RowFault.MISSING, f"column {column.name} must have a value")
                break
            cells[column.folded] = text
        if problem is None:
            found.append(_Given(place, cells))
        problems[place] = problem
    return found


def _keyed(extension: DataExtension, rows: list[_Given], problems: list[RowProblem | None]) -> list[_Given]:
    """The rows that name their whole primary key, with it."""
    keys = [column for column in extension.columns if column.primary_key]
    found = []
    for given in rows:
        missing = next((column for column in keys if given.cells.get(column.folded) is None), None)
        if not keys:
            problems[given.place] = RowProblem(RowFault.NO_KEY, f"{extension.key}: {RowFault.NO_KEY.value}")
        elif missing is not None:
            problems[given.place] = RowProblem(RowFault.MISSING, f"column {missing.name} of the primary key is missing")
        else:
            given.key = row_key(extension.columns, _merged({}, given.cells))
            found.append(given)
    return found


def _complete(extension: DataExtension, given: _Given, now: datetime) -> RowProblem | None:
    """Make ``given.new`` a whole row: defaults in, requirements met."""
    given.new = {}
    for column in extension.columns:
        text = given.cells.get(column.folded)
        if text is None and (column.folded not in given.cells or not column.nullable):
            text = default_text(column, now)
        if text is not None:
            given.new[column.folded] = text
        elif not column.nullable:
            return RowProblem(RowFault.MISSING, f"column {column.name} must have a value")
    given.key = row_key(extension.columns, given.new)
    return None


def _merged(old: Cells, new: Mapping[str, str | None]) -> Cells:
    merged = dict(old)
    for name, text in new.items():
        if text is None:
            merged.pop(name, None)
        else:
            merged[name] = text
    return merged


def _duplicate(extension: DataExtension, cells: Cells) -> RowProblem:
    keys = ", ".join(
        f"{column.name}={cells.get(column.folded, '')[:60]!r}" for column in extension.columns if column.primary_key
    )
    return RowProblem(RowFault.DUPLICATE, f"there is already a row with {keys}")


async def _lock(connection: Connection, extension: DataExtension, keys: set[str]) -> dict[str, asyncpg.Record]:
    rows = await connection.fetch(_FOR_CHANGE, extension.account_id, extension.extension_id, sorted(keys))
    return {row["row_key"]: row for row in rows}


async def _insert(
    connection: Connection, extension: DataExtension, given: Sequence[_Given], rows: Sequence[NewRow] | None
) -> set[tuple[str | None, UUID | None, int | None]]:
    ordered = sorted(given, key=lambda each: each.key or "")
    sources = [NewRow({}) if rows is None else rows[each.place] for each in ordered]
    made = await connection.fetch(
        _INSERT,
        extension.account_id,
        extension.extension_id,
        [each.key for each in ordered],
        [_json(each.new) for each in ordered],
        [_terms(extension, each.new) for each in ordered],
        [source.request_id for source in sources],
        [source.position for source in sources],
    )
    return {(row["row_key"], row["request_id"], row["position"]) for row in made}


async def _update(
    connection: Connection, extension: DataExtension, row_ids: Sequence[int], cells: Sequence[Cells]
) -> None:
    await connection.execute(
        _UPDATE,
        extension.account_id,
        extension.extension_id,
        row_ids,
        [_json(each) for each in cells],
        [_terms(extension, each) for each in cells],
    )


def _json(cells: Cells) -> str:
    return _encode(cells).decode()


def _terms(extension: DataExtension, cells: Cells) -> str:
    return _encode(row_terms(extension.extension_id, extension.columns, cells)).decode()
