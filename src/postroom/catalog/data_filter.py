"""What clients of data extensions write to find and order rows, parsed to a query.

A filter is conditions joined by ``and`` and ``or`` (``and`` binds closer), with parentheses where they help:
``City eq 'Oslo' and (Total gt 5 or Total is null)``, ``City in ('Oslo','Bergen')``.
"""

import re
from dataclasses import dataclass
from itertools import product
from typing import Literal, TypeAlias, cast

from postroom.catalog.data_columns import CellRejected, Column, cell_text
from postroom.catalog.data_extensions import DataExtension
from postroom.catalog.data_query import Condition, Operator, Query, QueryRejected
from postroom.content.attributes import fold_name

MOST_CONDITIONS = 20
MOST_VALUES = 500
_MOST_GROUPS = 200
_COMPARING = frozenset({"eq", "neq", "lt", "lte", "gt", "gte", "like"})

_TOKEN = re.compile(
    r"""\s*(?: (?P<mark>[(),]) | \[(?P<column>[^\]\0]{1,128})\] | '(?P<single>(?:[^']|'')*)' | "(?P<double>[^"\0]*)"
    | (?P<bare>[^\s'"\[\]()]+) )\s*""",
    re.DOTALL | re.VERBOSE,
)

Kind: TypeAlias = Literal["mark", "column", "single", "double", "bare", "end"]
Groups: TypeAlias = "list[tuple[Condition, ...]]"


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    kind: Kind

    def is_(self, *words: str) -> bool:
        """Whether it is one of these, unquoted."""
        return self.kind in ("bare", "mark") and self.text.lower() in words


def parse_query(extension: DataExtension, filter_text: str | None, order_text: str | None) -> Query:
    """Raises QueryRejected."""
    by_name = extension.by_name
    groups = _Filter(by_name, filter_text or "").groups()
    return Query(tuple(groups), _parse_order(by_name, order_text or ""))


class _Filter:
    """Reads a filter word by word; what it gives are groups of which one must hold as a whole."""

    def __init__(self, by_name: dict[str, Column], text: str) -> None:
        self._by_name = by_name
        self._words = _words(text)
        self._place = 0
        self._count = self._depth = 0

    def groups(self) -> Groups:
        """Empty for an empty filter."""
        if len(self._words) == 1:
            return []
        groups = self._any()
        left = self._next()
        if left.kind != "end":
            raise QueryRejected(f"$filter: {left.text[:50]!r} stands where and or or is expected")
        return groups

    def _any(self) -> Groups:
        groups = self._all()
        while self._peek().is_("or"):
            self._next()
            groups += self._all()
        return groups

    def _all(self) -> Groups:
        groups = self._one()
        while self._peek().is_("and"):
            self._next()
            groups = [left + right for left, right in product(groups, self._one())]
            if len(groups) > _MOST_GROUPS:
                raise QueryRejected(f"$filter stands for more than {_MOST_GROUPS} alternatives")
        return groups

    def _one(self) -> Groups:
        if self._peek().is_("("):
            self._next()
            self._depth += 1
            if self._depth > MOST_CONDITIONS:
                raise QueryRejected(f"$filter has more than {MOST_CONDITIONS} parentheses within each other")
            groups = self._any()
            self._depth -= 1
            if not self._next().is_(")"):
                raise QueryRejected("$filter: a parenthesis is open")
            return groups
        self._count += 1
        if self._count > MOST_CONDITIONS:
            raise QueryRejected(f"$filter has more than {MOST_CONDITIONS} conditions")
        column = _column(self._by_name, self._next().text, "$filter")
        word = self._next()
        operator = word.text.lower()
        if operator == "is":
            return [(Condition(column, self._null(), None),)]
        if operator == "in":
            return [(Condition(column, "in", None, self._values(column)),)]
        if operator not in _COMPARING:
            known = "eq, neq, lt, lte, gt, gte, like, in, is null or is not null"
            raise QueryRejected(f"$filter: {word.text[:50]!r} is no operator; use {known}")
        return [(_condition(column, cast("Operator", operator), self._next()),)]

    def _null(self) -> Operator:
        word = self._next()
        operator: Operator = "eq"
        if word.is_("not"):
            operator, word = "neq", self._next()
        if not word.is_("null"):
            raise QueryRejected("$filter: is must be followed by null or not null")
        return operator

    def _values(self, column: Column) -> tuple[str, ...]:
        if not self._next().is_("("):
            raise QueryRejected("$filter: in must be followed by values in parentheses")
        texts: list[str] = []
        while True:
            word = self._next()
            # Without quotes, commas are parts of words.
            values = [each for each in word.text.split(",") if each] if word.kind == "bare" else [word.text]
            if word.kind in ("mark", "end"):
                raise QueryRejected("$filter: in ends early; write: column in ('value','value')")
            texts += [text for value in values if (text := _value(column, value)) is not None]
            if len(texts) > MOST_VALUES:
                raise QueryRejected(f"$filter: in has more than {MOST_VALUES} values")
            if self._peek().is_(")"):
                self._next()
                return tuple(texts)
            if self._peek().is_(","):
                self._next()

    def _peek(self) -> _Word:
        return self._words[self._place]

    def _next(self) -> _Word:
        word = self._words[self._place]
        if word.kind == "end":
            return word
        self._place += 1
        return word


def _words(text: str) -> list[_Word]:
    """Its words and, last, its end."""
    found: list[_Word] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None or match.end() == place:
            raise QueryRejected(f"$filter can't be read at {text[place : place + 50]!r}; quote values with '")
        kind = cast("Kind", match.lastgroup)
        word = match[kind]
        found.append(_Word(word.replace("''", "'") if kind == "single" else word, kind))
        place = match.end()
    return [*found, _Word("", "end")]


def _condition(column: Column, operator: Operator, word: _Word) -> Condition:
    if word.kind in ("mark", "end"):
        raise QueryRejected("$filter ends early; write: column operator 'value', joined by and or or")
    if "\0" in word.text:
        raise QueryRejected("$filter must not hold a NUL character")
    if operator == "like":
        return Condition(column, operator, word.text)
    if word.is_("null"):
        if operator not in ("eq", "neq"):
            raise QueryRejected("$filter: null can be compared with eq and neq only")
        return Condition(column, operator, None)
    return Condition(column, operator, _value(column, word.text))


def _value(column: Column, text: str) -> str | None:
    try:
        return cell_text(column, text)
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
