"""JSONPath as the vendor's JSON library reads it, within a budget of time.

``$``, ``.name``, ``['name']``, ``[0]``, ``[-1]``, ``[0,2]``, ``[1:3]``, ``[*]``, ``.*``, ``..name``, ``..*`` and
filters ``[?(@.price < 10 && @.kind == 'a')]`` with ``== != < <= > >= && || !``, where a path alone asks whether it is
there.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from .budget import Budget
from .faults import ValueFault

Json: TypeAlias = object
_MAX_LENGTH: Final = 2_000
_MAX_NESTING: Final = 20
_SHORT: Final = 200


@dataclass(frozen=True, slots=True)
class _Names:
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Indexes:
    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Slice:
    start: int | None
    end: int | None
    step: int


@dataclass(frozen=True, slots=True)
class _Every:
    pass


@dataclass(frozen=True, slots=True)
class _Filter:
    holds: "Callable[[Json, _Scope], bool]"


@dataclass(frozen=True, slots=True)
class _Deep:
    """``..``: the next selector applies to everything below as well."""


@dataclass(frozen=True, slots=True)
class _Scope:
    root: Json
    budget: Budget


_Selector: TypeAlias = _Names | _Indexes | _Slice | _Every | _Filter | _Deep
_Operand: TypeAlias = "Callable[[Json, _Scope], list[Json]]"


def select_json(document: Json, source: str, budget: Budget) -> list[Json]:
    """The values ``source`` selects in a decoded document, in order; ValueFault when it cannot be read."""
    selectors = _remembered(source) if len(source) <= _SHORT else _Parser(source).parse()
    return _selected([document], selectors, _Scope(document, budget))


@lru_cache(maxsize=256)
def _remembered(source: str) -> Sequence[_Selector]:
    return _Parser(source).parse()


def _selected(found: list[Json], selectors: Sequence[_Selector], scope: _Scope) -> list[Json]:
    for selector in selectors:
        chosen: list[Json] = []
        for value in found:
            scope.budget.spend()
            chosen.extend(_chosen(value, selector, scope))
        found = chosen
    return found


def _chosen(value: Json, selector: _Selector, scope: _Scope) -> Iterable[Json]:
    if isinstance(selector, _Names):
        if isinstance(value, dict):
            return [value[name] for name in selector.names if name in value]
        return ()
    if isinstance(selector, _Deep):
        return _below(value, scope)
    if isinstance(value, (dict, list)):
        scope.budget.spend(len(value))
    if isinstance(selector, _Every):
        return _children(value)
    if isinstance(selector, _Filter):
        return _held(value, selector, scope)
    if not isinstance(value, list):
        return ()
    if isinstance(selector, _Slice):
        return value[selector.start : selector.end : selector.step]
    size = len(value)
    return [value[index] for index in selector.indexes if -size <= index < size]


def _children(value: Json) -> Iterable[Json]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _held(value: Json, selector: _Filter, scope: _Scope) -> Iterator[Json]:
    for child in _children(value):
        scope.budget.spend()
        if selector.holds(child, scope):
            yield child


def _below(value: Json, scope: _Scope) -> Iterator[Json]:
    coming: list[Json] = [value]
    while coming:
        found = coming.pop()
        scope.budget.spend()
        if isinstance(found, (dict, list)):
            yield found
            coming.extend(reversed(list(_children(found))))


_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"[\w$-]+")
_STRING = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SLICE = re.compile(r"\s*(-?\d{1,9})?\s*:\s*(-?\d{1,9})?\s*(?::\s*(-?\d{1,9})?\s*)?\]")
_INDEXES = re.compile(r"\s*(-?\d{1,9}(?:\s*,\s*-?\d{1,9})*)\s*\]")
_NUMBER = re.compile(r"-?\d{1,17}(?:\.\d{1,17})?(?:[eE][+-]?\d{1,3})?(?![\w.])")
_OPERATOR = re.compile(r"===|!==|==|!=|<=|>=|<|>")
_CONSTANTS: Final[dict[str, Json]] = {"true": True, "false": False, "null": None}


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._depth = 0

    def parse(self) -> tuple[_Selector, ...]:
        if len(self._source) > _MAX_LENGTH:
            raise ValueFault(f"the JSONPath is longer than {_MAX_LENGTH:,} characters", code="BadJsonPath")
        self._blank()
        if self._looking_at("$"):
            self._at += 1
        elif self._at < len(self._source) and not self._looking_at("["):
            self._source = f"{self._source[: self._at]}.{self._source[self._at :]}"  # "F[*]" is "$.F[*]"
        selectors = self._selectors()
        self._blank()
        if self._at < len(self._source):
            raise self._refuse(f"{self._source[self._at : self._at + 10]!r} is not expected")
        return selectors

    def _refuse(self, why: str) -> ValueFault:
        return ValueFault(f"the JSONPath {self._source!r} cannot be read: {why}", code="BadJsonPath")

    def _blank(self) -> None:
        match = _SPACE.match(self._source, self._at)
        self._at = match.end() if match else self._at

    def _looking_at(self, text: str) -> bool:
        return self._source.startswith(text, self._at)

    def _accept(self, text: str) -> bool:
        self._blank()
        if self._looking_at(text):
            self._at += len(text)
            return True
        return False

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self._source, self._at)
        if match is not None:
            self._at = match.end()
        return match

    def _selectors(self) -> tuple[_Selector, ...]:
        found: list[_Selector] = []
        while True:
            if self._looking_at(".."):
                self._at += 2
                found.append(_Deep())
                if not self._looking_at("["):
                    found.append(self._name())
            elif self._looking_at("."):
                self._at += 1
                found.append(self._name())
            elif self._looking_at("["):
                self._at += 1
                found.append(self._brackets())
            else:
                return tuple(found)

    def _name(self) -> _Selector:
        if self._looking_at("*"):
            self._at += 1
            return _Every()
        match = self._match(_WORD)
        if match is None:
            raise self._refuse("a name is missing after the point")
        return _Names((match.group(),))

    def _brackets(self) -> _Selector:
        self._blank()
        if self._accept("*"):
            self._close("]")
            return _Every()
        if self._accept("?"):
            self._close("(")
            holds = self._either()
            self._close(")")
            self._close("]")
            return _Filter(holds)
        match = self._match(_INDEXES)
        if match is not None:
            return _Indexes(tuple(int(number) for number in match.group(1).split(",")))
        match = self._match(_SLICE)
        if match is not None:
            start, end, step = (None if part is None else int(part) for part in match.groups())
            if step == 0:
                raise self._refuse("a slice cannot step by 0")
            return _Slice(start, end, 1 if step is None else step)
        names = [self._string()]
        while self._accept(","):
            self._blank()
            names.append(self._string())
        self._close("]")
        return _Names(tuple(names))

    def _close(self, mark: str) -> None:
        if not self._accept(mark):
            raise self._refuse(f"{mark!r} is missing")

    def _string(self) -> str:
        match = self._match(_STRING)
        if match is None:
            raise self._refuse("a number, a name in quotes, * or ?(…) belongs into brackets")
        text = match.group(1) if match.group(1) is not None else match.group(2)
        return _ESCAPED.sub(r"\1", text)

    def _either(self) -> Callable[[Json, _Scope], bool]:
        self._depth += 1
        if self._depth > _MAX_NESTING:
            raise self._refuse(f"it is nested more than {_MAX_NESTING} deep")
        choices = [self._all()]
        while self._accept("||"):
            choices.append(self._all())
        self._depth -= 1
        return lambda value, scope: any(choice(value, scope) for choice in choices)

    def _all(self) -> Callable[[Json, _Scope], bool]:
        conditions = [self._condition()]
        while self._accept("&&"):
            conditions.append(self._condition())
        return lambda value, scope: all(condition(value, scope) for condition in conditions)

    def _condition(self) -> Callable[[Json, _Scope], bool]:
        if self._accept("("):
            inner = self._either()
            self._close(")")
            return inner
        self._blank()
        if self._looking_at("!") and not self._looking_at("!="):
            self._at += 1
            self._depth += 1
            if self._depth > _MAX_NESTING:
                raise self._refuse(f"it is nested more than {_MAX_NESTING} deep")
            denied = self._condition()
            self._depth -= 1
            return lambda value, scope: not denied(value, scope)
        left = self._operand()
        self._blank()
        match = self._match(_OPERATOR)
        if match is None:
            return lambda value, scope: bool(left(value, scope))
        operator = match.group()[:2] if match.group()[0] in "=!" else match.group()
        right = self._operand()
        return lambda value, scope: any(
            _compared(operator, one, other) for one in left(value, scope) for other in right(value, scope)
        )

    def _operand(self) -> "_Operand":
        self._blank()
        for mark in ("@", "$"):
            if self._looking_at(mark):
                self._at += 1
                selectors = self._selectors()
                if mark == "@":
                    return lambda value, scope: _selected([value], selectors, scope)
                return lambda value, scope: _selected([scope.root], selectors, scope)
        constant: Json
        if self._looking_at("'") or self._looking_at('"'):
            constant = self._string()
        elif (match := self._match(_NUMBER)) is not None:
            constant = float(match.group())
        elif (match := self._match(_WORD)) is not None and match.group() in _CONSTANTS:
            constant = _CONSTANTS[match.group()]
        else:
            raise self._refuse("a path, text in quotes, number, true, false or null is missing in a filter")
        return lambda value, scope: [constant]


def _compared(operator: str, left: Json, right: Json) -> bool:
    if operator == "==":
        return _same(left, right)
    if operator == "!=":
        return not _same(left, right)
    if isinstance(left, str) and isinstance(right, str):
        sign = (left > right) - (left < right)
    elif _is_number(left) and _is_number(right):
        sign = (left > right) - (left < right)  # type: ignore[operator]
    else:
        return False
    if operator in {"<", "<="}:
        return sign < 0 or (sign == 0 and operator == "<=")
    return sign > 0 or (sign == 0 and operator == ">=")


def _same(left: Json, right: Json) -> bool:
    return isinstance(left, bool) is isinstance(right, bool) and left == right


def _is_number(value: Json) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
