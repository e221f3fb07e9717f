"""Reading rows of data extensions: the look-up by equal values that templates make, and filtered pages.

What clients write as a filter is parsed to data (`catalog.data_filter`); what reaches PostgreSQL are fixed pieces of
SQL and parameters, never a client's text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import asyncpg
import msgspec

from postroom.catalog.data_columns import TERM_SEPARATOR, CellRejected, Column, cell_text, row_key, term
from postroom.catalog.data_extensions import DataExtension
from postroom.content.attributes import fold_name
from postroom.store.database import Database

Operator: TypeAlias = Literal["eq", "neq", "lt", "lte", "gt", "gte", "like", "in"]

_SQL = {"eq": "=", "neq": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_NUMERIC = frozenset({"Number", "Decimal"})

_decode_cells = msgspec.json.Decoder(dict[str, str]).decode


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison; ``text`` is canonical, None for null (only eq and neq). ``in`` has ``texts`` instead."""

    column: Column
    operator: Operator
    text: str | None
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """``any_of`` groups of conditions that all hold; empty: every row. ``order`` names columns, True descending."""

    any_of: tuple[tuple[Condition, ...], ...] = ()
    order: tuple[tuple[Column, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A stored row; cells by folded column name, null ones left out."""

    row_id: int
    cells: dict[str, str]


class QueryRejected(ValueError):
    """A filter or order that can't be understood; the text says what, and what to write."""


class Impossible(Exception):
    """A look-up for a value that its column can't hold finds nothing."""


async def page_rows(
    database: Database, extension: DataExtension, query: Query, *, page: int, page_size: int
) -> tuple[list[Row], int]:
    """One page of rows, in the order asked for and then oldest first, and how many there are in all."""
    parameters: list[object] = [extension.account_id, extension.extension_id]
    where = _where(extension, query, parameters)
    total = await database.fetchval(
        f"select count(*) from data_row where account_id = $1 and extension_id = $2{where}",  # noqa: S608
        *parameters,
    )
    order = _order(query, parameters)
    parameters += [page_size, (page - 1) * page_size]
    rows = await database.fetch(
        f"select row_id, cells from data_row where account_id = $1 and extension_id = $2{where}"  # noqa: S608
        f" order by {order}row_id limit ${len(parameters) - 1} offset ${len(parameters)}",
        *parameters,
    )
    return [_row(row) for row in rows], total


def equal_query(extension: DataExtension, match: Sequence[tuple[str, object]]) -> Query:
    """Rows where each column has its value. Raises QueryRejected for an unknown column, Impossible for a value
    that the column can't hold."""
    by_name = extension.by_name
    conditions = []
    for name, value in match:
        column = by_name.get(fold_name(name))
        if column is None:
            raise QueryRejected(f"the data extension {extension.name} has no column {name}")
        try:
            conditions.append(Condition(column, "eq", cell_text(column, value)))
        except CellRejected as rejected:
            raise Impossible(str(rejected)) from None
    return Query((tuple(conditions),) if conditions else ())


async def find_rows(
    database: Database,
    extension: DataExtension,
    query: Query,
    *,
    limit: int,
    exact: bool = False,
    lock: bool = False,
) -> list[Row]:
    """Rows of a query, oldest first within its order; ``exact`` minds case, ``lock`` keeps others from changing
    them until the transaction ends."""
    rows = await find_records(database, extension, query, limit=limit, exact=exact, lock=lock)
    return [_row(row) for row in rows]


async def find_records(
    database: Database,
    extension: DataExtension,
    query: Query,
    *,
    limit: int | None,
    exact: bool = False,
    lock: bool = False,
) -> list[asyncpg.Record]:
    """As `find_rows`, with ``row_id`` and ``cells`` as they are stored; no ``limit`` gives all."""
    parameters: list[object] = [extension.account_id, extension.extension_id]
    where = _where(extension, query, parameters)
    if exact and query.any_of:
        (conditions,) = query.any_of
        wanted = {each.column.folded: each.text for each in conditions if each.text is not None}
        parameters.append(msgspec.json.encode(wanted).decode())
        where += f" and cells @> ${len(parameters)}::jsonb"
    order = _order(query, parameters)
    parameters.append(limit)
    return await database.fetch(
        f"select row_id, cells from data_row where account_id = $1 and extension_id = $2{where}"  # noqa: S608
        f" order by {order}row_id limit ${len(parameters)}{' for update' if lock else ''}",
        *parameters,
    )


_FIND_MANY = """
select wanted.place, r.row_id, r.cells
  from unnest($3::text[], $4::text[]) with ordinality as wanted(row_key, terms, place)
 cross join lateral (
    select row_id, cells from data_row
     where account_id = $1 and extension_id = $2 and {by_key}terms @> string_to_array(wanted.terms, e'\\x1e')
     order by row_id limit $5) r
 order by wanted.place, r.row_id
"""


async def find_many(
    database: Database, extension: DataExtension, looked_for: Sequence[Sequence[Condition]], *, limit: int
) -> list[list[Row]]:
    """What `find_rows` gives for each of several look-ups by equal values that are not null, in one statement."""
    found: list[list[Row]] = [[] for _ in looked_for]
    keys = {column.folded for column in extension.columns if column.primary_key}
    keyed: list[int] = []
    others: list[int] = []
    for place, conditions in enumerate(looked_for):
        named = {each.column.folded for each in conditions}
        (keyed if keys and keys <= named else others).append(place)
    for places, by_key in ((keyed, "row_key = wanted.row_key and "), (others, "")):
        if not places:
            continue
        cells = [{each.column.folded: each.text or "" for each in looked_for[place]} for place in places]
        terms = [
            [term(extension.extension_id, each.column.folded, each.text or "") for each in looked_for[place]]
            for place in places
        ]
        rows = await database.fetch(
            _FIND_MANY.format(by_key=by_key),
            extension.account_id,
            extension.extension_id,
            [row_key(extension.columns, each) for each in cells],
            [TERM_SEPARATOR.join(each) for each in terms],
            limit,
        )
        for row in rows:
            found[places[row["place"] - 1]].append(_row(row))
    return found


def _where(extension: DataExtension, query: Query, parameters: list[object]) -> str:
    """The condition as SQL; appends what its parameters are."""
    if not query.any_of:
        return ""
    groups = []
    for conditions in query.any_of:
        pieces = []
        equal = [
            (each.column.folded, each.text) for each in conditions if each.operator == "eq" and each.text is not None
        ]
        cells = dict(equal)
        keys = {column.folded for column in extension.columns if column.primary_key}
        if keys and keys <= cells.keys():
            parameters.append(row_key(extension.columns, cells))
            pieces.append(f"row_key = ${len(parameters)}")
        if equal:
            parameters.append([term(extension.extension_id, name, text) for name, text in equal])
            pieces.append(f"terms @> ${len(parameters)}::text[]")
        others = [each for each in conditions if each.operator != "eq" or each.text is None]
        pieces += [_piece(extension, each, parameters) for each in others]
        groups.append(" and ".join(pieces))
    return " and ((" + ") or (".join(groups) + "))"


def _piece(extension: DataExtension, condition: Condition, parameters: list[object]) -> str:
    if condition.operator == "in":
        name = condition.column.folded
        parameters.append([term(extension.extension_id, name, text) for text in condition.texts])
        return f"terms && ${len(parameters)}::text[]"
    parameters.append(condition.column.folded)
    cell = f"(cells ->> ${len(parameters)}::text)"
    if condition.text is None:
        return f"{cell} is {'not ' if condition.operator == 'neq' else ''}null"
    parameters.append(condition.text)
    value = f"${len(parameters)}::text"
    if condition.operator == "like":
        return f"lower({cell}) like lower({value})"
    operator = _SQL[condition.operator]
    null = " is not false" if condition.operator == "neq" else ""
    if condition.column.type in _NUMERIC:
        return f"(({_number(cell)} {operator} {value}::numeric){null})"
    return f"((lower({cell}) {operator} lower({value})){null})"


def _order(query: Query, parameters: list[object]) -> str:
    pieces = []
    for column, descending in query.order:
        parameters.append(column.folded)
        cell = f"(cells ->> ${len(parameters)}::text)"
        typed = _number(cell) if column.type in _NUMERIC else f'lower({cell}) collate "C"'
        # The vendor sorts null before everything.
        pieces.append(f"{typed} {'desc nulls last' if descending else 'asc nulls first'}, ")
    return "".join(pieces)


def _number(cell: str) -> str:
    # PostgreSQL may look at a row of another data extension first, whose column of this name holds text.
    return f"(case when extension_id = $2 then {cell}::numeric end)"


def _row(row: asyncpg.Record) -> Row:
    return Row(row["row_id"], _decode_cells(row["cells"]))
