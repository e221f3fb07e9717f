"""Replies: bytes of JSON that go out as they are, with the headers every reply carries."""

from collections.abc import AsyncIterator, Sequence

from litestar.types import HTTPScope, Receive, Scope, Send

from postroom.api.errors import ApiError, Code

JSON = b"application/json; charset=utf-8"

Header = tuple[bytes, bytes]

# Refusing a body unread leaves the rest of it on the connection; only closing it is safe.
_CLOSE: Header = (b"connection", b"close")
_REFRESH: Header = (b"www-authenticate", b'Bearer error="invalid_token"')


class Reply:
    """A reply, JSON unless it says otherwise, as an ASGI application."""

    __slots__ = ("body", "headers", "media_type", "status")

    def __init__(
        self, body: bytes, status: int = 200, headers: Sequence[Header] = (), *, media_type: bytes = JSON
    ) -> None:
        self.body = body
        self.media_type = media_type
        self.status = status
        self.headers = headers

    async def __call__(self, scope: "Scope | HTTPScope", receive: Receive, send: Send) -> None:
        headers = [(b"content-type", self.media_type), (b"content-length", b"%d" % len(self.body)), *self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


class Streamed:
    """A reply whose parts are sent as they come; one that fails after its beginning ends without its end."""

    __slots__ = ("headers", "media_type", "parts")

    def __init__(self, parts: AsyncIterator[bytes], headers: Sequence[Header] = (), *, media_type: bytes) -> None:
        self.parts = parts
        self.headers = headers
        self.media_type = media_type

    async def __call__(self, scope: "Scope | HTTPScope", receive: Receive, send: Send) -> None:
        headers = [(b"content-type", self.media_type), *self.headers]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for part in self.parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def error_reply(error: ApiError, headers: Sequence[Header] = ()) -> Reply:
    """The reply of an error, with the headers its status calls for (contract §0.1)."""
    if error.status == 401:
        headers = [*headers, _REFRESH]
    if error.retry_after:
        headers = [*headers, (b"retry-after", b"%d" % error.retry_after)]
    if error.code is Code.BODY_TOO_LARGE:
        headers = [*headers, _CLOSE]
    return Reply(error.body(), error.status, headers)
