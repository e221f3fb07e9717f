"""Links of a mail: where they stand in the HTML, and the addresses that are printed in their place.

Counted are ``href`` values of ``<a>`` and ``<area>`` that lead to http or https. Everything about a link that is the
same for all messages is worked out when a version is compiled; what remains for a message is one signature a link.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.entities import html5
from typing import NamedTuple
from urllib.parse import quote

from .link_tokens import Head, Kind, LinkMessage, LinkPart, LinkTokens, link_part

PATHS: Mapping[Kind, str] = {
    "open": "/t/o/",
    "click": "/t/c/",
    "view": "/t/v/",
    "unsubscribe": "/t/u/",
    "profile": "/t/p/",
    "subscriptions": "/t/s/",
}
"""The path of each kind's tokens, below the base address."""

_TAG = re.compile(r"<(?:a|area)(?=[\s/])((?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([^\s\"'=<>/]++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'<>=`]++)))?")
_ENTITY = re.compile(r"&(?:#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-zA-Z][a-zA-Z0-9]{1,31}));")
_FOREIGN = re.compile(r"[\s&]").search


@dataclass(frozen=True, slots=True)
class Tracking:
    """What a plan counts: clicks, opens, or both."""

    links: bool
    opens: bool


class Href(NamedTuple):
    """An ``href`` value: from where to where it stands, and the link's ``alias``, empty without one."""

    begin: int
    end: int
    name: str


def find_hrefs(html: str) -> Iterator[Href]:
    """The href values of ``html`` in order, as they are written; empty ones are left out."""
    for tag in _TAG.finditer(html):
        begin = end = 0
        name = ""
        for attribute in _ATTRIBUTE.finditer(html, *tag.span(1)):
            group = attribute.lastindex or 1
            if group == 1:
                continue
            called = attribute.group(1).lower()
            if called == "href" and not end:
                begin, end = attribute.span(group)
            elif called == "alias":
                name = attribute.group(group).strip()
        if end > begin:
            yield Href(begin, end, name)


def printed_name(alias: str) -> str:
    """What ``%%linkname%%`` prints in the address of a link with this alias."""
    return quote(_ENTITY.sub(_decoded, alias), safe="")


def pixel_place(html: str) -> int:
    """Where the open pixel goes: before the end of the body, else at the end."""
    at = html.lower().rfind("</body")
    return at if at >= 0 else len(html)


def read_href(written: str) -> str:
    """The address that a browser reads in an href value: character references decoded as in attributes, line breaks
    and outer blanks gone, blanks within encoded."""
    if _FOREIGN(written) is None:
        return written
    decoded = _ENTITY.sub(_decoded, written)
    return re.sub(r"[\t\r\n]", "", decoded.strip()).replace(" ", "%20")


def _decoded(match: re.Match[str]) -> str:
    digits, hexadecimal, name = match.groups()
    if name:
        return html5.get(f"{name};", match.group())
    code = int(digits) if digits else int(hexadecimal, 16)
    return chr(code) if 0 < code < 0xD800 or 0xDFFF < code < 0x110000 else "\ufffd"


class Links:
    """The addresses of one message below ``base``, which has no slash at its end. ``counts``: whether its links are
    counted at all."""

    __slots__ = ("_base", "_head", "_message", "_tokens", "counts")

    def __init__(self, tokens: LinkTokens, base: str, message: LinkMessage, *, counts: bool = True) -> None:
        self.counts = counts
        self._tokens = tokens
        self._base = base
        self._message = message
        self._head: Head | None = None

    def page(self, kind: Kind) -> str:
        """The address of the message's page of a kind, or of its open pixel."""
        return f"{self._base}{PATHS[kind]}{self._begin().token(kind)}"

    def click(self, link: LinkPart) -> str:
        """The address that counts a click and leads on."""
        return f"{self._base}/t/c/{(self._head or self._begin()).click(link)}"

    def tracked(self, number: int, name: str, region: str, written: str) -> str:
        """As ``click``, for an href value known only now; ``written`` itself where it is not counted or is an
        address of our own."""
        if not self.counts:
            return written
        target = read_href(written)
        if target.startswith(f"{self._base}/t/"):
            return written
        link = link_part(number, target, name, region)
        return written if link is None else self.click(link)

    def pixel(self) -> str:
        """The element that asks for the open pixel."""
        return (
            f'<img src="{self.page("open")}" width="1" height="1" alt="" '
            'style="display:block;width:1px;height:1px;border:0">'
        )

    def _begin(self) -> Head:
        if self._head is None:
            self._head = self._tokens.head(self._message)
        return self._head
