"""Content Builder views (contract §7.1): the tree of slots and blocks an editor saves, as one HTML text.

A view is ``{content, superContent, slots, blocks, template}``. Its content holds placeholder elements,
``<div data-type="slot" data-key="x"></div>`` or ``data-type="block"``; each is replaced by what the nearest view
around it has under that key, rendered the same way. ``superContent`` beats ``content``. An element that tables
and pages are made of (``td``, ``body``, …) stays and is filled instead, since its text could not stand without it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from .model import Content, ContentRejected, Problem
from .source import problem_at

MAX_DEPTH = 20
MAX_PLACEHOLDERS = 2_000
MAX_LENGTH = 5_000_000

_PLACEHOLDER = re.compile(
    r"<(?P<tag>[a-z][a-z0-9-]*)(?=[^<>]*\bdata-type\s*=\s*[\"']?(?:slot|block)\b)"
    r"(?P<attributes>(?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+)>",
    re.IGNORECASE,
)
_TYPE = re.compile(r"\bdata-type\s*=\s*(?:\"\s*(slot|block)\s*\"|'\s*(slot|block)\s*'|(slot|block)\b)", re.IGNORECASE)
_KEY = re.compile(r"\bdata-key\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']+))", re.IGNORECASE)
_MARKER = re.compile(r"\s+data-(?:type|key)\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>\"']+)", re.IGNORECASE)
_STRUCTURE = frozenset({"body", "table", "tbody", "thead", "tfoot", "tr", "td", "th", "ul", "ol", "li"})

View = Mapping[str, object]


class _Place(NamedTuple):
    """A placeholder element of a text: ``start:end`` is all of it, ``inner`` what it holds already."""

    start: int
    end: int
    opening: str
    inner: str
    closing: str
    kind: str
    key: str


def flatten_view(view: View, *, part: str = "html") -> str:
    """The one text that ``view`` stands for.

    A placeholder with an unknown key gives what it holds itself. Raises ContentRejected when a block contains
    itself, nesting or size pass their limits, or the tree is not of the shape above.
    """
    return _Flattening(part).text(view, ())


def content_from_views(
    views: View,
    *,
    from_name: str = "",
    from_address: str = "",
    reply_to: str = "",
    cc: Sequence[str] = (),
    bcc: Sequence[str] = (),
) -> Content:
    """The content of an email asset (types 207, 208, 209) from its views html, text, subjectline and preheader.

    An absent or blank body is None. Raises ContentRejected as flatten_view does, naming the view.
    """
    texts: dict[str, str] = {}
    for name, part in (("html", "html"), ("text", "text"), ("subjectline", "subject"), ("preheader", "preheader")):
        view = views.get(name)
        texts[part] = "" if view is None else flatten_view(_mapping(view, f"views.{name}", part), part=part)
    return Content(
        subject=texts["subject"],
        html=texts["html"] if texts["html"].strip() else None,
        text=texts["text"] if texts["text"].strip() else None,
        preheader=texts["preheader"].strip(),
        from_name=from_name,
        from_address=from_address,
        reply_to=reply_to,
        cc=tuple(cc),
        bcc=tuple(bcc),
    )


class _Flattening:
    def __init__(self, part: str) -> None:
        self._part = part
        self._placeholders = 0
        self._length = 0
        self._active: list[int | None] = []  # what is being rendered, outermost first; None has no node

    def text(self, view: View, around: tuple[View, ...]) -> str:
        source = self._source(view)
        self._length += len(source)
        if self._length > MAX_LENGTH:
            raise self._rejected(source, 0, "TooLarge", f"the view renders to more than {MAX_LENGTH:,} characters")
        return self._filled(source, (view, *around))

    def _filled(self, source: str, scopes: tuple[View, ...]) -> str:
        done: list[str] = []
        at = 0
        for place in _places(source):
            done.append(source[at : place.start])
            done.append(self._replacement(source, place, scopes))
            at = place.end
        done.append(source[at:])
        return "".join(done)

    def _replacement(self, source: str, place: _Place, scopes: tuple[View, ...]) -> str:
        self._placeholders += 1
        shown = f'{place.kind} "{place.key}"'
        if self._placeholders > MAX_PLACEHOLDERS:
            text = f"the view has more than {MAX_PLACEHOLDERS:,} slots and blocks"
            raise self._rejected(source, place.start, "TooLarge", text)
        if len(self._active) >= MAX_DEPTH:
            text = f"{shown} is nested more than {MAX_DEPTH} levels deep"
            raise self._rejected(source, place.start, "TooDeep", text)
        found = self._find(place, scopes)
        if found is None:
            self._active.append(None)
            inner = self._filled(place.inner, scopes)
        else:
            node, around = found
            if id(node) in self._active:
                raise self._rejected(
                    source, place.start, "RecursiveContent", f"{shown} contains itself", "take the inner one out"
                )
            self._active.append(id(node))
            inner = self.text(node, around)
        self._active.pop()
        if place.opening:
            return f"{place.opening}{inner}{place.closing}"
        return inner

    def _find(self, place: _Place, scopes: tuple[View, ...]) -> tuple[View, tuple[View, ...]] | None:
        """The slot or block for ``place`` in the nearest scope that has it, and the scopes around it."""
        for index, scope in enumerate(scopes):
            for holder in (scope, scope.get("template")):
                if not isinstance(holder, Mapping):
                    continue
                members = holder.get(f"{place.kind}s")
                if isinstance(members, Mapping) and place.key in members:
                    node = _mapping(members[place.key], f'{place.kind} "{place.key}"', self._part)
                    return node, scopes[index:]
        return None

    def _source(self, view: View) -> str:
        template = view.get("template")
        for holder in (view, template):
            if not isinstance(holder, Mapping):
                continue
            for field in ("superContent", "content"):
                text = holder.get(field)
                if text is not None and not isinstance(text, str):
                    raise self._rejected("", 0, "WrongType", f"{field} holds {type(text).__name__}", "give text")
                if text:
                    return text
        return ""

    def _rejected(self, source: str, offset: int, code: str, message: str, fix: str = "") -> ContentRejected:
        return ContentRejected([problem_at(self._part, source, offset, code, message, fix)])


def _places(source: str) -> Iterator[_Place]:
    """The outermost placeholder elements of ``source`` that name a key, in order."""
    at = 0
    while (opening := _PLACEHOLDER.search(source, at)) is not None:
        at = opening.end()
        kind = _TYPE.search(opening.group("attributes"))
        key = _KEY.search(opening.group("attributes"))
        if kind is None or key is None:
            continue
        tag = opening.group("tag").casefold()
        inner_end, end = at, at
        if not opening.group("attributes").endswith("/"):
            inner_end, end = _closing(source, tag, at)
        keeps = tag in _STRUCTURE
        yield _Place(
            start=opening.start(),
            end=end,
            opening=_MARKER.sub("", opening.group()) if keeps else "",
            inner=source[at:inner_end],
            closing=source[inner_end:end],
            kind=next(group for group in kind.groups() if group).casefold(),
            key=next(group for group in key.groups() if group is not None),
        )
        at = end


def _closing(source: str, tag: str, at: int) -> tuple[int, int]:
    """Start and end of the closing tag that belongs to an element of ``tag`` opened before ``at``; both ``at``
    when it is never closed."""
    depth = 1
    for match in re.compile(rf"<(/?){re.escape(tag)}(?=[\s/>])[^<>]*>", re.IGNORECASE).finditer(source, at):
        if match.group(1):
            depth -= 1
            if depth == 0:
                return match.start(), match.end()
        elif not match.group().endswith("/>"):
            depth += 1
    return at, at


def _mapping(value: object, what: str, part: str) -> View:
    if isinstance(value, Mapping):
        return value
    text = f"{what} holds {type(value).__name__}"
    raise ContentRejected([Problem(part, 1, 1, "WrongType", text, "give an object with content")])
