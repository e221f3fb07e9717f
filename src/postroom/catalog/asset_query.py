"""Finding assets: conditions, their order, and pages (contract §7.1).

A condition is a tree of `Comparison` and `Both`. It becomes SQL in which each value is a parameter and each name comes
from the table below; a property outside of it is a `QueryRejected`. Texts compare without regard to ASCII letter
case, times without a zone are Central Standard Time.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal, TypeAlias

from postroom.catalog.assets import ASSET_TYPES, COLUMNS, TABLES, Asset, asset_of_row
from postroom.store.database import Connection

MOST_TESTS = 100
DEEPEST = 20

Operator = Literal[
    "equal",
    "notequal",
    "lessthan",
    "lessthanorequal",
    "greaterthan",
    "greaterthanorequal",
    "like",
    "isnull",
    "isnotnull",
    "contains",
    "mustcontain",
    "startswith",
    "in",
]
Scalar: TypeAlias = str | int | float | bool | None

_COMPARISONS = {
    "equal": "=",
    "notequal": "<>",
    "lessthan": "<",
    "lessthanorequal": "<=",
    "greaterthan": ">",
    "greaterthanorequal": ">=",
}
_TEXT_ONLY = frozenset({"like", "contains", "mustcontain", "startswith"})
_CENTRAL = timezone(timedelta(hours=-6))
_BIGGEST = 2**63 - 1
_VIEW = re.compile(r"views\.([a-z]+)(?:\.content)?")

Kind = Literal["text", "number", "time"]

_TYPE_NAMES = "case asset.asset_type " + " ".join(f"when {n} then '{name}'" for n, name in ASSET_TYPES.items()) + " end"

_PROPERTIES: dict[str, tuple[str, Kind]] = {
    "id": ("asset.asset_id", "number"),
    "customerkey": ("asset.customer_key", "text"),
    "objectid": ("asset.object_id::text", "text"),
    "name": ("asset.name", "text"),
    "description": ("nullif(asset.description, '')", "text"),
    "content": ("asset.content", "text"),
    "assettype.id": ("asset.asset_type", "number"),
    "assettype.name": (_TYPE_NAMES, "text"),
    "assettypeid": ("asset.asset_type", "number"),
    "category.id": ("coalesce(asset.category_id, category.category_id)", "number"),
    "category.name": ("category.name", "text"),
    "category.parentid": ("category.parent_id", "number"),
    "createddate": ("asset.created_at", "time"),
    "modifieddate": ("asset.modified_at", "time"),
    "memberid": ("asset.account_id", "number"),
    "enterpriseid": ("asset.account_id", "number"),
    "status.id": ("1::bigint", "number"),
    "status.name": ("'Draft'", "text"),
    "fileproperties.filename": ("file.name", "text"),
}


class QueryRejected(ValueError):
    """A condition or an order that can't be asked for; the message names the part."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One property against one value, or against a list for `in`; the null tests have none."""

    property: str
    operator: Operator
    value: "Scalar | list[Scalar]" = None


@dataclass(frozen=True, slots=True)
class Both:
    """Two conditions, joined."""

    left: "Condition"
    operator: Literal["and", "or"]
    right: "Condition"


Condition: TypeAlias = Comparison | Both


@dataclass(frozen=True, slots=True)
class Order:
    """One property to sort by."""

    property: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class AssetPage:
    """A page of what was found, and how many were found in all."""

    assets: list[Asset]
    total: int


async def find_assets(
    connection: Connection,
    account_id: int,
    condition: Condition | None,
    orders: Sequence[Order],
    *,
    page: int,
    page_size: int,
) -> AssetPage:
    """The assets that satisfy the condition, oldest first unless ordered. Raises QueryRejected."""
    parameters: list[object] = [account_id]
    where = "asset.account_id = $1" + (f" and {condition_sql(condition, parameters)}" if condition else "")
    order = ", ".join([*(_order_sql(each) for each in orders), "asset.asset_id"])
    total = await connection.fetchval(f"select count(*) from {TABLES} where {where}", *parameters)  # noqa: S608
    size, offset = len(parameters) + 1, len(parameters) + 2
    statement = f"select {COLUMNS} from {TABLES} where {where} order by {order} limit ${size} offset ${offset}"  # noqa: S608
    rows = await connection.fetch(statement, *parameters, page_size, (page - 1) * page_size)
    return AssetPage([asset_of_row(account_id, row) for row in rows], total)


def condition_sql(condition: Condition, parameters: list[object]) -> str:
    """The condition as SQL; its values are appended to ``parameters``, which begin at `$1`.

    A test that has no answer because its property is null is false, and so is not `notEqual`'s: a missing
    description is not equal to any text. Raises QueryRejected.
    """
    return _Writer(parameters).write(condition, 0)


