"""Data extensions (ampscript.md §14): reads at once, writes where the part may write, both counted.

Writes happen once a message, in its HTML part, and are committed with the message; in other parts they do nothing.
"""

from typing import Final

from postroom.content.ampscript.faults import MissingFault, ValueFault
from postroom.content.ampscript.functions.registry import function
from postroom.content.ampscript.run import Run
from postroom.content.ampscript.values import DATABASE_NULL, EMPTY_ROW, Row, RowSet, is_null, to_text, to_whole

_WRITE_NOTE: Final = "Done once a message, in the HTML part, in the transaction that settles the message."


def named_pairs(values: tuple[object, ...]) -> list[tuple[str, object]]:
    """Column names and values from arguments that alternate."""
    return [(_named(name, "column"), value) for name, value in zip(values[::2], values[1::2], strict=True)]


def _named(value: object, what: str) -> str:
    text = to_text(value).strip()
    if not text:
        raise ValueFault(f"the name of a {what} is empty", code="EmptyName")
    return text


def _table(value: object) -> str:
    return _named(value, "data extension")


def _orders(text: str) -> list[tuple[str, bool]]:
    """``col dir[, col dir]`` as columns, each with whether it descends."""
    found: list[tuple[str, bool]] = []
    for part in text.split(","):
        name = part.strip()
        if not name:
            continue
        column, _, direction = name.rpartition(" ")
        if column and direction.lower() in {"asc", "desc"}:
            found.append((column.strip().strip("[]"), direction.lower() == "desc"))
        else:
            found.append((name.strip("[]"), False))
    return found


async def _rows(run: Run, table: object, pairs: tuple[object, ...], *, exact: bool = False) -> RowSet:
    run.count("lookups")
    limit = run.dialect.limits.rows
    found = await run.data.find(_table(table), named_pairs(pairs), exact=exact, limit=limit)
    return RowSet(found.columns, found.rows)


async def _ordered_rows(
    run: Run, table: object, count: object, order: object, pairs: tuple[object, ...], *, exact: bool
) -> RowSet:
    run.count("lookups")
    most = run.dialect.limits.rows
    wanted = to_whole(count, "the number of rows")
    found = await run.data.find(
        _table(table),
        named_pairs(pairs),
        exact=exact,
        order=_orders(to_text(order)),
        limit=most if wanted <= 0 else min(wanted, most),
    )
    return RowSet(found.columns, found.rows)


@function(
    "Lookup",
    minimum=4,
    params="dataExtension, returnColumn, column1, value1[, …]",
    doc="One column of the first row that matches every pair, in any case; null when there is none.",
    kind="Any",
    category="Data extension",
    needs="data",
    pairs=2,
)
async def lookup(run: Run, table: object, column: object, *pairs: object) -> object:
    run.count("lookups")
    wanted = _named(column, "column")
    found = await run.data.find(_table(table), named_pairs(pairs), limit=1)
    known, value = _cell(RowSet(found.columns, found.rows), wanted, to_text(table))
    return value if known else DATABASE_NULL


def _cell(rows: RowSet, column: str, table: str) -> tuple[bool, object]:
    """Whether there is a first row, and its value in ``column``."""
    if rows.number_of(column) is None:
        raise MissingFault(f"the data extension {table} has no column {column}", code="UnknownColumn")
    return rows.row(1).by_name(column) if len(rows) else (False, None)


@function(
    "LookupRows",
    minimum=3,
    params="dataExtension, column1, value1[, …]",
    doc="All rows that match every pair, in any case, at most 2,000, in no order that can be relied on.",
    kind="Rowset",
    category="Data extension",
    needs="data",
    pairs=1,
)
async def lookup_rows(run: Run, table: object, *pairs: object) -> RowSet:
    return await _rows(run, table, pairs)


@function(
    "LookupRowsCS",
    minimum=3,
    params="dataExtension, column1, value1[, …]",
    doc="As LookupRows, but case matters.",
    kind="Rowset",
    category="Data extension",
    needs="data",
    pairs=1,
)
async def lookup_rows_cs(run: Run, table: object, *pairs: object) -> RowSet:
    return await _rows(run, table, pairs, exact=True)


@function(
    "LookupOrderedRows",
    minimum=5,
    params='dataExtension, count, "column asc or desc[, …]", column1, value1[, …]',
    doc="The first count matching rows in that order; 0 for all (at most 2,000).",
    kind="Rowset",
    category="Data extension",
    needs="data",
    pairs=3,
)
async def lookup_ordered_rows(run: Run, table: object, count: object, order: object, *pairs: object) -> RowSet:
    return await _ordered_rows(run, table, count, order, pairs, exact=False)


@function(
    "LookupOrderedRowsCS",
    minimum=5,
    params='dataExtension, count, "column asc or desc[, …]", column1, value1[, …]',
    doc="As LookupOrderedRows, but case matters.",
    kind="Rowset",
    category="Data extension",
    needs="data",
    pairs=3,
)
async def lookup_ordered_rows_cs(run: Run, table: object, count: object, order: object, *pairs: object) -> RowSet:
    return await _ordered_rows(run, table, count, order, pairs, exact=True)


