"""Evaluating XPath 1.0 over ``xml_tree``, within a budget of time."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from .budget import Budget
from .faults import ValueFault
from .xml_tree import Node
from .xpath_parser import Call, Expression, Literal, Operation, Path, Step, parse_xpath

Value: TypeAlias = list[Node] | str | float | bool


def select_nodes(root: Node, source: str, budget: Budget) -> list[Node]:
    """The nodes ``source`` selects, in document order; ValueFault when it selects none by its nature (``count(//a)``)
    or cannot be read."""
    result = _Evaluation(budget).value(parse_xpath(source), _Place(root, 1, 1))
    if not isinstance(result, list):
        raise ValueFault(f"the XPath {source!r} gives a value, not nodes", code="BadXPath")
    return result


@dataclass(frozen=True, slots=True)
class _Place:
    """The context of an expression: the node, its position and how many there are."""

    node: Node
    position: int
    size: int


def _string(value: Value) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return value[0].text() if value else ""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return str(int(value)) if value == int(value) else repr(value)


def _number(value: Value) -> float:
    if isinstance(value, bool):
        return 1.0 if value else 0.0
    if isinstance(value, float):
        return value
    text = _string(value).strip(" \t\r\n")
    digits = text.removeprefix("-").replace(".", "", 1)
    return float(text) if digits.isascii() and digits.isdigit() else math.nan


def _boolean(value: Value) -> bool:
    if isinstance(value, float):
        return value != 0 and not math.isnan(value)
    return bool(value)


class _Evaluation:
    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def value(self, expression: Expression, place: _Place) -> Value:
        self._budget.spend()
        if isinstance(expression, Literal):
            return expression.value
        if isinstance(expression, Path):
            return self._path(expression, place)
        if isinstance(expression, Operation):
            return self._operation(expression, place)
        return self._call(expression, place)

    def _operation(self, expression: Operation, place: _Place) -> Value:
        operator = expression.operator
        left = self.value(expression.left, place)
        if operator == "or":
            return _boolean(left) or _boolean(self.value(expression.right, place))
        if operator == "and":
            return _boolean(left) and _boolean(self.value(expression.right, place))
        right = self.value(expression.right, place)
        if operator == "|":
            return _ordered([*self._nodes(left, "|"), *self._nodes(right, "|")])
        if operator in {"=", "!=", "<", "<=", ">", ">="}:
            return self._compare(operator, left, right)
        for value in (left, right):
            self._budget.spend(value[0].weight if isinstance(value, list) and value else 1)
        return _arithmetic(operator, _number(left), _number(right))

    def _nodes(self, value: Value, where: str) -> list[Node]:
        if not isinstance(value, list):
            raise ValueFault(f"{where} in an XPath needs nodes", code="BadXPath")
        return value

    def _compare(self, operator: str, left: Value, right: Value) -> bool:
        """§3.4: nodes compare by any of them."""
        if isinstance(left, bool) or isinstance(right, bool):
            return _related(operator, _number(_boolean(left)), _number(_boolean(right)))
        for one in self._texts(left):
            for other in self._texts(right):
                self._budget.spend()
                if operator in {"=", "!="} and isinstance(one, str) and isinstance(other, str):
                    if (one == other) is (operator == "="):
                        return True
                elif _related(operator, _number(one), _number(other)):
                    return True
        return False

    def _texts(self, value: Value) -> Sequence[str | float]:
        if isinstance(value, list):
            texts = []
            for node in value:
                self._budget.spend(node.weight)
                texts.append(node.text())
            return texts
        return [value]

    def _path(self, path: Path, place: _Place) -> list[Node]:
        if path.start is not None:
            nodes = self._nodes(self.value(path.start, place), "a path")
            nodes = self._filtered(nodes, path.predicates)
        elif path.absolute:
            node = place.node
            while node.parent is not None:
                node = node.parent
            nodes = [node]
        else:
            nodes = [place.node]
        for step in path.steps:
            found: list[Node] = []
            for node in nodes:
                found.extend(self._filtered(self._matching(step, node), step.predicates))
            nodes = _ordered(found)
        return nodes

    def _matching(self, step: Step, node: Node) -> list[Node]:
        found: list[Node] = []
        principal = "attribute" if step.axis == "attribute" else "element"
        for candidate in _AXES[step.axis](node):
            self._budget.spend()
            if _passes(candidate, step.test, principal):
                found.append(candidate)
        return found

    def _filtered(self, nodes: list[Node], predicates: Sequence[Expression]) -> list[Node]:
        for predicate in predicates:
            size = len(nodes)
            kept: list[Node] = []
            for position, node in enumerate(nodes, 1):
                value = self.value(predicate, _Place(node, position, size))
                holds = value == position if isinstance(value, float) else _boolean(value)
                if holds:
                    kept.append(node)
            nodes = kept
        return nodes

    def _call(self, call: Call, place: _Place) -> Value:
        known = _FUNCTIONS.get(call.name)
        if known is None:
            raise ValueFault(f"{call.name}() is no function of an XPath here", code="BadXPath")
        low, high, compute = known
        if not low <= len(call.arguments) <= high:
            raise ValueFault(f"{call.name}() has the wrong number of arguments", code="BadXPath")
        arguments = [self.value(argument, place) for argument in call.arguments]
        if not arguments:
            self._budget.spend(place.node.weight)
        for argument in arguments:
            if isinstance(argument, str):
                self._budget.spend(1 + len(argument) // 100)
            elif isinstance(argument, list):
                read = argument if call.name == "sum" else argument[:1]
                self._budget.spend(1 + sum(node.weight for node in read))
        return compute(place, arguments)


def _arithmetic(operator: str, left: float, right: float) -> float:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    if right == 0:
        infinite = operator == "div" and left != 0 and not math.isnan(left)
        return math.copysign(math.inf, left) if infinite else math.nan
    if operator == "div":
        return left / right
    return math.nan if math.isinf(left) or math.isnan(left) else math.fmod(left, right)


def _related(operator: str, left: float, right: float) -> bool:
    if operator == "=":
        return left == right
    if operator == "!=":
        return left != right
    if operator == "<":
        return left < right
    if operator == "<=":
        return left <= right
    return left > right if operator == ">" else left >= right


def _ordered(nodes: Iterable[Node]) -> list[Node]:
    return sorted(dict.fromkeys(nodes), key=lambda node: node.order)


def _passes(node: Node, test: str, principal: str) -> bool:
    if test == "node()":
        return True
    if test == "text()":
        return node.kind == "text"
    if test == "comment()":
        return node.kind == "comment"
    if test == "processing-instruction()":
        return node.kind == "instruction"
    if node.kind != principal:
        return False
    return test == "*" or node.name == test or (test.endswith(":*") and node.name.startswith(test[:-1]))


def _descendants(node: Node) -> Iterator[Node]:
    coming = list(reversed(node.children))
    while coming:
        found = coming.pop()
        yield found
        coming.extend(reversed(found.children))


def _with_self(node: Node) -> Iterator[Node]:
    yield node
    yield from _descendants(node)


def _parents(node: Node) -> Iterator[Node]:
    above = node.parent
    while above is not None:
        yield above
        above = above.parent


def _parents_or_self(node: Node) -> Iterator[Node]:
    yield node
    yield from _parents(node)


def _parent(node: Node) -> Iterator[Node]:
    if node.parent is not None:
        yield node.parent


def _siblings(node: Node) -> list[Node]:
    return node.parent.children if node.parent is not None and node.kind != "attribute" else []


def _following_siblings(node: Node) -> Iterator[Node]:
    return iter([other for other in _siblings(node) if other.order > node.order])


def _preceding_siblings(node: Node) -> Iterator[Node]:
    return reversed([other for other in _siblings(node) if other.order < node.order])


def _following(node: Node) -> Iterator[Node]:
    for above in _parents_or_self(node):
        for sibling in _following_siblings(above):
            yield from _with_self(sibling)


def _preceding(node: Node) -> Iterator[Node]:
    for above in _parents_or_self(node):
        for sibling in _preceding_siblings(above):
            yield from reversed(list(_with_self(sibling)))


_AXES: Final[dict[str, Callable[[Node], Iterable[Node]]]] = {
    "ancestor": _parents,
    "ancestor-or-self": _parents_or_self,
    "attribute": lambda node: node.attributes,
    "child": lambda node: node.children,
    "descendant": _descendants,
    "descendant-or-self": _with_self,
    "following": _following,
    "following-sibling": _following_siblings,
    "parent": _parent,
    "preceding": _preceding,
    "preceding-sibling": _preceding_siblings,
    "self": lambda node: [node],
}

_Arguments = list[Value]


def _node_argument(place: _Place, arguments: _Arguments) -> list[Node]:
    if not arguments:
        return [place.node]
    if not isinstance(arguments[0], list):
        raise ValueFault("a function of the XPath needs nodes", code="BadXPath")
    return arguments[0]


def _text_argument(place: _Place, arguments: _Arguments) -> str:
    return _string(arguments[0]) if arguments else place.node.text()


def _name(place: _Place, arguments: _Arguments) -> str:
    nodes = _node_argument(place, arguments)
    return nodes[0].name if nodes else ""


def _round(value: float) -> float:
    return value if math.isnan(value) or math.isinf(value) else float(math.floor(value + 0.5))


def _substring(arguments: _Arguments) -> str:
    text = _string(arguments[0])
    start = _round(_number(arguments[1]))
    end = start + _round(_number(arguments[2])) if len(arguments) > 2 else math.inf
    return "".join([letter for position, letter in enumerate(text, 1) if start <= position < end])


def _translate(text: str, old: str, new: str) -> str:
    table: dict[int, str | None] = {}
    for number, letter in enumerate(old):
        table.setdefault(ord(letter), new[number] if number < len(new) else None)
    return text.translate(table)


_Function = tuple[int, int, Callable[[_Place, _Arguments], Value]]
_FUNCTIONS: Final[dict[str, _Function]] = {
    "last": (0, 0, lambda place, _: float(place.size)),
    "position": (0, 0, lambda place, _: float(place.position)),
    "count": (1, 1, lambda place, values: float(len(_node_argument(place, values)))),
    "sum": (1, 1, lambda place, values: math.fsum(_number(node.text()) for node in _node_argument(place, values))),
    "name": (0, 1, _name),
    "local-name": (0, 1, lambda place, values: _name(place, values).rpartition(":")[2]),
    "string": (0, 1, _text_argument),
    "concat": (2, 50, lambda _, values: "".join([_string(value) for value in values])),
    "starts-with": (2, 2, lambda _, values: _string(values[0]).startswith(_string(values[1]))),
    "contains": (2, 2, lambda _, values: _string(values[1]) in _string(values[0])),
    "substring-before": (2, 2, lambda _, values: _before(_string(values[0]), _string(values[1]))),
    "substring-after": (2, 2, lambda _, values: _string(values[0]).partition(_string(values[1]) or "\0")[2]),
    "substring": (2, 3, lambda _, values: _substring(values)),
    "string-length": (0, 1, lambda place, values: float(len(_text_argument(place, values)))),
    "normalize-space": (0, 1, lambda place, values: " ".join(_text_argument(place, values).split())),
    "translate": (3, 3, lambda _, values: _translate(*[_string(value) for value in values])),
    "boolean": (1, 1, lambda _, values: _boolean(values[0])),
    "not": (1, 1, lambda _, values: not _boolean(values[0])),
    "true": (0, 0, lambda _, __: True),
    "false": (0, 0, lambda _, __: False),
    "number": (0, 1, lambda place, values: _number(values[0] if values else place.node.text())),
    "floor": (1, 1, lambda _, values: _whole(math.floor, _number(values[0]))),
    "ceiling": (1, 1, lambda _, values: _whole(math.ceil, _number(values[0]))),
    "round": (1, 1, lambda _, values: _round(_number(values[0]))),
}


def _before(text: str, mark: str) -> str:
    found = text.find(mark)
    return text[:found] if found > 0 else ""


def _whole(rounding: Callable[[float], int], value: float) -> float:
    return value if math.isnan(value) or math.isinf(value) else float(rounding(value))
