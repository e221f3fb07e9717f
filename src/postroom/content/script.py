"""The parts of a content that hold code, and running them for one message.

Only parts with code go through the engine; the others stay what ``plan`` makes of them. All that do share one set of
variables, in the order preheader, HTML, text, subject, then the other fields.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from . import markup
from .ampscript import tree
from .ampscript.engine import Engine, Program, Source, finished
from .ampscript.faults import Fault, Raised
from .ampscript.lexer import has_code
from .ampscript.link_tree import cut_links
from .ampscript.run import Dialect, Run, Services
from .ampscript.values import to_text
from .attachment import fetch_files
from .attributes import fold_name
from .links import Tracking
from .model import (
    EMPTY_HTTP_GET,
    EXCLUDED,
    MESSAGE_BUILD_ERROR,
    RECURSIVE_SCRIPT,
    SCRIPT_RAISED,
    Content,
    Context,
    File,
    NotComposed,
)
from .names import REGION_NAME, names_of
from .source import pieces
from .transfer import PLAIN, TransferEncoding

BODIES = ("html", "text")

_STATUS = {"RecursiveContent": RECURSIVE_SCRIPT, "EmptyAnswer": EMPTY_HTTP_GET}


@dataclass(slots=True)
class Printed:
    """What the code of one message printed: ``texts`` of the fields in ``Script.fields``, ``bodies`` in pieces, and
    the files it attached."""

    texts: list[str]
    bodies: Mapping[str, Sequence[str]]
    files: Sequence[File]


class Script:
    """The compiled code of one content. ``fields`` names the one-line parts it prints, in order."""

    def __init__(self, program: Program, engine: Engine, content: Content, tracking: Tracking | None) -> None:
        self.program = program
        self.fields = [part.name for part in program.parts if part.name not in BODIES]
        self._engine = engine
        self._services = Services()
        self._content = content
        self._tracked = tracking is not None
        self._kind = "HTML" if content.html else "Text"

    @property
    def asynchronous(self) -> bool:
        """Whether it has to wait for data extensions, content blocks or HTTP."""
        return self.program.asynchronous

    def encoding_of(self, part: str) -> TransferEncoding:
        return next(compiled.encoding for compiled in self.program.parts if compiled.name == part)

    def run(self, context: Context, services: Services | None) -> Printed | NotComposed:
        """Raises nothing for what the template does; what it has to wait for makes the message NotComposed."""
        run = self._new_run(context, services)
        try:
            found = self.program.pieces(run)
            return self._printed(run, found, finished(fetch_files(run)) if run.attachments else ())
        except Fault as fault:
            return _not_composed(fault)

    async def run_async(self, context: Context, services: Services | None) -> Printed | NotComposed:
        run = self._new_run(context, services)
        try:
            found = await self.program.pieces_async(run)
            return self._printed(run, found, await fetch_files(run) if run.attachments else ())
        except Fault as fault:
            return _not_composed(fault)

    def _new_run(self, context: Context, services: Services | None) -> Run:
        run = Run(
            names_of(context, lambda name: self._derived(run, name)),
            context.accepted_at,
            services or self._services,
            self._engine.dialect,
            self._engine.render_text,
            seed=context.message_id,
            links=context.links if self._tracked else None,
        )
        return run

    def _printed(self, run: Run, found: Mapping[str, list[str]], files: Sequence[File]) -> Printed:
        return Printed([run.rendered[name] for name in self.fields], found, files)

    def _derived(self, run: Run, name: str) -> tuple[bool, object]:
        if name == "_messagetypepreference":
            return True, self._kind
        if name == REGION_NAME:
            return True, run.regions[-1] if run.regions else ""
        content = self._content
        if name == "_preheader":
            return True, run.rendered.get("preheader", "")
        part, source = ("from name", content.from_name)
        if name == "replyemailaddress":
            part, source = (
                ("reply-to", content.reply_to) if content.reply_to else ("from address", content.from_address)
            )
        if part in self.fields:
            return part in run.rendered, run.rendered.get(part)
        # a field without code, so personalization strings are all it holds; the compiler has refused circles
        texts = [
            piece.text if piece.name is None else to_text(run.read(fold_name(piece.name), piece.text))
            for piece in pieces(source)
        ]
        return True, "".join(texts)


def code_parts(content: Content, dialect: Dialect) -> dict[str, str]:
    """The parts of ``content`` that hold code, by name."""
    named = {
        "preheader": content.preheader,
        "html": content.html or "",
        "text": content.text or "",
        "subject": content.subject,
        "from name": content.from_name,
        "from address": content.from_address,
        "reply-to": content.reply_to,
    }
    for number, entry in enumerate(content.cc, 1):
        named[f"cc {number}"] = entry
    for number, entry in enumerate(content.bcc, 1):
        named[f"bcc {number}"] = entry
    return {name: source for name, source in named.items() if source and has_code(source, dialect)}


def compile_script(
    content: Content,
    parts: Mapping[str, str],
    engine: Engine,
    known_names: frozenset[str] | None,
    tracking: Tracking | None = None,
) -> Script:
    """The script of ``parts``, which are those of ``code_parts``. Raises ContentRejected."""
    sources: dict[str, Source] = {}
    if "html" in parts and content.preheader:
        sources["preheader"] = Source(content.preheader)
    for name, text in parts.items():
        if name in BODIES:
            prepare = _preparing(text, content.preheader, tracking) if name == "html" else None
            sources[name] = Source(text, None, prepare)
        else:
            sources[name] = Source(text, PLAIN)
    return Script(engine.compile(sources, known_names=known_names), engine, content, tracking)


def _preparing(html: str, preheader: str, tracking: Tracking | None) -> Callable[[tree.Body], tree.Body]:
    """Takes editor markup out of the tree of ``html``, cuts its links, and puts the preheader in."""
    cuts = markup.editor_cuts(html)
    at = -1 if not preheader or markup.asks_for_preheader(html) else markup.body_start(html)
    prepare = _Preparation(cuts, at).prepare
    if tracking is None:
        return prepare

    def cut(body: tree.Body) -> tree.Body:
        # links first: their places are those in the source, which the others change
        return prepare(cut_links(html, body, links=tracking.links, opens=tracking.opens, numbered=True))

    return cut


class _Preparation:
    def __init__(self, cuts: Sequence[tuple[int, int]], preheader_at: int) -> None:
        self._cuts = cuts
        self._begins = [begin for begin, _ in cuts]
        self._ends = [end for _, end in cuts]
        self._preheader_at = preheader_at
        self._placed = preheader_at < 0

    def prepare(self, body: tree.Body) -> tree.Body:
        if self._preheader_at == 0:
            self._placed = True
            return [*self._preheader(), *self._body(body)]
        return self._body(body) if self._cuts or not self._placed else body

    def _body(self, body: tree.Body) -> tree.Body:
        done: tree.Body = []
        for node in body:
            if isinstance(node, tree.Text):
                done.extend(self._text(node))
                continue
            if isinstance(node, tree.If):
                node.branches = [(condition, self._body(inner)) for condition, inner in node.branches]
                node.otherwise = self._body(node.otherwise)
            elif isinstance(node, (tree.For, tree.Section, tree.Source)):
                node.body = self._body(node.body)
                if isinstance(node, tree.Section):
                    node.otherwise = self._body(node.otherwise)
            done.append(node)
        return done

    def _text(self, node: tree.Text) -> tree.Body:
        begin, end = node.at, node.at + len(node.text)
        if not self._placed and self._preheader_at <= end:
            self._placed = True
            at = max(self._preheader_at - begin, 0)
            first, last = tree.Text(begin, node.text[:at]), tree.Text(begin + at, node.text[at:])
            return [*self._text(first), *self._preheader(), *self._text(last)]
        kept: list[str] = []
        at = begin
        for cut, cut_end in self._cuts[bisect_right(self._ends, begin) : bisect_left(self._begins, end)]:
            kept.append(node.text[at - begin : max(cut - begin, 0)])
            at = min(cut_end, end)
        kept.append(node.text[at - begin :])
        text = "".join(kept)
        return [tree.Text(begin, text)] if text else []

    def _preheader(self) -> tree.Body:
        before, after = markup.HIDDEN
        at = self._preheader_at
        shown = tree.Show(at, tree.Attribute(at, "_preheader", "%%_PreHeader%%"))
        return [tree.Text(at, before), shown, tree.Text(at, after)]


def _not_composed(fault: Fault) -> NotComposed:
    if isinstance(fault, Raised):
        given = [f"{what} {text}" for what, text in (("code", fault.api_code), ("number", fault.api_number)) if text]
        reason = f"{fault}, {', '.join(given)}" if given else str(fault)
        return NotComposed(EXCLUDED if fault.skip else SCRIPT_RAISED, reason, fault.keep_writes)
    return NotComposed(_STATUS.get(fault.code, MESSAGE_BUILD_ERROR), str(fault))
