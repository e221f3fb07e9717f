"""What a template does that is allowed and still likely to be wrong; looked at when it is saved."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from . import tree
from .functions.registry import Function
from .problems import Findings

_MINUTES = re.compile(r"h{1,2}[^a-z]{0,3}mm?(?![a-z])", re.IGNORECASE)
_THREE_DAYS = re.compile(r"(?<!d)ddd(?!d)", re.IGNORECASE)
_EVALUATING = frozenset({"treatascontent", "treatascontentarea"})
_OUTSIDE = frozenset({"attributevalue", "requestparameter", "queryparameter", "httpget"})


def check_nodes(
    nodes: Sequence[tree.Node | tree.Expression],
    findings: Findings,
    functions: Mapping[str, Function],
    known_names: frozenset[str] | None,
    *,
    unknown_is_error: bool,
) -> None:
    """Report to ``findings`` about ``nodes``, which ``walk`` gave: values from outside that TreatAsContent would
    evaluate, impression regions without a literal name, and, when ``known_names`` (folded) are given, attributes
    nobody has a value for."""
    tainted: frozenset[str] | None = None
    for node in nodes:
        if isinstance(node, tree.Attribute) and known_names is not None and node.name not in known_names:
            report = findings.error if unknown_is_error else findings.warn
            report(node.at, "UnknownName", unknown_name(node.written), nearest_name(node.name, known_names))
        if not isinstance(node, tree.Call):
            continue
        name = node.name.lower()
        if name in _EVALUATING and node.arguments:
            argument = node.arguments[1 if name == "treatascontentarea" and len(node.arguments) > 1 else 0]
            if tainted is None:
                tainted = _tainted(nodes, functions)
            if any(_from_outside(part, functions, tainted) for part in walk([argument])):
                findings.warn(
                    node.at,
                    "EvaluatesData",
                    f"{node.name} evaluates a value that comes from outside the template: whoever sets it writes code",
                    "print the value with V instead, or give TreatAsContent only text of your own",
                    node.name,
                )
        if name == "formatdate" and len(node.arguments) > 1:
            _check_date_pattern(node, findings)
        if name == "beginimpressionregion" and node.arguments and not isinstance(node.arguments[0], tree.Constant):
            message = "the name of an impression region is literal text"
            findings.warn(node.at, "RegionName", message, "write it in quotes", node.name)


def _check_date_pattern(node: tree.Call, findings: Findings) -> None:
    """The traps of FormatDate's own patterns (ampscript.md §9)."""
    pattern = node.arguments[1]
    if not isinstance(pattern, tree.Constant) or not isinstance(pattern.value, str):
        return
    if _MINUTES.search(pattern.value):
        message = "in the date pattern of FormatDate mm is the month, after hours too"
        fix = 'give the time as an argument of its own: FormatDate(…, "yyyy-MM-dd", "HH:mm")'
        findings.warn(pattern.at, "DatePattern", message, fix, node.name)
    if _THREE_DAYS.search(pattern.value):
        message = "ddd of FormatDate prints the day's name with its letters read as a pattern again"
        findings.warn(pattern.at, "DayPattern", message, "write dddd for Wed, ddddd for Wednesday", node.name)


def _from_outside(node: object, functions: Mapping[str, Function], tainted: frozenset[str]) -> bool:
    if isinstance(node, tree.Attribute):
        return True
    if isinstance(node, tree.Variable):
        return node.name in tainted
    if isinstance(node, tree.Call):
        entry = functions.get(node.name.lower())
        return node.name.lower() in _OUTSIDE or (entry is not None and entry.needs in {"data", "http"})
    return False


def _tainted(nodes: Sequence[tree.Node | tree.Expression], functions: Mapping[str, Function]) -> frozenset[str]:
    """Variables that are set from outside somewhere in the part, directly or through each other."""
    assigned = [(node.name, walk([node.value])) for node in nodes if isinstance(node, tree.Assign)]
    tainted: frozenset[str] = frozenset()
    for _ in range(8):  # as far as chains of variables are followed
        more = {name for name, parts in assigned if any(_from_outside(part, functions, tainted) for part in parts)}
        if more <= tainted:
            break
        tainted |= more
    return tainted


def unknown_name(written: str) -> str:
    """What is said of a name that nobody has a value for."""
    return f"{written} is no attribute of this send"


def nearest_name(name: str, known: frozenset[str]) -> str:
    """What to write in place of an unknown name."""
    near = get_close_matches(name, known, 1, 0.6) if len(name) <= 64 and len(known) <= 1_000 else []
    return f"did you mean {near[0]}?" if near else "add it to the send's data extension, or read it with AttributeValue"


def walk(nodes: "tree.Body | list[tree.Expression]") -> list[tree.Node | tree.Expression]:
    """Every statement and expression within ``nodes``, in order."""
    found: list[tree.Node | tree.Expression] = []
    stack: list[tree.Node | tree.Expression] = list(reversed(nodes))
    while stack:
        node = stack.pop()
        found.append(node)
        if type(node) not in _LEAVES:
            stack.extend(reversed(_children(node)))
    return found


_LEAVES = frozenset({tree.Text, tree.Constant, tree.Variable, tree.Attribute, tree.Declare, tree.Guide, tree.Partial})


def _children(node: tree.Node | tree.Expression) -> Sequence[tree.Node | tree.Expression]:
    match node:
        case tree.Show() | tree.Assign() | tree.Evaluate():
            return (node.value,)
        case tree.Call():
            return node.arguments
        case tree.If():
            inner: list[tree.Node | tree.Expression] = []
            for condition, body in node.branches:
                inner.append(condition)
                inner.extend(body)
            return [*inner, *node.otherwise]
        case tree.For():
            return [node.first, node.last, *node.body]
        case tree.Section():
            return [*node.body, *node.otherwise]
        case tree.Source():
            return node.body
        case tree.Compare():
            return (node.left, node.right)
        case tree.Not():
            return (node.operand,)
        case tree.Logic():
            return node.operands
        case _:
            return ()
