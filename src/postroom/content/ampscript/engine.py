"""The engine: parts in, a Program out, and a Program with a Run gives the parts' text.

One Engine serves many business units and threads of control; what it remembers are compiled content blocks, within
bounds. A template that needs nothing from outside renders synchronously. One that does is a coroutine, and where
nothing really has to wait (everything in memory) ``Program.render`` runs that to its end, too.
"""

from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Any, TypeVar

from postroom.content.model import ContentRejected
from postroom.content.transfer import PLAIN, TransferEncoding, choose_encoding

from . import tree
from .block_names import NamedBlock, named_blocks
from .compiler import Generated, generate
from .faults import Fault
from .functions.registry import Function, build_functions
from .link_tree import cut_links
from .lint import check_nodes, walk
from .own_time import OwnTime
from .parser import parse
from .problems import Diagnostic, Findings, Places, errors, warnings
from .run import Dialect, Run
from .values import to_text

ORDER = ("preheader", "html", "text", "subject")
"""Parts are rendered in this order, others after them; they share one set of variables (ampscript.md §8)."""

_MOST_TEXTS = 500
_MOST_CHARACTERS = 20_000_000
_CODE_MARKS = ("%%", "{{", "<")

# what a mistake in a function raises; anything else (a lost database, a cancelled task) is for the caller
_WRONG = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)

Prepare = Callable[[tree.Body], tree.Body]
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Source:
    """One part to compile: its text, the transfer encoding of what it prints (None: the one that suits its static
    text, of which a line break is then the end), and ``prepare``, a last change to its
    tree before code is made of it (places stay those of ``text``)."""

    text: str
    encoding: TransferEncoding | None = PLAIN
    prepare: Prepare | None = None


class CompiledPart:
    """One part, ready to run."""

    __slots__ = ("_generated", "_places", "asynchronous", "encoding", "name")

    def __init__(self, name: str, encoding: TransferEncoding, generated: Generated, places: Places) -> None:
        self.name = name
        self.encoding = encoding
        self.asynchronous = generated.asynchronous
        self._generated = generated
        self._places = places

    def pieces(self, run: Run) -> list[str]:
        """What the part prints, in pieces in its transfer encoding. Raises Fault; for a synchronous part only."""
        written: list[str] = []
        try:
            self._generated.call(run, _show(run, written.append, self.encoding.value), written.append)
        except Fault as fault:
            self._place(fault, fault.__traceback__)
            raise
        except _WRONG as error:
            raise self._wrong(error) from error
        return written

    async def pieces_async(self, run: Run) -> list[str]:
        """As ``pieces``, for any part."""
        if not self.asynchronous:
            return self.pieces(run)
        written: list[str] = []
        try:
            await self._generated.call(run, _show(run, written.append, self.encoding.value), written.append)
        except Fault as fault:
            self._place(fault, fault.__traceback__)
            raise
        except _WRONG as error:
            raise self._wrong(error) from error
        return written

    def _wrong(self, error: Exception) -> Fault:
        fault = Fault(f"the function failed with {type(error).__name__}: {error}"[:300], code="InternalFault")
        self._place(fault, error.__traceback__)
        return fault

    def _place(self, fault: Fault, trace: TracebackType | None) -> None:
        places = self._generated.places
        code = self._generated.filename
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == code and 0 < trace.tb_lineno < len(places):
                at, function = places[trace.tb_lineno]
                line, column = self._places.at(at)
                fault.place(self.name, line, column, function)
                return
            trace = trace.tb_next


def _show(run: Run, write: Callable[[str], object], encode: Callable[[str], str]) -> Callable[[object], None]:
    """What prints a value: counted against the limit on output, then encoded."""

    def show(value: object) -> None:
        text = value if type(value) is str else to_text(value)
        run.room -= len(text)
        if run.room < 0:
            raise run.full()
        write(encode(text))

    return show


class Program:
    """A compiled message: its parts in the order they run, and what was found while compiling (warnings only)."""

    def __init__(self, parts: Sequence[CompiledPart], diagnostics: Sequence[Diagnostic]) -> None:
        self.parts = tuple(parts)
        self.diagnostics = tuple(diagnostics)
        self.asynchronous = any(part.asynchronous for part in parts)
        self._names = frozenset(part.name for part in parts)
        self._writer = "html" if "html" in self._names else "text" if "text" in self._names else ""

    def pieces(self, run: Run) -> dict[str, list[str]]:
        """Every part's pieces, by name. Raises Fault with its place; Fault NeedsData when the program has to wait
        for something, which only ``pieces_async`` can."""
        if self.asynchronous:
            return finished(self.pieces_async(run))
        return {part.name: self._kept(run, part, part.pieces(self._turned(run, part))) for part in self.parts}

    async def pieces_async(self, run: Run) -> dict[str, list[str]]:
        """As ``pieces``, waiting for data extensions, content blocks and HTTP, which the limit on time leaves out."""
        if run.clock is None or not self.asynchronous:
            return await self._pieces_async(run)
        own = run.clock = OwnTime(run.clock)
        return await own.measure(self._pieces_async(run))

    async def _pieces_async(self, run: Run) -> dict[str, list[str]]:
        return {
            part.name: self._kept(run, part, await part.pieces_async(self._turned(run, part))) for part in self.parts
        }

    def render(self, run: Run) -> dict[str, str]:
        """Every part's text, by name; as ``pieces``."""
        return _texts(self.pieces(run))

    async def render_async(self, run: Run) -> dict[str, str]:
        """As ``render``, waiting for data extensions, content blocks and HTTP."""
        return _texts(await self.pieces_async(run))

    def _turned(self, run: Run, part: CompiledPart) -> Run:
        """``run``, now rendering ``part``."""
        run.part = part.name
        run.may_write = part.name == self._writer or not self._writer
        return run

    def _kept(self, run: Run, part: CompiledPart, pieces: list[str]) -> list[str]:
        if part.encoding is PLAIN:
            run.rendered[part.name] = "".join(pieces)
        return pieces


