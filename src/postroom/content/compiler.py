"""From content to plan: read every part once, number its values, put its static text into wire form."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from . import links, markup
from .ampscript.engine import Engine
from .ampscript.problems import warnings
from .ampscript.run import Dialect
from .attachment import with_files
from .attributes import fold_name
from .link_tokens import link_part
from .links import Href, Links, Tracking
from .model import (
    INVALID_BCC_ADDRESS,
    INVALID_CC_ADDRESS,
    MESSAGE_BUILD_ERROR,
    Content,
    ContentRejected,
    Context,
    Problem,
)
from .names import COMPUTED, DERIVED, LINK_NAME, PAGES, REGION_NAME, WITHOUT_SOURCE
from .plan import LINK, BodyPart, CodePart, Fallback, Fields, Line, Plan, Slot
from .script import Script, code_parts, compile_script
from .source import Piece, check, pieces, unknown_names
from .text_part import text_of
from .transfer import BASE64, choose_encoding

MissingName = Literal["fail", "empty", "keep"]


def compile_content(
    content: Content,
    *,
    missing_name: MissingName | None = None,
    engine: Engine | None = None,
    known_names: frozenset[str] | None = None,
    headers: str = "",
    tracking: Tracking | None = None,
    derive_text: bool = False,
) -> Plan:
    """The plan of ``content``; ``engine`` compiles the parts that hold code, one of the standard dialect if None.

    ``missing_name`` says what a ``%%Name%%`` nobody has a value for does to its message: ``fail`` it with 103,
    print nothing, or print itself; None is what the engine's dialect says. In cc and bcc it always fails (132, 133).

    ``headers`` are further header fields of every mail, as lines for the wire, each made by ``header.field``.

    ``known_names`` (folded), where they are known, are all names a send may use: others are then errors where they
    would fail the message, else warnings. Those are ``Plan.warnings``.

    ``derive_text`` puts a text beside HTML that has none, if the HTML holds no code: see ``text_part``.

    ``tracking`` cuts the links of the HTML into slots and adds the open pixel; every context then needs ``links``.

    Raises ContentRejected with every problem found: mistakes in code, server-side JavaScript, names of mobile
    messages, no body at all, names that would have to contain themselves.
    """
    dialect = Dialect(missing_name=missing_name or "fail") if engine is None else engine.dialect
    code = code_parts(content, dialect)
    if code and engine is None:
        engine = Engine(dialect)
    return _Compiler(
        content, missing_name or dialect.missing_name, code, engine, known_names, headers, tracking, derive_text
    ).compile()


class _Compiler:
    def __init__(
        self,
        content: Content,
        missing_name: MissingName,
        code: Mapping[str, str],
        engine: Engine | None,
        known_names: frozenset[str] | None,
        headers: str,
        tracking: Tracking | None,
        derive_text: bool,
    ) -> None:
        """``code`` holds the parts with code, which need the ``engine``."""
        self._content = content
        self._missing_name = missing_name
        self._engine = engine
        self._known_names = known_names
        self._headers = headers
        self._tracking = tracking
        self._derive_text = derive_text and bool(content.html) and not content.text and "html" not in code
        self._code = code
        self._script: Script | None = None
        self._slots: list[Slot] = []
        self._numbers: dict[tuple[int, str], int] = {}
        self._body_slots: list[int] = []
        self._open: list[str] = []
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []

    def compile(self) -> Plan:
        content = self._content
        self._check()
        if self._code and self._engine is not None:
            try:
                self._script = compile_script(content, self._code, self._engine, self._known_names, self._tracking)
            except ContentRejected as rejected:
                self._problems.extend(rejected.problems)
                self._warnings.extend(rejected.warnings)
            else:
                self._warnings.extend(warnings(self._script.program.diagnostics))
        if self._problems:
            raise ContentRejected(self._problems, self._warnings)
        if self._derive_text:
            content = self._content = replace(content, text=text_of(content.html or ""))
        subject = self._line("subject", content.subject)
        from_name = self._line("from name", content.from_name)
        from_address = self._line("from address", content.from_address)
        reply_to = self._line("reply-to", content.reply_to)
        cc = tuple(self._line(f"cc {at}", entry, INVALID_CC_ADDRESS) for at, entry in enumerate(content.cc, 1))
        bcc = tuple(self._line(f"bcc {at}", entry, INVALID_BCC_ADDRESS) for at, entry in enumerate(content.bcc, 1))
        bodies = self._bodies()
        if len(bodies) == 1:
            ((kind, source),) = bodies
            part = self._body_part(kind, source, "")
            fixed = _mime_header(kind, part)
            parts, tail = [part], "\r\n" if part.encoding is BASE64 else ""
        else:
            boundary = _boundary(content)
            if self._derive_text:
                # Values are numbered and missed where the author wrote them.
                parts = [self._body_part(kind, source, "") for kind, source in reversed(bodies)][::-1]
            else:
                parts = [self._body_part(kind, source, "") for kind, source in bodies]
            for at, ((kind, _), part) in enumerate(zip(bodies, parts, strict=True)):
                lead = "\r\n" if at else ""
                part.head = f"{lead}--{boundary}\r\n{_mime_header(kind, part)}\r\n"
            fixed = f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n'
            tail = f"\r\n--{boundary}--\r\n"
        if content.files:
            fixed, head, after = with_files(fixed, content.files)
            parts[0].head = head + parts[0].head
            tail += after
        if self._problems:
            raise ContentRejected(self._problems, self._warnings)
        fields = Fields(subject, from_name, from_address, reply_to, cc, bcc, fixed)
        return Plan(self._slots, self._body_slots, fields, parts, tail, self._script, self._headers, self._warnings)

    def _check(self) -> None:
        content = self._content
        named: list[tuple[str, str]] = [
            ("subject", content.subject),
            ("preheader", content.preheader),
            ("html", content.html or ""),
            ("text", content.text or ""),
            ("from name", content.from_name),
            ("from address", content.from_address),
            ("reply-to", content.reply_to),
        ]
        named.extend((f"cc {number}", entry) for number, entry in enumerate(content.cc, 1))
        named.extend((f"bcc {number}", entry) for number, entry in enumerate(content.bcc, 1))
        for part, source in named:
            if part in self._code:
                continue
            self._problems.extend(check(part, source))
            if self._known_names is None:
                continue
            strange = unknown_names(part, source, self._known_names)
            if self._missing_name == "fail":
                self._problems.extend(strange)
            else:
                self._warnings.extend(replace(problem, severity="warning") for problem in strange)
        if not content.html and not content.text:
            self._problems.append(
                Problem("html", 1, 1, "NoBody", "there is neither an HTML nor a text body", "give at least one")
            )

    def _bodies(self) -> list[tuple[str, str]]:
        """The bodies in the order of multipart/alternative, plainest first (RFC 2046 §5.1.4)."""
        bodies = []
        if self._content.text:
            bodies.append(("text", self._content.text))
        if self._content.html:
            html = self._content.html
            if "html" not in self._code:
                preheader = "%%_PreHeader%%" if "preheader" in self._code else self._content.preheader
                html = markup.place_preheader(markup.strip_editor_markup(html), preheader)
            bodies.append(("html", html))
        return bodies

    def _line(self, part: str, source: str, status_code: int = MESSAGE_BUILD_ERROR) -> Line:
        if part in self._code and self._script is not None:
            return Line((self._script.fields.index(part),))
        part = part.split(" ")[0] if part.startswith(("cc ", "bcc ")) else part
        return Line(tuple(self._number(part, piece, status_code) for piece in pieces(source)))

    def _body_part(self, kind: str, source: str, head: str) -> BodyPart | CodePart:
        """A part always ends with a line break: one is added where the source has none."""
        if kind in self._code and self._script is not None:
            return CodePart(head, self._script.encoding_of(kind), kind)
        if not source.endswith(("\n", "\r")):
            source += "\n"
        found = list(self._pieces(kind, source))
        encoding = choose_encoding(
            "".join(piece.text for piece in found if not isinstance(piece, int) and piece.name is None)
        )
        encoded: list[str | int] = []
        after_value = False
        for index, piece in enumerate(found):
            if not isinstance(piece, int) and piece.name is None:
                then: Literal["value", "end"] = "value" if index + 1 < len(found) else "end"
                encoded.append(encoding.static(piece.text, first=not encoded, then=then))
                after_value = False
                continue
            if after_value:
                encoded.append(encoding.static("", first=False, then="value"))
            slot = piece if isinstance(piece, int) else self._slot(kind, piece, MESSAGE_BUILD_ERROR)
            encoded.append(self._body_value(slot))
            after_value = True
        return BodyPart(head, encoding, encoded)

    def _pieces(self, kind: str, source: str) -> Iterator[Piece | int]:
        """Text and personalization strings, and the numbers of slots that print links."""
        tracking = self._tracking
        if tracking is None or kind != "html":
            yield from pieces(source)
            return
        cuts: list[tuple[int, int, Href | None]] = []
        if tracking.links:
            cuts.extend((href.begin, href.end, href) for href in links.find_hrefs(source))
        if tracking.opens:
            place = links.pixel_place(source)
            cuts.append((place, place, None))
        at = number = 0
        for begin, end, href in sorted(cuts, key=lambda cut: cut[:2]):
            yield from pieces(source[at:begin])
            at = end
            if href is None:
                yield self._printed(lambda context, texts: _links(context).pixel())
            else:
                number += 1
                yield from self._link(source[begin:end], number, href.name)
        yield from pieces(source[at:])

    def _link(self, written: str, number: int, name: str) -> Iterator[Piece | int]:
        found = [
            Piece(links.printed_name(name), None) if name and fold_name(piece.name or "") == LINK_NAME else piece
            for piece in pieces(written)
        ]
        written = "".join(piece.text for piece in found)
        if all(piece.name is None for piece in found):
            link = link_part(number, links.read_href(written), name)
            if link is None:
                yield Piece(written, None)
            else:
                yield self._printed(lambda context, texts: _links(context).click(link))
        elif len(found) == 1 and fold_name(found[0].name or "") in PAGES:
            yield found[0]
        else:
            line = Line(tuple(self._number("html", piece, MESSAGE_BUILD_ERROR) for piece in found))
            yield self._printed(lambda context, texts: _links(context).tracked(number, name, "", line.render(texts)))

    def _printed(self, print_text: Fallback) -> int:
        """A slot of its own."""
        self._slots.append(Slot(LINK, "", "html", MESSAGE_BUILD_ERROR, print_text, None))
        return (0 if self._script is None else len(self._script.fields)) + len(self._slots) - 1

    def _body_value(self, slot: int) -> int:
        if slot not in self._body_slots:
            self._body_slots.append(slot)
        return self._body_slots.index(slot)

    def _number(self, part: str, piece: Piece, status_code: int) -> str | int:
        return piece.text if piece.name is None else self._slot(part, piece, status_code)

    def _slot(self, part: str, piece: Piece, status_code: int) -> int:
        """The slot that ``piece`` shows; slots it is made of are numbered before it."""
        name = fold_name(piece.name or "")
        keep = self._missing_name == "keep" and status_code == MESSAGE_BUILD_ERROR
        # what is kept is kept as written, so two spellings are two slots
        key = (status_code, piece.text if keep else name)
        if key not in self._numbers:
            fallback = self._fallback(part, name)
            default: str | None = None
            if name in WITHOUT_SOURCE or (self._missing_name == "empty" and status_code == MESSAGE_BUILD_ERROR):
                default = ""
            elif keep:
                default = piece.text
            self._slots.append(Slot(name, piece.text, part, status_code, fallback, default))
            # the texts of code come first
            printed = 0 if self._script is None else len(self._script.fields)
            self._numbers[key] = printed + len(self._slots) - 1
        return self._numbers[key]

    def _fallback(self, part: str, name: str) -> Fallback | None:
        if name in DERIVED:
            return self._derived(part, name)
        computed = COMPUTED.get(name)
        return None if computed is None else lambda context, texts: computed(context)

    def _derived(self, part: str, name: str) -> Fallback | None:
        content = self._content
        if name == "_messagetypepreference":
            kind = "HTML" if content.html else "Text"
            return lambda context, texts: kind
        if name == REGION_NAME:
            return lambda context, texts: ""  # regions are opened by code, which finds it itself
        if name in self._open:
            chain = " -> ".join((*self._open, name))
            message = f"%%{name}%% would have to contain itself ({chain})"
            self._problems.append(Problem(part, 1, 1, "SelfReference", message, f"take it out of the {part}"))
            return None
        sources = {
            "_preheader": ("preheader", content.preheader),
            "replyname": ("from name", content.from_name),
            "replyemailaddress": ("reply-to", content.reply_to)
            if content.reply_to
            else ("from address", content.from_address),
        }
        self._open.append(name)
        line = self._line(*sources[name])
        self._open.pop()

        def render(context: Context, texts: Sequence[str]) -> str:
            return line.render(texts)

        return render


def _links(context: Context) -> Links:
    assert context.links is not None, "a plan that counts links needs them in its context"
    return context.links


def _mime_header(kind: str, part: BodyPart | CodePart) -> str:
    subtype = "plain" if kind == "text" else "html"
    return f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {part.encoding.name}\r\n"


def _boundary(content: Content) -> str:
    """The delimiter of the alternatives, the same for every message of a version.

    It cannot occur in a part whatever the values are: ``=_`` is in neither encoding, since quoted-printable
    follows every ``=`` with two hexadecimal digits or a line break, and base64 has ``=`` at the end of a part
    only, before another or a line break (RFC 2045 §6.7 suggests just this).
    """
    digest = hashlib.sha256()
    for text in _texts(content):
        digest.update(f"{len(text)}:".encode() + text.encode("utf-8", "surrogatepass"))
    return f"=_postroom_{digest.hexdigest()[:24]}"


def _texts(content: Content) -> Iterable[str]:
    yield from (content.subject, content.html or "", content.text or "", content.preheader)
    yield from (content.from_name, content.from_address, content.reply_to, *content.cc, *content.bcc)
