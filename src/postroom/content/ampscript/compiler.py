"""The back end: one part's tree as Python, compiled once.

The generated source holds nothing that an author wrote. Constants, names and functions are globals of the generated
code, called k1, k2, …; static text is already in the part's transfer encoding. What runs for a message is therefore
plain Python: calls of the language's functions, comparisons, and writing to a list.

Pieces follow the column contract of ``transfer``: before a value comes a static piece or the part's start.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from html import escape
from types import MappingProxyType
from typing import Any

from postroom.content.link_tokens import link_part
from postroom.content.links import read_href
from postroom.content.transfer import TransferEncoding

from . import guide, run_links, tree
from .faults import Refused
from .functions.registry import Function, Reference, arity_fault
from .problems import Findings
from .run import Dialect, Run
from .run_links import FixedLink
from .values import compare, to_text, to_whole, truth

FORMS = frozenset({"v", "iif", "output", "outputline"})
_PRINTERS = frozenset({"output", "outputline"})
_ELIF = 20
_TICK = 16


def counted(run: Run, first: object, last: object, down: bool) -> range:
    """The values a loop's counter takes."""
    begin, end = to_whole(first, "the first value"), to_whole(last, "the last value")
    return range(begin, end - 1, -1) if down else range(begin, end + 1)


def escaped(value: object) -> str:
    return escape(to_text(value), quote=True)


def nested_printer(run: Run, name: str) -> object:
    raise Refused(f"{name} prints, so it cannot stand inside another call", code="NestedOutput")


_RUNTIME: Mapping[str, object] = MappingProxyType(
    {
        "truth": truth,
        "compare": compare,
        "counted": counted,
        "escaped": escaped,
        "nested_printer": nested_printer,
        "Reference": Reference,
        "guide_text": guide.guide_text,
        "guide_raw": guide.guide_raw,
        "section": guide.section,
        "source": guide.source,
        "bound": guide.bound,
        "partial": guide.partial,
        "link": run_links.link,
        "fixed_link": run_links.fixed_link,
        "pixel": run_links.pixel,
        "__builtins__": {},
    }
)


class Generated:
    """A part's code. ``call(run, show, write)`` runs it (a coroutine function when ``asynchronous``); ``places``
    tells for each line of the code where it comes from: offset and function."""

    __slots__ = ("asynchronous", "call", "filename", "places", "statics")

    def __init__(
        self, call: Callable[..., Any], asynchronous: bool, filename: str, places: list[tuple[int, str]], statics: int
    ) -> None:
        self.call = call
        self.asynchronous = asynchronous
        self.filename = filename
        self.places = places
        self.statics = statics


def generate(
    body: tree.Body,
    *,
    encoding: TransferEncoding,
    functions: Mapping[str, Function],
    dialect: Dialect,
    findings: Findings,
    escape: bool = False,
) -> Generated | None:
    """The code of ``body``, which HTML-escapes what is printed when ``escape``; None when ``findings`` has errors,
    its own about calls among them."""
    return _Generator(encoding, functions, dialect, findings, escape).generate(body)