def _texts(pieces: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: "".join(found) for name, found in pieces.items()}


def finished(work: Coroutine[Any, Any, _Result]) -> _Result:
    """The result of a coroutine that never has to wait; Fault NeedsData when it does."""
    try:
        work.send(None)
    except StopIteration as done:
        result: _Result = done.value
        return result
    work.close()
    raise Fault("the template has to wait for data; render it asynchronously", code="NeedsData")


class Engine:
    """Compiles templates of one dialect, and those that run within others."""

    def __init__(self, dialect: Dialect | None = None, functions: Mapping[str, Function] | None = None) -> None:
        self.dialect = dialect or Dialect()
        self.functions = build_functions() if functions is None else MappingProxyType(dict(functions))
        self._texts: OrderedDict[tuple[str, bool, bool], CompiledPart | str] = OrderedDict()
        self._characters = 0

    def compile(self, parts: Mapping[str, Source | str], *, known_names: frozenset[str] | None = None) -> Program:
        """The program of ``parts``, by name. Raises ContentRejected with every error found in any of them.

        ``known_names``, folded, are all names a send may use, where they are known.
        """
        compiled: list[CompiledPart] = []
        found: list[Diagnostic] = []
        for name in sorted(parts, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER)):
            given = parts[name]
            part, diagnostics = self._part(name, Source(given) if isinstance(given, str) else given, known_names)
            found.extend(diagnostics)
            if part is not None:
                compiled.append(part)
        if len(compiled) < len(parts):
            raise ContentRejected(errors(found), warnings(found))
        return Program(compiled, found)

    def diagnose(self, parts: Mapping[str, str], *, known_names: frozenset[str] | None = None) -> list[Diagnostic]:
        """Every error and warning in ``parts``, part by part in reading order."""
        found: list[Diagnostic] = []
        for name, text in parts.items():
            found.extend(self._part(name, Source(text), known_names)[1])
        return found

    def named_blocks(self, parts: Mapping[str, str]) -> list[NamedBlock]:
        """The content blocks that ``parts`` name literally and that have to be there."""
        found: list[NamedBlock] = []
        for part, text in parts.items():
            if "content" not in text.lower():
                continue
            findings = Findings(part, text)
            for at, function, kind, name in named_blocks(walk(parse(text, findings, self.dialect, self.functions))):
                found.append(NamedBlock(part, *findings.places.at(at), function, kind, name))
        return found

    def _part(
        self, name: str, source: Source, known_names: frozenset[str] | None
    ) -> tuple[CompiledPart | None, list[Diagnostic]]:
        findings = Findings(name, source.text)
        body = parse(source.text, findings, self.dialect, self.functions)
        nodes = walk(body)
        check_nodes(nodes, findings, self.functions, known_names, unknown_is_error=self.dialect.missing_name == "fail")
        if source.prepare is not None:
            body = source.prepare(body)
        encoding = source.encoding
        if encoding is None:
            encoding = choose_encoding("".join([node.text for node in nodes if isinstance(node, tree.Text)]))
            if not source.text.endswith(("\n", "\r")):
                body.append(tree.Text(len(source.text), "\n"))
        generated = generate(
            body,
            encoding=encoding,
            functions=self.functions,
            dialect=self.dialect,
            findings=findings,
            escape=self.dialect.escape_html and name == "html",
        )
        if generated is None:
            return None, findings.sorted()
        return CompiledPart(name, encoding, generated, findings.places), findings.sorted()

    async def render_text(self, run: Run, source: str, label: str, part: str) -> str:
        """``source`` evaluated now in ``run``'s scope: what Run.render_text calls. Raises Fault, for a text that
        cannot be compiled with the code BlockRejected."""
        if not any(mark in source for mark in _CODE_MARKS):
            run.room -= len(source)
            if run.room < 0:
                raise run.full()
            return source
        compiled = self._text(source, part, links=run.links is not None and run.links.counts and part == "html")
        if isinstance(compiled, str):
            raise Fault(f"{label} cannot be evaluated: {compiled}", code="BlockRejected")
        try:
            return "".join(await compiled.pieces_async(run))
        except Fault as fault:
            if fault.part == compiled.name:
                fault.part = label
            raise

    def _text(self, source: str, part: str, *, links: bool) -> CompiledPart | str:
        """The compiled text, with its links cut out when ``links``, or what is wrong with it; remembered."""
        key = (source, part == "html", links)
        found = self._texts.get(key)
        if found is not None:
            self._texts.move_to_end(key)
            return found
        prepare = partial(cut_links, source, links=True, opens=False, numbered=False) if links else None
        compiled, diagnostics = self._part("html" if part == "html" else "text", Source(source, prepare=prepare), None)
        wrong = errors(diagnostics)
        result = compiled if compiled is not None else str(wrong[0])
        self._texts[key] = result
        self._characters += len(source)
        while len(self._texts) > _MOST_TEXTS or (self._characters > _MOST_CHARACTERS and len(self._texts) > 1):
            (oldest, _, _), _ = self._texts.popitem(last=False)
            self._characters -= len(oldest)
        return result
