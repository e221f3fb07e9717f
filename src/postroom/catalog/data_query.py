"""Reading rows of data extensions: the look-up by equal values that templates make, and filtered pages.

A filter is conditions joined by ``and`` and ``or`` (``and`` binds closer): ``City eq 'Oslo' and Total gt 5``. It is
parsed to data; what reaches PostgreSQL are fixed pieces of SQL and parameters, never a client's text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

import asyncpg
import msgspec

from postroom.catalog.data_columns import TERM_SEPARATOR, CellRejected, Column, cell_text, row_key, term
from postroom.catalog.data_extensions import DataExtension
from postroom.content.attributes import fold_name
from postroom.store.database import Database

Operator: TypeAlias = Literal["eq", "neq", "lt", "lte", "gt", "gte", "like"]

MOST_CONDITIONS = 20

_TOKEN = re.compile(r"\s*(?:\[([^\]\0]{1,128})\]|'((?:[^']|'')*)'|\"([^\"\0]*)\"|([^\s'\"\[\]]+))(?:\s+|$)", re.DOTALL)
_SQL = {"eq": "=", "neq": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_NUMERIC = frozenset({"Number", "Decimal"})

_decode_cells = msgspec.json.Decoder(dict[str, str]).decode


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison; ``text`` is canonical, None for null (only eq and neq)."""

    column: Column
    operator: Operator
    text: str | None


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


def parse_query(extension: DataExtension, filter_text: str | None, order_text: str | None) -> Query:
    """Raises QueryRejected."""
    by_name = extension.by_name
    return Query(_parse_filter(by_name, filter_text or ""), _parse_order(by_name, order_text or ""))


def _parse_filter(by_name: dict[str, Column], text: str) -> tuple[tuple[Condition, ...], ...]:
    tokens = _tokens(text)
    if not tokens:
        return ()
    groups: list[list[Condition]] = [[]]
    place = count = 0
    while True:
        if len(tokens) < place + 3:
            raise QueryRejected("$filter ends early; write: column operator 'value', joined by and or or")
        column = _column(by_name, tokens[place][0], "$filter")
        groups[-1].append(_condition(column, tokens[place + 1][0], *tokens[place + 2]))
        count += 1
        if count > MOST_CONDITIONS:
            raise QueryRejected(f"$filter has more than {MOST_CONDITIONS} conditions")
        place += 3
        if place == len(tokens):
            return tuple(tuple(group) for group in groups)
        joiner = tokens[place][0].lower()
        if joiner not in ("and", "or") or tokens[place][1]:
            raise QueryRejected(f"$filter: {tokens[place][0][:50]!r} stands where and or or is expected")
        if joiner == "or":
            groups.append([])
        place += 1


def _tokens(text: str) -> list[tuple[str, bool]]:
    """Words with whether they were quoted."""
    found, place, text = [], 0, text.strip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise QueryRejected(f"$filter can't be read at {text[place : place + 50]!r}; quote values with '")
        bracketed, single, double, bare = match.groups()
        quoted = single is not None or double is not None
        word = next(part for part in (bracketed, single, double, bare) if part is not None)
        found.append((word.replace("''", "'") if single is not None else word, quoted))
        place = match.end()
    return found


def _condition(column: Column, word: str, value: str, quoted: bool) -> Condition:
    operator = word.lower()
    if operator not in (*_SQL, "like"):
        raise QueryRejected(f"$filter: {word[:50]!r} is no operator; use eq, neq, lt, lte, gt, gte or like")
    if "\0" in value:
        raise QueryRejected("$filter must not hold a NUL character")
    known = cast("Operator", operator)
    if known == "like":
        return Condition(column, known, value)
    if value.lower() == "null" and not quoted:
        if known not in ("eq", "neq"):
            raise QueryRejected("$filter: null can be compared with eq and neq only")
        return Condition(column, known, None)
    try:
        return Condition(column, known, cell_text(column, value))
    except CellRejected as rejected:
        raise QueryRejected(f"$filter: {rejected}") from None


def _parse_order(by_name: dict[str, Column], text: str) -> tuple[tuple[Column, bool], ...]:
    order = []
    for part in text.split(",") if text.strip() else ():
        name, _, direction = part.strip().rpartition(" ")
        if direction.lower() not in ("asc", "desc"):
            name, direction = part.strip(), "asc"
        order.append((_column(by_name, name.strip().strip("[]"), "$orderBy"), direction.lower() == "desc"))
    return tuple(order)


def _column(by_name: dict[str, Column], name: str, field: str) -> Column:
    column = by_name.get(fold_name(name))
    if column is None:
        known = ", ".join(each.name for each in list(by_name.values())[:20])
        raise QueryRejected(f"{field}: there is no column {name[:100]!r}; there are {known}")
    return column


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
        pieces += [_piece(each, parameters) for each in conditions if each.operator != "eq" or each.text is None]
        groups.append(" and ".join(pieces))
    return " and ((" + ") or (".join(groups) + "))"


def _piece(condition: Condition, parameters: list[object]) -> str:
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