class _Writer:
    def __init__(self, parameters: list[object]) -> None:
        self._parameters = parameters
        self._tests = 0

    def write(self, condition: Condition, depth: int) -> str:
        if depth > DEEPEST:
            raise QueryRejected(f"the query is nested more than {DEEPEST} levels deep")
        if isinstance(condition, Both):
            left, right = self.write(condition.left, depth + 1), self.write(condition.right, depth + 1)
            return f"({left} {condition.operator} {right})"
        self._tests += 1
        if self._tests > MOST_TESTS:
            raise QueryRejected(f"the query has more than {MOST_TESTS} conditions")
        return self._test(condition)

    def _test(self, test: Comparison) -> str:
        expression, kind = self._property(test.property)
        operator = test.operator
        if operator == "isnull":
            return f"({expression} is null)"
        if operator == "isnotnull":
            return f"({expression} is not null)"
        if operator in _TEXT_ONLY:
            return self._text_test(test, f"({expression})::text")
        if operator == "in":
            values = test.value if isinstance(test.value, list) else _split(test.value)
            if not values:
                return "false"
            return "(" + " or ".join(self._compare(test, expression, kind, "=", value) for value in values) + ")"
        value = test.value
        if isinstance(value, list):
            raise QueryRejected(f"{test.property} {operator}: the value must not be a list")
        compared = self._compare(test, expression, kind, _COMPARISONS[operator], value)
        return f"({expression} is null or {compared})" if operator == "notequal" else compared

    def _compare(self, test: Comparison, expression: str, kind: Kind, sign: str, value: Scalar) -> str:
        if kind == "number":
            return f"({expression} {sign} {self._parameter(_number(test, value))}::bigint)"
        if kind == "time":
            return f"({expression} {sign} {self._parameter(_time(test, value))}::timestamptz)"
        parameter = self._parameter(_text(test, value))
        return f'(lower(({expression}) collate "C") {sign} lower({parameter}::text collate "C"))'

    def _text_test(self, test: Comparison, expression: str) -> str:
        if isinstance(test.value, list):
            raise QueryRejected(f"{test.property} {test.operator}: the value must not be a list")
        text = _text(test, test.value)
        if test.operator == "mustcontain":
            words = text.split()
            return "(" + " and ".join(self._like(expression, f"%{_literal(word)}%") for word in words or [""]) + ")"
        if test.operator == "startswith":
            return self._like(expression, f"{_literal(text)}%")
        if test.operator == "like" and "%" in text:
            return self._like(expression, "%".join(_literal(part) for part in text.split("%")))
        return self._like(expression, f"%{_literal(text)}%")

    def _like(self, expression: str, pattern: str) -> str:
        parameter = self._parameter(pattern)
        return f'(lower({expression} collate "C") like lower({parameter}::text collate "C"))'

    def _property(self, name: str) -> tuple[str, Kind]:
        found = _PROPERTIES.get(name.lower())
        if found is not None:
            return found
        view = _VIEW.fullmatch(name.lower())
        if view is None:
            raise _unknown(name)
        return f"(asset.views::jsonb -> {self._parameter(view[1])}::text ->> 'content')", "text"

    def _parameter(self, value: object) -> str:
        self._parameters.append(value)
        return f"${len(self._parameters)}"


def _order_sql(order: Order) -> str:
    found = _PROPERTIES.get(order.property.lower())
    if found is None:
        raise _unknown(order.property)
    expression = f'lower(({found[0]}) collate "C")' if found[1] == "text" else f"({found[0]})"
    return expression + (" desc" if order.descending else "")


def _unknown(name: str) -> QueryRejected:
    return QueryRejected(f"property {name[:50]!r} can't be asked for; there are {', '.join(_PROPERTIES)}, views.html")


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _split(value: Scalar) -> list[Scalar]:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else [value]


def _text(test: Comparison, value: Scalar) -> str:
    if value is None or isinstance(value, bool):
        raise QueryRejected(f"{test.property} {test.operator}: the value must be a text")
    text = str(value)
    if "\0" in text:
        raise QueryRejected(f"{test.property} {test.operator}: the value must not hold a NUL character")
    return text


def _number(test: Comparison, value: Scalar) -> int:
    if isinstance(value, str) and re.fullmatch(r"\s*-?[0-9]{1,18}\s*", value, re.ASCII):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _BIGGEST:
        return value
    raise QueryRejected(f"{test.property} {test.operator}: {str(value)[:50]!r} must be a whole number")


def _time(test: Comparison, value: Scalar) -> datetime:
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=_CENTRAL)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise QueryRejected(
            f"{test.property} {test.operator}: {str(value)[:50]!r} must be a time such as 2026-01-31T09:00:00"
        ) from None