class _Generator:
    def __init__(
        self,
        encoding: TransferEncoding,
        functions: Mapping[str, Function],
        dialect: Dialect,
        findings: Findings,
        escape: bool,
    ) -> None:
        self._escape = escape
        self._encoding = encoding
        self._functions = functions
        self._dialect = dialect
        self._findings = findings
        self._globals: dict[str, object] = dict(_RUNTIME)
        self._names: dict[tuple[type, object], str] = {}
        self._lines: list[str] = []
        self._places: list[tuple[int, str]] = [(0, "")]
        self._marks: list[tuple[int, str]] = []  # of the statement being written, one for each of its line breaks
        self._indent = 1
        self._state = "start"  # of the output: start, static, or open when anything may have come last
        self._pending: list[str] = []
        self._printed = 0  # static characters of the innermost loop's body
        self._asynchronous = False
        self._calls = 0
        self._flags = 0

    def generate(self, body: tree.Body) -> Generated | None:
        self._body(body, "end")
        if self._findings.failed:
            return None
        head = "async def part(run, show, write):\n" if self._asynchronous else "def part(run, show, write):\n"
        source = f"{head} v = run.variables; get = v.get; read = run.read\n" + "\n".join(self._lines) + "\n"
        # two lines come before the first
        places = [(0, ""), (0, ""), *self._places]
        filename = f"<ampscript {self._findings.part}>"
        exec(compile(source, filename, "exec", dont_inherit=True), self._globals)  # noqa: S102 our own code, see above
        call: Callable[..., Any] = self._globals.pop("part")  # type: ignore[assignment]
        return Generated(call, self._asynchronous, filename, places, len(self._globals))

    # -- writing code

    def _line(self, code: str, at: int, function: str = "") -> None:
        """One statement; each line break in it is one of ``_marks``."""
        self._lines.append(" " * self._indent + code)
        self._places.append((at, function))
        if self._marks:
            self._places.extend(self._marks)
            self._marks.clear()

    def _constant(self, value: object) -> str:
        key = (type(value), value if not hasattr(value, "as_tuple") else str(value))
        name = self._names.get(key)
        if name is None:
            name = f"k{len(self._names)}"
            self._names[key] = name
            self._globals[name] = value
        return name

    def _callable(self, entry: Function) -> str:
        name = f"f_{entry.name.lower()}"
        self._globals[name] = entry.call
        return name

    def _write(self, text: str, then: str, at: int) -> None:
        piece = self._encoding.static(text, first=self._state == "start", then=then)
        if piece:
            self._line(f"write({self._constant(piece)})", at)
            self._printed += len(text)
        self._state = "static"

    def _flush(self, then: str, at: int) -> None:
        if self._pending:
            text = "".join(self._pending)
            self._pending.clear()
            self._write(text, then, at)

    def _ready(self, at: int) -> None:
        """Make sure that a value may come next; before its expression is read, whose marks belong to its own line."""
        self._flush("value", at)
        if self._state == "open":
            self._write("", "value", at)

    def _show(self, code: str, at: int) -> None:
        """Print the value of ``code``, after ``_ready``."""
        self._line(f"show({code})", at)
        self._state = "open"

    # -- statements

    def _body(self, body: tree.Body, then: str) -> None:
        """Write ``body``; ``then`` is what follows it: "flow", or "end" for the whole part."""
        for node in body:
            self._statement(node)
        at = body[-1].at if body else 0
        self._flush(then, at)

    def _statement(self, node: tree.Node) -> None:
        if isinstance(node, tree.Text):
            self._pending.append(node.text)
        elif isinstance(node, tree.Show):
            self._print(node)
        elif isinstance(node, tree.Assign):
            value = self._expression(node.value)
            self._line(f"v[{self._constant(node.name)}] = ({value})", node.at)
        elif isinstance(node, tree.Declare):
            for name in node.names:
                self._line(f"v.pop({self._constant(name)}, None)", node.at)
        elif isinstance(node, tree.Evaluate):
            self._evaluate(node)
        elif isinstance(node, tree.Link):
            self._link(node)
        elif isinstance(node, tree.Pixel):
            self._ready(node.at)
            self._show("pixel(run)", node.at)
        elif isinstance(node, tree.If):
            self._if(node)
        elif isinstance(node, tree.For):
            self._for(node)
        elif isinstance(node, tree.Guide):
            reader = "guide_text" if node.escape else "guide_raw"
            self._ready(node.at)
            self._show(f"{reader}(run, {self._constant(node.path)})", node.at)
        elif isinstance(node, tree.Partial):
            self._asynchronous = True
            self._ready(node.at)
            self._show(f"await partial(run, {self._constant(node.name)})", node.at)
        elif isinstance(node, tree.Section):
            self._section(node, f"section(run, {self._constant(node.kind)}, {self._constant(node.path)})")
        else:
            self._asynchronous = True
            self._globals[f"o{node.at}"] = MappingProxyType(node.options)
            section = tree.Section(node.at, "datasource", node.name, node.body)
            self._section(section, f"bound(run, await source(run, o{node.at}, {self._constant(node.json)}))")
        if self._calls >= _TICK:
            self._calls = 0
            self._line("run.check_time()", node.at)

    def _print(self, node: tree.Show) -> None:
        value = node.value
        entry: Function | None = None
        if isinstance(value, tree.Call):
            name = value.name.lower()
            entry = self._functions.get(name)
            if name in _PRINTERS or (entry is not None and entry.kind == "None"):
                self._evaluate(tree.Evaluate(node.at, value))
                return
        self._ready(node.at)
        code = self._expression(value)
        if self._escape and not (isinstance(value, tree.Call) and entry is not None and entry.category == "Content"):
            code = f"escaped({code})"
        self._show(code, node.at)

    def _link(self, node: tree.Link) -> None:
        self._ready(node.at)
        if all(isinstance(part, tree.Text) for part in node.parts):
            written = "".join([part.text for part in node.parts if isinstance(part, tree.Text)])
            link = link_part(node.number, read_href(written), node.name)
            if link is not None:
                self._globals[f"l{node.at}"] = FixedLink(link, node.number, node.name, written)
                self._show(f"fixed_link(run, l{node.at})", node.at)
                return
        parts = []
        for part in node.parts:
            if isinstance(part, tree.Text):
                parts.append(self._constant(part.text))
            else:
                code = self._expression(part.value)
                parts.append(f"escaped({code})" if self._escape else code)
        self._show(f"link(run, {node.number}, {self._constant(node.name)}, {', '.join(parts)})", node.at)

    def _evaluate(self, node: tree.Evaluate) -> None:
        call = node.value
        if isinstance(call, tree.Call) and call.name.lower() in _PRINTERS:
            self._known(call)
            for argument in call.arguments:
                if isinstance(argument, tree.Call):
                    self._ready(argument.at)
                    self._show(self._expression(argument), argument.at)
            if call.name.lower() == "outputline":
                self._pending.append("\r\n")
            return
        code = self._expression(call)
        if not isinstance(call, (tree.Constant, tree.Variable)):
            self._line(f"({code})", node.at)

    def _if(self, node: tree.If) -> None:
        self._flush("flow", node.at)
        before = self._state
        after: set[str] = set()
        flag = ""
        if len(node.branches) > _ELIF:
            flag = f"done{self._flags}"
            self._flags += 1
            self._line(f"{flag} = False", node.at)
        for index, (condition, body) in enumerate(node.branches):
            test = self._truth(condition)
            if flag:
                self._line(f"if not {flag} and ({test}):", condition.at)
            else:
                self._line(f"{'elif' if index else 'if'} ({test}):", condition.at)
            after.add(self._branch(body, before, f"{flag} = True" if flag else ""))
        if node.otherwise:
            self._line(f"if not {flag}:" if flag else "else:", node.at)
            after.add(self._branch(node.otherwise, before))
        else:
            after.add(before)
        self._state = after.pop() if len(after) == 1 else "open"

    def _branch(self, body: tree.Body, before: str, first: str = "pass") -> str:
        """A body of its own; the state it leaves."""
        self._state = before
        self._indent += 1
        self._line(first or "pass", body[0].at if body else 0)
        self._body(body, "flow")
        self._indent -= 1
        return self._state

    def _for(self, node: tree.For) -> None:
        self._flush("flow", node.at)
        first, last = self._expression(node.first), self._expression(node.last)
        self._line(f"for i in counted(run, ({first}), ({last}), {node.down}):", node.at, "FOR")
        self._loop(node.body, node.at, f"v[{self._constant(node.name)}] = i")

    def _loop(self, body: tree.Body, at: int, first: str) -> None:
        around = self._printed
        self._printed = 0
        self._indent += 1
        self._line("", at)  # the step, once the size of the body is known
        step = len(self._lines) - 1
        self._line(first, at)
        self._state = "open"
        self._body(body, "flow")
        self._lines[step] = " " * self._indent + f"run.step({self._printed})"
        self._indent -= 1
        self._printed += around
        self._state = "open"

    def _section(self, node: tree.Section, iterator: str) -> None:
        self._flush("flow", node.at)
        flag = f"done{self._flags}"
        self._flags += 1
        self._line(f"{flag} = False", node.at)
        self._line(f"for i in {iterator}:", node.at)
        self._loop(node.body, node.at, f"{flag} = True")
        if node.otherwise:
            self._line(f"if not {flag}:", node.at)
            self._branch(node.otherwise, "open")
            self._state = "open"

    # -- expressions

    def _expression(self, node: tree.Expression) -> str:
        """Python for ``node``; a line break stands before whatever may fail, so that its line tells the place."""
        if isinstance(node, tree.Constant):
            return self._constant(node.value)
        if isinstance(node, tree.Variable):
            return f"get({self._constant(node.name)})"
        if isinstance(node, tree.Attribute):
            self._marks.append((node.at, ""))
            return f"\nread({self._constant(node.name)}, {self._constant(node.written)})"
        if isinstance(node, tree.Call):
            return self._call(node)
        return self._truth(node)

    def _truth(self, node: tree.Expression) -> str:
        """Python that gives True or False."""
        if isinstance(node, tree.Compare):
            self._marks.append((node.at, ""))
            left, right = self._expression(node.left), self._expression(node.right)
            return f"\ncompare({self._constant(node.operator)}, {left}, {right})"
        if isinstance(node, tree.Not):
            return f"(not {self._truth(node.operand)})"
        if isinstance(node, tree.Logic):
            return f"({f' {node.operator} '.join([self._truth(operand) for operand in node.operands])})"
        if isinstance(node, tree.Constant):
            return "True" if node.value is True else "False"
        return f"truth({self._expression(node)})"

    def _known(self, node: tree.Call) -> Function | None:
        """The function ``node`` calls, checked; None after reporting what is wrong with the call."""
        entry = self._functions.get(node.name.lower())
        if entry is None:
            near = get_close_matches(node.name.lower(), self._functions, 1, 0.6) if len(node.name) <= 64 else []
            fix = f"did you mean {self._functions[near[0]].name}?" if near else "see the list of functions"
            message = f"there is no function {node.name[:64]}"
            self._findings.error(node.at, "UnknownFunction", message, fix, node.name[:64])
            return None
        if entry.refused:
            self._findings.error(node.at, "RefusedFunction", f"{entry.name}: {entry.refused}", "", entry.name)
            return None
        wrong = arity_fault(entry, len(node.arguments))
        if wrong:
            self._findings.error(node.at, "WrongArguments", wrong, "give what it asks for", entry.name)
            return None
        return entry

    def _call(self, node: tree.Call) -> str:
        entry = self._known(node)
        if entry is None:
            for argument in node.arguments:
                self._expression(argument)
            return "None"
        self._calls += 1
        name = node.name.lower()
        if name == "v":
            return self._expression(node.arguments[0])
        if name == "iif":
            return self._choice(node)
        if name in _PRINTERS:
            message = f"{entry.name} prints, so it cannot stand inside another call"
            self._findings.warn(node.at, "NestedOutput", message, "call it as a statement of its own", entry.name)
            self._marks.append((node.at, entry.name))
            return f"\nnested_printer(run, {self._constant(entry.name)})"
        self._marks.append((node.at, entry.name))
        arguments = ["run", *(self._argument(entry, index, node) for index in range(len(node.arguments)))]
        call = f"{self._callable(entry)}({', '.join(arguments)})"
        if entry.asynchronous:
            self._asynchronous = True
            return f"(\nawait {call})"
        if entry.needs == "http":
            self._asynchronous = True
        return f"\n{call}"

    def _choice(self, node: tree.Call) -> str:
        marks = self._marks
        begin = len(marks)
        condition = self._truth(node.arguments[0])
        middle = len(marks)
        first = self._expression(node.arguments[1])
        # Python writes the condition between the two
        marks[begin:] = [*marks[middle:], *marks[begin:middle]]
        return f"(({first}) if ({condition}) else ({self._expression(node.arguments[2])}))"

    def _argument(self, entry: Function, index: int, node: tree.Call) -> str:
        argument = node.arguments[index]
        if isinstance(argument, tree.Variable) and index in entry.references:
            return f"Reference(v, {self._constant(argument.name)})"
        if (
            isinstance(argument, tree.Constant)
            and isinstance(argument.value, bool)
            and entry.blank_booleans
            and self._dialect.blank_booleans
        ):
            self._findings.warn(
                argument.at,
                "BooleanLiteral",
                f"a literal {str(argument.value).lower()} prints nothing in {entry.name}",
                f'write "{argument.value}"',
                entry.name,
            )
            return self._constant("")
        return self._expression(argument)
