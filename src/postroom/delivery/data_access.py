"""Data extensions for templates: the look-ups and writes of AMPscript on PostgreSQL (ampscript.md §8, §14).

One `ClaimData` serves the messages of one claim. Look-ups that wait at the same moment become one statement, and what
was read is kept for the claim. Writes are checked when the template makes them and collected; whoever settles the
message applies them in the transaction of its event, so that they happen once however often the message is tried.
Claiming a row happens at once, and the same claimant gets the same row again.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from postroom.catalog.data_columns import CellRejected, cell_text, cell_value
from postroom.catalog.data_extensions import DataExtension, count_rows, find_extension_by_name, load_extension
from postroom.catalog.data_query import (
    Condition,
    Impossible,
    Query,
    QueryRejected,
    Row,
    equal_query,
    find_many,
    find_records,
    find_rows,
)
from postroom.catalog.data_rows import NewRow, RowFault, change_found, delete_found, insert_rows
from postroom.content.ampscript.faults import MissingFault, ValueFault
from postroom.content.ampscript.run import Pairs, Rows
from postroom.content.ampscript.values import DateTime, is_null, to_text
from postroom.content.attributes import fold_name
from postroom.store.pool import Pool, PooledConnection

MOST_ROWS = 2_000

_CLAIMABLE = """
select row_id, cells from data_row
 where account_id = $1 and extension_id = $2
   and coalesce(lower(cells ->> $3::text), 'false') in ('false', '0', 'no', '')
 order by row_id limit 1
   for update skip locked