@function(
    "DataExtensionRowCount",
    minimum=1,
    maximum=1,
    params="dataExtension",
    doc="The number of rows of a data extension.",
    kind="Number",
    category="Data extension",
    needs="data",
)
async def data_extension_row_count(run: Run, table: object) -> int:
    run.count("lookups")
    return await run.data.size(_table(table))


@function(
    "InsertDE",
    minimum=3,
    params="dataExtension, column1, value1[, …]",
    doc="Adds a row; a key that is there already is an error. Prints nothing.",
    differences=_WRITE_NOTE,
    kind="None",
    category="Data extension",
    needs="writes",
    pairs=1,
)
async def insert_de(run: Run, table: object, *pairs: object) -> str:
    values = named_pairs(pairs)
    if run.may_write:
        run.count("writes")
        await run.data.insert(_table(table), values)
    return ""


@function(
    "UpdateDE",
    minimum=6,
    params="dataExtension, keys, keyColumn1, keyValue1[, …], column1, value1[, …]",
    doc="Sets columns of the rows that match the first pairs (keys says how many). No match is no error.",
    differences=_WRITE_NOTE,
    kind="None",
    category="Data extension",
    needs="writes",
    pairs=2,
)
async def update_de(run: Run, table: object, keys: object, *pairs: object) -> str:
    match, values = _split(keys, pairs)
    if run.may_write:
        run.count("writes")
        await run.data.update(_table(table), match, values)
    return ""


@function(
    "UpsertDE",
    minimum=6,
    params="dataExtension, keys, keyColumn1, keyValue1[, …], column1, value1[, …]",
    doc="As UpdateDE, and adds a row when none matches.",
    differences=_WRITE_NOTE,
    kind="None",
    category="Data extension",
    needs="writes",
    pairs=2,
)
async def upsert_de(run: Run, table: object, keys: object, *pairs: object) -> str:
    match, values = _split(keys, pairs)
    if run.may_write:
        run.count("writes")
        await run.data.upsert(_table(table), match, values)
    return ""


Pairs = list[tuple[str, object]]


def _split(keys: object, values: tuple[object, ...]) -> tuple[Pairs, Pairs]:
    count = to_whole(keys, "the number of key columns")
    pairs = named_pairs(values)
    if not 1 <= count < len(pairs):
        raise ValueFault(
            f"{count} key columns of {len(pairs)} pairs; at least one pair must select and one be set",
            code="BadKeyCount",
        )
    return pairs[:count], pairs[count:]


@function(
    "DeleteDE",
    minimum=3,
    params="dataExtension, column1, value1[, …]",
    doc="Deletes the rows that match every pair. Prints nothing.",
    differences=_WRITE_NOTE,
    kind="None",
    category="Data extension",
    needs="writes",
    pairs=1,
)
async def delete_de(run: Run, table: object, *pairs: object) -> str:
    match = named_pairs(pairs)
    if run.may_write:
        run.count("writes")
        await run.data.delete(_table(table), match)
    return ""


async def _claim(
    run: Run, table: object, claimed: object, claimant: object, who: object, pairs: tuple[object, ...]
) -> RowSet:
    if is_null(who) or who == "":
        raise ValueFault("who claims the row is empty", code="EmptyName")
    run.count("writes")
    values = named_pairs(pairs)
    found = await run.data.claim(_table(table), _named(claimed, "column"), _named(claimant, "column"), who, values)
    return RowSet(found.columns, found.rows)


@function(
    "ClaimRow",
    minimum=4,
    params="dataExtension, claimedColumn, claimantColumn, claimant[, column, value …]",
    doc="An unclaimed row, from now on the claimant's; the same claimant gets the same row again. "
    "When all are taken, an empty row (Empty says true).",
    differences="Several columns beside the claimant's are set in the row.",
    kind="Row",
    category="Data extension",
    needs="writes",
    pairs=4,
)
async def claim_row(run: Run, table: object, claimed: object, claimant: object, who: object, *pairs: object) -> Row:
    rows = await _claim(run, table, claimed, claimant, who, pairs)
    return rows.row(1) if len(rows) else EMPTY_ROW


@function(
    "ClaimRowValue",
    minimum=6,
    params="dataExtension, returnColumn, claimedColumn, fallback, claimantColumn, claimant[, column, value …]",
    doc="One column of the row ClaimRow gives; the fallback when all are taken.",
    kind="Any",
    category="Data extension",
    needs="writes",
    pairs=6,
)
async def claim_row_value(
    run: Run,
    table: object,
    column: object,
    claimed: object,
    fallback: object,
    claimant: object,
    who: object,
    *pairs: object,
) -> object:
    wanted = _named(column, "column")
    rows = await _claim(run, table, claimed, claimant, who, pairs)
    if not len(rows):
        return fallback
    return _cell(rows, wanted, to_text(table))[1]
