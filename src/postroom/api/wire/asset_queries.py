"""How assets are asked for on the wire (contract §7.1): `$filter`, `$orderBy`, `$fields`, and the body of /query."""

import re
from typing import Any, Literal, cast

import msgspec

from postroom.api.errors import ApiError, Code
from postroom.api.wire.decoding import decode, refuse_token_in
from postroom.catalog.asset_query import DEEPEST, Both, Comparison, Condition, Operator, Order

_FILTER = re.compile(
    r"\s*([a-z][a-z0-9.]{0,60})\s+(eq|neq|lte|lt|gte|gt|like)\s+(?:'((?:[^']|'')*)'|([^\s']{1,200}))\s*", re.IGNORECASE
)
_ORDER = re.compile(r"\s*([a-z][a-z0-9.]{0,60})(?:\s+(asc|desc))?\s*", re.IGNORECASE)
_SHORT: dict[str, Operator] = {
    "eq": "equal",
    "neq": "notequal",
    "lt": "lessthan",
    "lte": "lessthanorequal",
    "gt": "greaterthan",
    "gte": "greaterthanorequal",
    "like": "like",
}
_OPERATORS: frozenset[str] = frozenset(
    (*_SHORT.values(), "isnull", "isnotnull", "contains", "mustcontain", "startswith", "in")
)
_SPELLINGS = {
    "equals": "equal",
    "notequals": "notequal",
    "lessthanorequals": "lessthanorequal",
    "greaterthanorequals": "greaterthanorequal",
    **_SHORT,
}
_MOST_ORDERS = 10


class QueryPage(msgspec.Struct):
    page: int | None = None
    page_size: int | None = msgspec.field(default=None, name="pageSize")


class QuerySort(msgspec.Struct):
    property: str
    direction: str = "ASC"


class QueryBody(msgspec.Struct):
    """The body of POST /assets/query; unknown fields are ignored."""

    page: QueryPage | None = None
    query: dict[str, Any] | None = None
    sort: list[QuerySort] | None = None
    fields: list[str] | None = None


_decoder = msgspec.json.Decoder(QueryBody)


def read_query(body: bytes) -> QueryBody:
    """The body. Raises ApiError."""
    wire = decode(_decoder, body)
    refuse_token_in(body)
    return wire


def filter_condition(text: str | None) -> Condition | None:
    """The one condition of `$filter`. Raises ApiError 10005."""
    if text is None:
        return None
    found = _FILTER.fullmatch(text)
    if found is None:
        raise ApiError(
            Code.INVALID_VALUE,
            f"$filter is {text[:100]!r}; it must be a property, one of eq, neq, lt, lte, gt, gte, like, and a value",
        )
    value = found[4] if found[3] is None else found[3].replace("''", "'")
    return Comparison(found[1], _SHORT[found[2].lower()], value)


def order_fields(text: str | None) -> list[Order]:
    """The properties of `$orderBy`, separated by commas. Raises ApiError 10005."""
    if text is None:
        return []
    orders = []
    for part in text.split(","):
        found = _ORDER.fullmatch(part)
        if found is None:
            raise ApiError(Code.INVALID_VALUE, f"$orderBy is {text[:100]!r}; it must be a property, then asc or desc")
        orders.append(Order(found[1], (found[2] or "").lower() == "desc"))
    return orders[:_MOST_ORDERS]


def sort_orders(sort: list[QuerySort] | None) -> list[Order]:
    """The order of a /query body. Raises ApiError 10005."""
    orders = []
    for each in (sort or [])[:_MOST_ORDERS]:
        direction = each.direction.lower()
        if direction not in ("asc", "desc", "ascending", "descending"):
            raise ApiError(Code.INVALID_VALUE, f"sort.direction is {each.direction[:50]!r}; it must be ASC or DESC")
        orders.append(Order(each.property, direction.startswith("desc")))
    return orders


def query_condition(query: dict[str, Any] | None) -> Condition | None:
    """The condition of a /query body; an empty object is none. Raises ApiError 10005 naming the operand."""
    return None if not query else _operand(query, "query", 0)


def chosen(asset: dict[str, Any], fields: list[str] | None) -> dict[str, Any]:
    """The asset with only the fields asked for, and its id; a dotted name stands for the field it begins with."""
    if not fields:
        return asset
    wanted = {field.strip().partition(".")[0].lower() for field in fields} | {"id"}
    return {name: value for name, value in asset.items() if name.lower() in wanted}


def _operand(operand: object, path: str, depth: int, prefix: str = "") -> Condition:
    if depth > DEEPEST:
        raise ApiError(Code.INVALID_VALUE, f"query is nested more than {DEEPEST} levels deep")
    if not isinstance(operand, dict):
        raise ApiError(Code.WRONG_TYPE, f"{path} must be an object")
    if "leftOperand" in operand or "logicalOperator" in operand or "rightOperand" in operand:
        return _both(operand, path, depth, prefix)
    name, operator = operand.get("property"), operand.get("simpleOperator")
    if not isinstance(name, str) or not isinstance(operator, str):
        raise ApiError(Code.REQUIRED, f"{path}.property and {path}.simpleOperator are required")
    value = operand.get("value")
    folded = operator.strip().lower()
    folded = _SPELLINGS.get(folded, folded)
    if folded == "where":
        return _operand(value, f"{path}.value", depth + 1, f"{prefix}{name}.")
    if folded not in _OPERATORS:
        known = ", ".join(sorted((*_OPERATORS, "where")))
        raise ApiError(Code.INVALID_VALUE, f"{path}.simpleOperator is {operator[:50]!r}; it must be one of {known}")
    values = value if isinstance(value, list) else [value]
    if not all(each is None or isinstance(each, str | int | float) for each in values):
        raise ApiError(Code.WRONG_TYPE, f"{path}.value must be a text, a number or a list of them")
    return Comparison(prefix + name, cast("Operator", folded), value)


def _both(operand: dict[str, Any], path: str, depth: int, prefix: str) -> Condition:
    sides = [
        _operand(operand[side], f"{path}.{side}", depth + 1, prefix)
        for side in ("leftOperand", "rightOperand")
        if operand.get(side) is not None
    ]
    if not sides:
        raise ApiError(Code.REQUIRED, f"{path}.leftOperand is required")
    if len(sides) == 1:
        return sides[0]
    joined = str(operand.get("logicalOperator", "AND")).lower()
    if joined not in ("and", "or"):
        raise ApiError(Code.INVALID_VALUE, f"{path}.logicalOperator must be AND or OR")
    return Both(sides[0], cast("Literal['and', 'or']", joined), sides[1])
