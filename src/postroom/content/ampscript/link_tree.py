"""Cutting links out of a template's tree: an href value becomes a node of its own, which prints a counted address.

Counted are values that are literal or begin literally with http:// or https://, personalization strings, and
RedirectTo (ampscript.md §8). An address that other code computes as a whole stays as it is, and so does one that
statements run through.
"""

import zlib
from bisect import bisect_left
from collections.abc import Callable
from typing import TypeGuard

from postroom.content.links import Href, find_hrefs, pixel_place, printed_name
from postroom.content.names import LINK_NAME

from . import tree

_CODE = "\x01"  # what stands for code while HTML is looked at; no text of a mail has it


def link_number(source: str) -> int:
    """The number of a link that has no place of its own: in a content block, or made by RedirectTo."""
    return 100_000 + zlib.crc32(source.encode("utf-8", "replace")) % 900_000


def cut_links(source: str, body: tree.Body, *, links: bool, opens: bool, numbered: bool) -> tree.Body:
    """``body``, the tree of ``source``, with its links cut out and the open pixel put in, as asked for. Links get
    their numbers by their order when ``numbered``, else by what they are."""
    html = _masked(source, body)
    if links:
        found = list(find_hrefs(html))
        if found:
            body = _Cutter(html, found, numbered).body(body)
    if opens:
        body = _with_pixel(body, pixel_place(html))
    return body


def _masked(source: str, body: tree.Body) -> str:
    """``source`` with its code made unreadable, so that tags and attributes can be told; same length."""
    shown: list[str] = []
    at = 0
    for text in sorted(_texts(body), key=lambda text: text.at):
        if text.at < at:
            continue
        shown.append(_CODE * (text.at - at))
        shown.append(text.text)
        at = text.at + len(text.text)
    shown.append(_CODE * (len(source) - at))
    return "".join(shown)


def _texts(body: tree.Body) -> list[tree.Text]:
    found: list[tree.Text] = []
    for node in body:
        if isinstance(node, tree.Text):
            found.append(node)
        for inner in _bodies(node):
            found.extend(_texts(inner))
    return found


def _bodies(node: tree.Node) -> list[tree.Body]:
    if isinstance(node, tree.If):
        return [*(inner for _, inner in node.branches), node.otherwise]
    if isinstance(node, tree.Section):
        return [node.body, node.otherwise]
    return [node.body] if isinstance(node, (tree.For, tree.Source)) else []


def _each_body(node: tree.Node, change: Callable[[tree.Body], tree.Body]) -> None:
    if isinstance(node, tree.If):
        node.branches = [(condition, change(inner)) for condition, inner in node.branches]
        node.otherwise = change(node.otherwise)
    elif isinstance(node, (tree.For, tree.Section, tree.Source)):
        node.body = change(node.body)
        if isinstance(node, tree.Section):
            node.otherwise = change(node.otherwise)


class _Cutter:
    def __init__(self, html: str, hrefs: list[Href], numbered: bool) -> None:
        self._html = html
        self._hrefs = hrefs
        self._begins = [href.begin for href in hrefs]
        self._numbered = numbered

    def body(self, body: tree.Body) -> tree.Body:
        done: tree.Body = []
        at = 0
        rest: tree.Text | None = None  # what is left of the text a link ended in
        while at < len(body) or rest is not None:
            node = rest if rest is not None else body[at]
            if rest is None:
                at += 1
            rest = None
            if not isinstance(node, tree.Text):
                _each_body(node, self.body)
                done.append(node)
                continue
            href = self._next(node)
            if href is None:
                done.append(node)
                continue
            number, found = href
            before, tail = _split(node, found.begin)
            parts, used, rest = _span(tail, body, at, found.end)
            if parts is None:
                # statements run through the value: it is printed as it is
                done.append(before)
                after, rest = _split(tail, found.begin + 1)
                done.append(after)
                continue
            at = used
            done.append(before)
            done.extend(self._link(number, found, parts))
        return [node for node in done if not (isinstance(node, tree.Text) and not node.text)]

    def _next(self, text: tree.Text) -> tuple[int, Href] | None:
        """The first href that begins in ``text``, or where it ends, and its place among all."""
        end = text.at + len(text.text)
        place = bisect_left(self._begins, text.at)
        if place == len(self._hrefs):
            return None
        begin = self._begins[place]
        return (place, self._hrefs[place]) if begin < end or (begin == end and self._html[begin] == _CODE) else None

    def _link(self, place: int, href: Href, parts: list[tree.Text | tree.Show]) -> tree.Body:
        number = place + 1 if self._numbered else link_number(self._html[href.begin : href.end])
        name = "" if _CODE in href.name else href.name
        if any(isinstance(part, tree.Show) and _prints(part.value) for part in parts):
            return [*parts]
        if name:
            parts = [tree.Text(part.at, printed_name(name)) if _is_link_name(part) else part for part in parts]
        first = parts[0]
        if isinstance(first, tree.Show):
            if len(parts) == 1 and _is_redirect(first.value):
                parts = [tree.Show(first.at, first.value.arguments[0])]
            elif not isinstance(first.value, tree.Attribute) or not first.value.written.startswith("%%"):
                return [*parts]
        elif not first.text.lstrip().lower().startswith(("http://", "https://")):
            return [*parts]
        return [tree.Link(first.at, number, name, parts)]


def _prints(value: tree.Expression) -> bool:
    return isinstance(value, tree.Call) and value.name.lower() in {"output", "outputline"}


def _is_link_name(part: tree.Text | tree.Show) -> bool:
    return (
        isinstance(part, tree.Show) and isinstance(part.value, tree.Attribute) and part.value.name.lower() == LINK_NAME
    )


def _is_redirect(value: tree.Expression) -> TypeGuard[tree.Call]:
    return isinstance(value, tree.Call) and value.name.lower() == "redirectto" and len(value.arguments) == 1


def _split(text: tree.Text, place: int) -> tuple[tree.Text, tree.Text]:
    cut = place - text.at
    return tree.Text(text.at, text.text[:cut]), tree.Text(place, text.text[cut:])


def _span(
    first: tree.Text, body: tree.Body, at: int, end: int
) -> tuple[list[tree.Text | tree.Show] | None, int, tree.Text | None]:
    """The nodes from ``first`` on that print up to ``end``, the place after them in ``body``, and what is left of
    the last; no nodes when something else stands among them."""
    parts: list[tree.Text | tree.Show] = []
    node: tree.Node = first
    while True:
        if isinstance(node, tree.Text):
            inside, left = _split(node, min(end, node.at + len(node.text)))
            if inside.text:
                parts.append(inside)
            if node.at + len(node.text) >= end:
                return parts or None, at, left
        elif isinstance(node, tree.Show):
            parts.append(node)
        else:
            return None, at, None
        if at == len(body):
            return None, at, None
        node = body[at]
        at += 1
        if isinstance(node, tree.Text) and node.at >= end:
            return parts or None, at, node


def _with_pixel(body: tree.Body, place: int) -> tree.Body:
    """``body`` with the open pixel at ``place``, or at the end where code stands there."""
    for index, node in enumerate(body):
        if isinstance(node, tree.Text) and node.at <= place < node.at + len(node.text):
            before, after = _split(node, place)
            return [*body[:index], before, tree.Pixel(place), after, *body[index + 1 :]]
    return [*body, tree.Pixel(place)]
