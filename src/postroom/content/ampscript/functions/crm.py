"""Salesforce objects, kept in the data extension that bears their name (ampscript.md §14, Salesforce CRM)."""

from typing import Final

from postroom.content.ampscript.faults import LimitFault, MissingFault, ValueFault
from postroom.content.ampscript.functions.data import named_pairs
from postroom.content.ampscript.functions.registry import function
from postroom.content.ampscript.run import Rows, Run
from postroom.content.ampscript.values import RowSet, compare, from_table, shown, to_text, to_whole

_OPERATORS: Final = {"=": "==", "!=": "!=", "<": "<", ">": ">", "<=": "<=", ">=": ">="}
_NOTE: Final = "Works on the data extension with the object's name, whose column Id is the id; no CRM is asked."


@function(
    "RetrieveSalesforceObjects",
    minimum=5,
    params='object, "field1,field2", field, operator, value[, …]',
    doc="The records that meet every condition; operators are = != < > <= >=.",
    differences=_NOTE,
    kind="Rowset",
    category="Salesforce CRM",
    needs="data",
)
async def retrieve_salesforce_objects(run: Run, name: object, fields: object, *conditions: object) -> RowSet:
    if len(conditions) % 3:
        raise ValueFault("a condition is field, operator and value; one is not complete", code="BadCondition")
    equal: list[tuple[str, object]] = []
    others: list[tuple[str, str, object]] = []
    for at in range(0, len(conditions), 3):
        field, sign, value = conditions[at : at + 3]
        operator = _OPERATORS.get(to_text(sign).strip())
        if operator is None:
            raise ValueFault(f"{shown(sign)} is no operator; write = != < > <= or >=", code="UnknownOperator")
        column = to_text(field).strip()
        if operator == "==":
            equal.append((column, value))
        else:
            others.append((column, operator, value))
    wanted = [column for part in to_text(fields).split(",") if (column := part.strip())]
    return _picked(run, to_text(name), await _found(run, to_text(name), equal, bool(others)), wanted, others)


async def _found(run: Run, name: str, equal: list[tuple[str, object]], narrowed: bool) -> Rows:
    run.count("lookups")
    most = run.dialect.limits.rows
    found = await run.data.find(name, equal, limit=most)
    if narrowed and len(found.rows) >= most:
        raise LimitFault(f"more than {most:,} records of {name} to compare; add a condition with =", code="RowLimit")
    return found


def _picked(run: Run, name: str, found: Rows, wanted: list[str], others: list[tuple[str, str, object]]) -> RowSet:
    rows = RowSet(found.columns, found.rows)

    def number(column: str) -> int:
        at = rows.number_of(column)
        if at is None:
            raise MissingFault(f"{name} has no field {column}", code="UnknownColumn")
        return at

    numbers = [number(column) for column in wanted]
    tests = [(number(column), operator, value) for column, operator, value in others]
    kept = [
        [cells[at] for at in numbers]
        for cells in found.rows
        if all(compare(operator, from_table(cells[at]), value) for at, operator, value in tests)
    ]
    return RowSet(wanted, kept)


@function(
    "UpdateSingleSalesforceObject",
    minimum=4,
    params="object, id, field1, value1[, …]",
    doc="Sets fields of one record; 1 when there is one, else 0.",
    differences=_NOTE,
    kind="Number",
    category="Salesforce CRM",
    needs="writes",
    pairs=2,
)
async def update_single_salesforce_object(run: Run, name: object, identity: object, *pairs: object) -> int:
    values = named_pairs(pairs)
    if not run.may_write:
        return 1
    run.count("writes")
    changed = await run.data.update(to_text(name), [("Id", identity)], values)
    return 1 if changed else 0


@function(
    "CreateSalesforceObject",
    minimum=4,
    params="object, fields, field1, value1[, …]",
    doc="Adds a record and gives its id.",
    differences=f"{_NOTE} The id is a new UUID unless the field Id is among the values.",
    category="Salesforce CRM",
    needs="writes",
    pairs=2,
)
async def create_salesforce_object(run: Run, name: object, count: object, *pairs: object) -> str:
    values = named_pairs(pairs)
    wanted = to_whole(count, "the number of fields")
    if wanted != len(values):
        raise ValueFault(f"{wanted} fields are announced and {len(values)} given", code="BadKeyCount")
    given = next((to_text(value) for column, value in values if column.casefold() == "id"), None)
    identity = given or run.new_guid()
    if run.may_write:
        run.count("writes")
        rest = [(column, value) for column, value in values if column.casefold() != "id"]
        await run.data.insert(to_text(name), [("Id", identity), *rest])
    return identity
