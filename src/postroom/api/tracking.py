"""Opens and clicks: answered from the token alone, without the database and without the framework.

    GET /t/o/{token}   an image of one pixel
    GET /t/c/{token}   302 to what the token was signed for

HEAD is answered alike. A token that the server did not make is 404: it leads nowhere.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import quote, urlsplit

from litestar.types import HTTPScope, Receive, Send

from postroom.content.link_tokens import Kind, LinkTokens
from postroom.events.engagement import LONGEST_USER_AGENT, Engagement, Hit

OPEN: Final = b"/t/o/"
CLICK: Final = b"/t/c/"

_LONGEST_ADDRESS: Final = 64  # a proxy may say anything
_PIXEL: Final = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
_NOT_FOUND: Final = (
    b"<!doctype html><html lang=en><meta charset=utf-8><title>Not found</title>"
    b"<p>This link is not valid. It may have been cut off: try it from the mail again.</p></html>"
)
_SAFE: Final = "!#$%&'()*+,/:;=?@[]~"
_SHARED: Final = [(b"cache-control", b"no-store, private"), (b"x-robots-tag", b"noindex")]
_OPENED: Final = [(b"content-type", b"image/gif"), (b"content-length", b"%d" % len(_PIXEL)), *_SHARED]
_REFUSED: Final = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-length", b"%d" % len(_NOT_FOUND)),
    *_SHARED,
]


class Tracking:
    """The ASGI application of both paths. ``clock`` gives seconds since the epoch."""

    def __init__(self, tokens: LinkTokens, engagement: Engagement, *, clock: Callable[[], float] = time.time) -> None:
        self._tokens = tokens
        self._engagement = engagement
        self._hints = engagement.hint_names
        self._clock = clock

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        if method not in ("GET", "HEAD"):
            await _answer(send, 405, [(b"allow", b"GET, HEAD"), (b"content-length", b"0"), *_SHARED], b"")
            return
        raw: bytes = scope["raw_path"]
        kind: Kind = "click" if raw.startswith(CLICK) else "open"
        token = self._tokens.read(kind, raw[len(CLICK) :].decode("latin-1"))
        if token is None:
            await _answer(send, 404, _REFUSED, b"" if method == "HEAD" else _NOT_FOUND)
            return
        if kind == "click":
            headers = [(b"location", location(token.target)), (b"content-length", b"0"), *_SHARED]
            await _answer(send, 302, headers, b"")
        else:
            await _answer(send, 200, _OPENED, b"" if method == "HEAD" else _PIXEL)
        if token.message.account_id:
            user_agent, hints = self._read(scope["headers"])
            client = scope.get("client")
            address = client[0][:_LONGEST_ADDRESS] if client else ""
            self._engagement.take(Hit(token, self._clock(), method, address, user_agent, hints))

    def _read(self, headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, tuple[str, ...]]:
        user_agent = ""
        hints: list[str] = []
        for name, value in headers:
            if name == b"user-agent":
                user_agent = value[:LONGEST_USER_AGENT].decode("latin-1")
            elif name in self._hints:
                hints.append(f"{name.decode('latin-1')}: {value[:200].decode('latin-1').lower()}")
        return user_agent.replace("\0", ""), tuple(hints)


def location(target: str) -> bytes:
    """``target`` as the value of Location: ASCII only, so it holds no line break and no header of its own."""
    if target.isascii():
        return quote(target, safe=_SAFE).encode("ascii")
    parts = urlsplit(target)
    try:
        host = (parts.hostname or "").encode("idna").decode("ascii")
        port = "" if parts.port is None else f":{parts.port}"
    except (UnicodeError, ValueError):
        return quote(target, safe=_SAFE).encode("ascii")
    if "@" in parts.netloc or parts.netloc.startswith("["):
        return quote(target, safe=_SAFE).encode("ascii")
    return quote(parts._replace(netloc=f"{host}{port}").geturl(), safe=_SAFE).encode("ascii")


async def _answer(send: Send, status: int, headers: "list[tuple[bytes, bytes]]", body: bytes) -> None:
    start: Any = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": False})