"""

# Two messages of one claimant must not both find nothing and take a row each.
_ONE_CLAIMANT = "select pg_advisory_xact_lock(hashtextextended($1, 0))"


@dataclass(frozen=True, slots=True)
class Write:
    """One write of a template, in canonical texts by folded column name."""

    kind: Literal["insert", "update", "upsert", "delete"]
    extension_id: int
    match: tuple[tuple[str, str | None], ...] = ()
    values: tuple[tuple[str, str | None], ...] = ()


class _Wanted(NamedTuple):
    extension: DataExtension
    conditions: tuple[Condition, ...]
    rows: "asyncio.Future[list[Row]]"


@dataclass(slots=True)
class ClaimData:
    """The data extensions of one business unit for the messages of one claim; no more than ``turns`` allow use the
    database at one time."""

    pool: Pool
    account_id: int
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    _extensions: "dict[str, asyncio.Task[DataExtension | None]]" = field(default_factory=dict)
    _read: "dict[object, asyncio.Future[list[Row]]]" = field(default_factory=dict)
    _waiting: list[_Wanted] = field(default_factory=list)
    _flushing: "asyncio.Task[None] | None" = None

    def rendering(self) -> "MessageData":
        """The data extensions as one message sees them."""
        return MessageData(self)

    async def extension(self, name: str) -> DataExtension:
        """By name or key. Raises MissingFault."""
        folded = fold_name(name)
        looking = self._extensions.get(folded)
        if looking is None:
            looking = asyncio.ensure_future(find_extension_by_name(self.pool, self.account_id, name.strip()))
            self._extensions[folded] = looking
        try:
            found = await asyncio.shield(looking)
        except Exception:
            self._extensions.pop(folded, None)
            raise
        if found is None:
            raise MissingFault(f"there is no data extension {name}", code="UnknownDataExtension")
        return found

    async def rows(self, extension: DataExtension, query: Query, *, limit: int, exact: bool) -> list[Row]:
        """The rows of a look-up, read once a claim."""
        key = (extension.extension_id, query, limit, exact)
        known = self._read.get(key)
        if known is None:
            known = self._read[key] = asyncio.get_running_loop().create_future()
            try:
                rows = await self._find(extension, query, limit=limit, exact=exact)
            except BaseException as error:
                # The next one who asks tries again.
                del self._read[key]
                known.set_exception(error)
                known.exception()
                raise
            known.set_result(rows)
        return await asyncio.shield(known)

    async def _find(self, extension: DataExtension, query: Query, *, limit: int, exact: bool) -> list[Row]:
        together = not exact and not query.order and query.any_of
        if not together or any(each.text is None for each in query.any_of[0]):
            async with self.turns:
                return await find_rows(self.pool, extension, query, limit=limit, exact=exact)
        wanted = _Wanted(extension, query.any_of[0], asyncio.get_running_loop().create_future())
        self._waiting.append(wanted)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        return (await wanted.rows)[:limit]

    async def _flush(self) -> None:
        # Everybody who is ready at this moment gets to ask before the question is put.
        await asyncio.sleep(0)
        waiting, self._waiting, self._flushing = self._waiting, [], None
        by_extension: dict[int, list[_Wanted]] = {}
        for wanted in waiting:
            by_extension.setdefault(wanted.extension.extension_id, []).append(wanted)
        for group in by_extension.values():
            try:
                async with self.turns:
                    found = await find_many(
                        self.pool, group[0].extension, [wanted.conditions for wanted in group], limit=MOST_ROWS
                    )
            except BaseException as error:
                for wanted in group:
                    if not wanted.rows.done():
                        wanted.rows.set_exception(error)
                if not isinstance(error, Exception):
                    raise
            else:
                for wanted, rows in zip(group, found, strict=True):
                    if not wanted.rows.done():
                        wanted.rows.set_result(rows)


@dataclass(slots=True)
class MessageData:
    """A DataAccess for one message; ``writes`` are what its settlement has to apply."""

    claim_data: ClaimData
    writes: list[Write] = field(default_factory=list)

    async def find(
        self, table: str, match: Pairs, *, exact: bool = False, order: Sequence[tuple[str, bool]] = (), limit: int = 0
    ) -> Rows:
        extension = await self.claim_data.extension(table)
        return _rows(extension, await self._rows(extension, match, exact=exact, order=order, limit=limit))

    async def size(self, table: str) -> int:
        extension = await self.claim_data.extension(table)
        async with self.claim_data.turns:
            return await count_rows(self.claim_data.pool, extension)

    async def insert(self, table: str, values: Pairs) -> int:
        extension = await self.claim_data.extension(table)
        cells = _cells(extension, values)
        await self._check_new(extension, cells)
        self.writes.append(Write("insert", extension.extension_id, values=cells))
        return 1

    async def update(self, table: str, match: Pairs, values: Pairs) -> int:
        return await self._change("update", table, match, values)

    async def upsert(self, table: str, match: Pairs, values: Pairs) -> int:
        return await self._change("upsert", table, match, values) or 1

    async def delete(self, table: str, match: Pairs) -> int:
        return await self._change("delete", table, match, ())

    async def claim(self, table: str, claimed: str, claimant: str, who: object, values: Pairs) -> Rows:
        extension = await self.claim_data.extension(table)
        column = extension.by_name.get(fold_name(claimed))
        if column is None:
            raise MissingFault(f"data extension {extension.name} has no column {claimed}", code="UnknownColumn")
        changes = dict(_cells(extension, [(claimed, True), (claimant, who), *values]))
        try:
            mine = equal_query(extension, [(claimed, True), (claimant, _plain(who))])
        except QueryRejected as rejected:
            raise MissingFault(str(rejected), code="UnknownColumn") from None
        lock = f"claim {extension.extension_id} {fold_name(claimant)} {to_text(who).casefold()}"
        claim_data = self.claim_data
        async with claim_data.turns, claim_data.pool.acquire() as connection, connection.transaction():
            await connection.execute(_ONE_CLAIMANT, lock)
            found = await find_rows(connection, extension, mine, limit=1)
            if not found:
                free = await connection.fetch(_CLAIMABLE, extension.account_id, extension.extension_id, column.folded)
                problem = await change_found(connection, extension, free, changes) if free else None
                if problem is not None:
                    raise ValueFault(problem.text, code="BadColumnValue")
                found = await find_rows(connection, extension, mine, limit=1) if free else []
        return _rows(extension, found)

    async def _rows(
        self,
        extension: DataExtension,
        match: Pairs,
        *,
        exact: bool = False,
        order: Sequence[tuple[str, bool]] = (),
        limit: int = 0,
    ) -> list[Row]:
        try:
            query = equal_query(extension, [(name, _plain(value)) for name, value in match])
        except QueryRejected as rejected:
            raise MissingFault(str(rejected), code="UnknownColumn") from None
        except Impossible:
            return []
        columns = []
        for name, descending in order:
            column = extension.by_name.get(fold_name(name))
            if column is None:
                raise MissingFault(f"data extension {extension.name} has no column {name}", code="UnknownColumn")
            columns.append((column, descending))
        query = Query(query.any_of, tuple(columns))
        return await self.claim_data.rows(extension, query, limit=limit or MOST_ROWS, exact=exact)

    async def _change(
        self, kind: Literal["update", "upsert", "delete"], table: str, match: Pairs, values: Pairs
    ) -> int:
        extension = await self.claim_data.extension(table)
        wanted, cells = _cells(extension, match), _cells(extension, values)
        if kind != "delete" and any(
            column.primary_key and column.folded in dict(cells) for column in extension.columns
        ):
            raise ValueFault(f"data extension {extension.name}: a primary key can't be changed", code="BadColumnValue")
        found = await self._rows(extension, match)
        if kind == "upsert" and not found:
            await self._check_new(extension, (*wanted, *cells))
        self.writes.append(Write(kind, extension.extension_id, wanted, cells))
        return len(found)

    async def _check_new(self, extension: DataExtension, cells: Iterable[tuple[str, str | None]]) -> None:
        """Raises ValueFault for a row that could not be inserted as things are."""
        given = dict(cells)
        for column in extension.columns:
            if not column.nullable and column.default is None and given.get(column.folded) is None:
                raise ValueFault(
                    f"data extension {extension.name}: column {column.name} must have a value", code="BadColumnValue"
                )
        keys = [column for column in extension.columns if column.primary_key]
        if keys and all(given.get(column.folded) is not None for column in keys):
            match = [(column.name, cell_value(column, given[column.folded])) for column in keys]
            if await self._rows(extension, match, limit=1):
                shown = ", ".join(f"{column.name} {given[column.folded]}" for column in keys)
                raise ValueFault(f"data extension {extension.name} already has a row with {shown}", code="DuplicateRow")


async def apply_writes(
    connection: PooledConnection, account_id: int, writes: Iterable[Write], now: datetime
) -> list[str]:
    """Carry out what templates wrote, in order, within the caller's transaction; ``now`` is aware.

    What can't be carried out any more (the row is there meanwhile, the data extension is gone) is left out and
    told: the mail it belongs to has gone out.
    """
    problems: list[str] = []
    extensions: dict[int, DataExtension | None] = {}
    for write in writes:
        if write.extension_id not in extensions:
            extensions[write.extension_id] = await load_extension(connection, account_id, write.extension_id)
        extension = extensions[write.extension_id]
        if extension is None:
            problems.append(f"{write.kind}: the data extension {write.extension_id} is gone")
            continue
        problem = await _apply(connection, extension, write, now)
        if problem:
            problems.append(f"{write.kind} in {extension.key}: {problem}")
    return problems


async def _apply(connection: PooledConnection, extension: DataExtension, write: Write, now: datetime) -> str:
    if write.kind == "insert":
        return await _insert(connection, extension, dict(write.values), now)
    query = equal_query(extension, write.match)
    found = await find_records(connection, extension, query, limit=None, lock=True)
    if write.kind == "delete":
        await delete_found(connection, extension, [row["row_id"] for row in found])
        return ""
    if not found and write.kind == "upsert":
        return await _insert(connection, extension, {**dict(write.match), **dict(write.values)}, now)
    problem = await change_found(connection, extension, found, dict(write.values))
    return "" if problem is None else problem.text


async def _insert(
    connection: PooledConnection, extension: DataExtension, cells: dict[str, str | None], now: datetime
) -> str:
    (problem,) = await insert_rows(connection, extension, [NewRow(cells)], now)
    return "" if problem is None else problem.text


def _cells(extension: DataExtension, pairs: Pairs) -> tuple[tuple[str, str | None], ...]:
    """The pairs in canonical form. Raises MissingFault and ValueFault."""
    by_name = extension.by_name
    cells: dict[str, str | None] = {}
    for name, value in pairs:
        column = by_name.get(fold_name(name))
        if column is None:
            raise MissingFault(f"data extension {extension.name} has no column {name}", code="UnknownColumn")
        try:
            text = cell_text(column, _plain(value))
        except CellRejected as rejected:
            raise ValueFault(f"data extension {extension.name}, {rejected}", code="BadColumnValue") from None
        if text is None and not column.nullable and column.default is None:
            raise ValueFault(
                f"data extension {extension.name}: {RowFault.MISSING.value}: {column.name}", code="BadColumnValue"
            )
        cells[column.folded] = text
    return tuple(cells.items())


def _plain(value: object) -> object:
    """A language value in the terms of `data_columns`."""
    if is_null(value):
        return None
    if isinstance(value, DateTime):
        return value.moment
    return value


def _rows(extension: DataExtension, rows: Sequence[Row]) -> Rows:
    return Rows(
        [column.name for column in extension.columns],
        [tuple(cell_value(column, row.cells.get(column.folded)) for column in extension.columns) for row in rows],
    )
