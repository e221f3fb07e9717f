"""Rowsets made from texts, XML and JSON, and reading them (ampscript.md §14)."""

import json
from collections.abc import Callable, Sequence
from typing import Final

from postroom.content.ampscript.budget import Budget
from postroom.content.ampscript.faults import LimitFault, MissingFault, ValueFault
from postroom.content.ampscript.functions.registry import function
from postroom.content.ampscript.json_path import select_json
from postroom.content.ampscript.run import Run
from postroom.content.ampscript.values import Row, RowSet, is_null, shown, to_flag, to_text, to_whole
from postroom.content.ampscript.xml_tree import parse_xml
from postroom.content.ampscript.xpath import select_nodes

_VALUE: Final = ("Value",)


def _rowset(value: object) -> RowSet:
    if isinstance(value, RowSet):
        return value
    raise ValueFault(f"{shown(value)} is not a rowset; LookupRows and BuildRowSet… give one", code="NotARowset")


@function(
    "Row",
    minimum=2,
    maximum=2,
    params="rowset, n",
    doc="Row n of a rowset, from 1; outside it is an error.",
    kind="Row",
    category="Data extension",
)
def row(run: Run, rowset: object, n: object) -> Row:
    return _rowset(rowset).row(to_whole(n, "the row number"))


@function(
    "RowCount",
    minimum=1,
    maximum=1,
    params="rowset",
    doc="The number of rows.",
    kind="Number",
    category="Data extension",
)
def row_count(run: Run, rowset: object) -> int:
    return 0 if is_null(rowset) else len(_rowset(rowset))


@function(
    "Field",
    minimum=2,
    maximum=3,
    params="row, nameOrOrdinal[, errorIfMissing]",
    doc="A column of a row, by name in any case or by number from 1; missing is an error unless the flag is false.",
    kind="Any",
    category="Data extension",
)
def field(run: Run, row: object, column: object, error_if_missing: object = True) -> object:
    if not isinstance(row, Row):
        raise ValueFault(f"{shown(row)} is not a row; Row(rowset, n) gives one", code="NotARow")
    if isinstance(column, str):
        found, value = row.by_name(column)
        if not found and column.isascii() and column.isdigit():
            found, value = row.by_number(int(column[:9]))
    else:
        found, value = row.by_number(to_whole(column, "the column number"))
    if found:
        return value
    if not to_flag(error_if_missing):
        return ""
    columns = ", ".join(row.columns[:20]) or "none"
    raise MissingFault(f"there is no column {to_text(column)}; the columns are: {columns}", code="UnknownColumn")


@function(
    "BuildRowSetFromString",
    minimum=2,
    maximum=2,
    params="text, delimiter",
    doc="A row for every piece of a text; column 1, also called Value, holds it.",
    kind="Rowset",
    category="Content",
)
def build_row_set_from_string(run: Run, text: object, delimiter: object) -> RowSet:
    whole, mark = to_text(text), to_text(delimiter)
    if not whole:
        return RowSet(_VALUE, ())
    if not mark:
        return RowSet(_VALUE, ((whole,),))
    _charge(run, whole.count(mark) + 1)
    return RowSet(_VALUE, [(piece,) for piece in whole.split(mark)])


def _charge(run: Run, rows: int) -> None:
    """Rows are made one by one, as a loop would: they count as its steps."""
    if rows > run.steps:
        allowed = run.dialect.limits.steps
        raise LimitFault(f"a rowset of {rows:,} rows; at most {allowed:,} steps and rows are allowed", code="StepLimit")
    run.steps -= rows


def _built(run: Run, flag: object, build: Callable[[], RowSet]) -> RowSet:
    """What ``build`` gives; when the source cannot be read, an empty rowset where the flag asks for one."""
    empty_on_error = to_flag(flag) is not run.dialect.rowset_flag_raises
    try:
        return build()
    except ValueFault:
        if empty_on_error:
            return RowSet(_VALUE, ())
        raise


@function(
    "BuildRowSetFromXML",
    minimum=3,
    maximum=3,
    params="xml, xpath, emptyOnError",
    doc="A row for every node an XPath 1.0 selects, with Value, Xml and a column name_att for every attribute.",
    differences="No DTD, no namespaces (prefixes are compared as written). The vendor documents the flag reversed; "
    "setting `template_rowset_flag_raises`.",
    kind="Rowset",
    category="Content",
)
def build_row_set_from_xml(run: Run, xml: object, xpath: object, empty_on_error: object) -> RowSet:
    return _built(run, empty_on_error, lambda: _from_xml(run, to_text(xml), to_text(xpath)))


def _from_xml(run: Run, xml: str, xpath: str) -> RowSet:
    run.check_time()
    root = parse_xml(xml)
    budget = Budget(run.services.clock, run.dialect.limits.pattern_seconds)
    nodes = select_nodes(root, xpath, budget)
    _charge(run, len(nodes))
    columns = ["Value", "Xml"]
    numbers: dict[str, int] = {}
    for node in nodes:
        for attribute in node.attributes:
            if attribute.name not in numbers:
                numbers[attribute.name] = len(columns)
                columns.append(f"{attribute.name}_att")
    run.check_text(len(nodes) * len(columns))
    cells: list[Sequence[object]] = []
    held = 0
    for node in nodes:
        budget.spend(2 * node.weight)
        values: list[object] = [None] * len(columns)
        values[0], values[1] = node.text(), node.source()
        for attribute in node.attributes:
            values[numbers[attribute.name]] = attribute.value
        held += len(to_text(values[0])) + len(to_text(values[1]))
        run.check_text(held)
        cells.append(values)
    return RowSet(columns, cells)


@function(
    "BuildRowsetFromJSON",
    minimum=3,
    maximum=3,
    params="json, jsonPath, emptyOnError",
    doc="A row for every value a JSONPath selects; the names of an object are the columns, a bare value is in Value.",
    differences="The vendor documents the flag reversed; setting `template_rowset_flag_raises`.",
    kind="Rowset",
    category="Content",
)
def build_rowset_from_json(run: Run, source: object, path: object, empty_on_error: object) -> RowSet:
    return _built(run, empty_on_error, lambda: _from_json(run, to_text(source), to_text(path)))


def _from_json(run: Run, source: str, path: str) -> RowSet:
    run.check_time()
    try:
        document = json.loads(source)
    except ValueError as problem:
        raise ValueFault(f"the JSON cannot be read: {problem}", code="BadJson") from None
    except RecursionError:
        raise ValueFault("the JSON is nested too deep", code="BadJson") from None
    found = select_json(document, path, Budget(run.services.clock, run.dialect.limits.pattern_seconds))
    _charge(run, len(found))
    numbers: dict[str, int] = {}
    for value in found:
        for name in value if isinstance(value, dict) else _VALUE:
            numbers.setdefault(name, len(numbers))
    run.check_text(len(found) * len(numbers))
    cells: list[Sequence[object]] = []
    for value in found:
        row: list[object] = [None] * len(numbers)
        members = value if isinstance(value, dict) else {"Value": value}
        for name, member in members.items():
            row[numbers[name]] = "" if isinstance(member, (dict, list)) else member
        cells.append(row)
    return RowSet(tuple(numbers), cells)
