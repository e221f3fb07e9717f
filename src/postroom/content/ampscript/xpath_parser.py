"""XPath 1.0 as a tree (W3C Recommendation, §2 to §3.7); ``xpath`` evaluates it.

Left out: variables, and namespaces (a name with a prefix is compared as it is written).
"""

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from .faults import ValueFault

_MAX_LENGTH: Final = 2_000
_MAX_NESTING: Final = 40
_MAX_OPERATIONS: Final = 100

AXES: Final = frozenset(
    {
        "ancestor", "ancestor-or-self", "attribute", "child", "descendant", "descendant-or-self", "following",
        "following-sibling", "parent", "preceding", "preceding-sibling", "self",
    }
)  # fmt: skip
_NODE_TYPES: Final = frozenset({"comment", "text", "node", "processing-instruction"})


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | float


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Operation:
    """``left operator right``; a sign before a value is ``0 - value``."""

    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Step:
    """``axis::test[predicate]…``; ``test`` is a name, ``*``, ``prefix:*`` or a node type with ``()``."""

    axis: str
    test: str
    predicates: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Path:
    """Steps from ``start``: an expression, or None for the context node (``absolute``: the root)."""

    start: "Expression | None"
    absolute: bool
    predicates: "tuple[Expression, ...]"
    steps: tuple[Step, ...]


Expression: TypeAlias = Literal | Call | Operation | Path

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?|\.\d+)|(?P<string>\"[^\"]*\"|'[^']*')"
    r"|(?P<sign>::|//|\.\.|!=|<=|>=|[()\[\].@,/|+=<>*$-])"
    r"|(?P<name>[^\W\d][\w.-]*(?::(?!:)(?:[^\W\d][\w.-]*|\*))?))"
)
_LEVELS: Final = (("or",), ("and",), ("=", "!="), ("<", "<=", ">", ">="), ("+", "-"), ("*", "div", "mod"), ("|",))
_ENDS_A_VALUE: Final = frozenset({")", "]", ".", ".."})


def parse_xpath(source: str) -> Expression:
    """The expression ``source`` holds; ValueFault with what is wrong with it."""
    return _Parser(source).parse()


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        self._depth = 0
        self._operations = 0

    def parse(self) -> Expression:
        if len(self._source) > _MAX_LENGTH:
            raise ValueFault(f"the XPath is longer than {_MAX_LENGTH:,} characters", code="BadXPath")
        self._tokens = self._read()
        expression = self._binary(0)
        if self._at < len(self._tokens):
            raise self._refuse(f"{self._tokens[self._at][1]!r} is not expected")
        return expression

    def _refuse(self, why: str) -> ValueFault:
        return ValueFault(f"the XPath {self._source!r} cannot be read: {why}", code="BadXPath")

    def _read(self) -> list[tuple[str, str]]:
        tokens: list[tuple[str, str]] = []
        at = 0
        end = len(self._source.rstrip())
        while at < end:
            match = _TOKEN.match(self._source, at)
            if match is None:
                raise self._refuse(f"{self._source[at : at + 10]!r} is not expected")
            kind = match.lastgroup or ""
            text = match.group(kind)
            # §3.7: a star or word behind a value is an operator
            after_value = bool(tokens) and (
                tokens[-1][0] in {"number", "string", "name"} or tokens[-1][1] in _ENDS_A_VALUE
            )
            if after_value and (text == "*" or text in {"and", "or", "div", "mod"}):
                kind = "operator"
            elif text == "*":
                kind = "name"
            tokens.append((kind, text))
            at = match.end()
        return tokens

    def _peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._tokens[at][1] if at < len(self._tokens) and self._tokens[at][0] != "string" else ""

    def _kind(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _accept(self, text: str) -> bool:
        if self._peek() == text:
            self._at += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self._refuse(f"{text!r} is missing")

    def _binary(self, level: int) -> Expression:
        if level == len(_LEVELS) - 1 and self._accept("-"):
            return self._operation("-", Literal(0.0), level)
        if level == len(_LEVELS):
            return self._path()
        left = self._binary(level + 1)
        while self._peek() in _LEVELS[level] and self._kind() in {"sign", "operator"}:
            operator = self._peek()
            self._at += 1
            left = self._operation(operator, left, level + 1)
        return left

    def _operation(self, operator: str, left: Expression, level: int) -> Operation:
        self._operations += 1
        if self._operations > _MAX_OPERATIONS:
            raise self._refuse(f"it has more than {_MAX_OPERATIONS} operators")
        return Operation(operator, left, self._binary(level))

    def _inner(self) -> Expression:
        self._depth += 1
        if self._depth > _MAX_NESTING:
            raise self._refuse(f"it is nested more than {_MAX_NESTING} deep")
        expression = self._binary(0)
        self._depth -= 1
        return expression

    def _path(self) -> Expression:
        start: Expression | None = None
        predicates: tuple[Expression, ...] = ()
        steps: list[Step] = []
        absolute = False
        if self._starts_value():
            start = self._primary()
            predicates = self._predicates()
            if not predicates and self._peek() not in {"/", "//"}:
                return start
        elif self._accept("/"):
            absolute = True
            if not self._starts_step():
                return Path(None, True, (), ())
            steps.append(self._step())
        elif self._peek() == "//":
            absolute = True
        else:
            steps.append(self._step())
        while self._peek() in {"/", "//"}:
            if self._peek() == "//":
                steps.append(Step("descendant-or-self", "node()", ()))
            self._at += 1
            steps.append(self._step())
        return Path(start, absolute, predicates, tuple(steps))

    def _starts_value(self) -> bool:
        kind = self._kind()
        if kind in {"number", "string"} or self._peek() == "(":
            return True
        return kind == "name" and self._peek(1) == "(" and self._peek() not in _NODE_TYPES

    def _starts_step(self) -> bool:
        return self._kind() == "name" or self._peek() in {"@", ".", ".."}

    def _primary(self) -> Expression:
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "number":
            return Literal(float(text))
        if kind == "string":
            return Literal(text[1:-1])
        if text == "(":
            expression = self._inner()
            self._expect(")")
            return expression
        self._expect("(")
        arguments: list[Expression] = []
        if not self._accept(")"):
            arguments.append(self._inner())
            while self._accept(","):
                arguments.append(self._inner())
            self._expect(")")
        return Call(text, tuple(arguments))

    def _predicates(self) -> tuple[Expression, ...]:
        found: list[Expression] = []
        while self._accept("["):
            found.append(self._inner())
            self._expect("]")
        return tuple(found)

    def _step(self) -> Step:
        if self._accept("."):
            return Step("self", "node()", ())
        if self._accept(".."):
            return Step("parent", "node()", ())
        axis = "child"
        if self._accept("@"):
            axis = "attribute"
        elif self._kind() == "name" and self._peek(1) == "::":
            axis = self._peek()
            if axis not in AXES:
                raise self._refuse(f"{axis!r} is no axis")
            self._at += 2
        if self._kind() != "name":
            raise self._refuse("a name is missing")
        test = self._peek()
        self._at += 1
        if test in _NODE_TYPES and self._accept("("):
            if test == "processing-instruction" and self._kind() == "string":
                self._at += 1
            self._expect(")")
            test += "()"
        return Step(axis, test, self._predicates())
