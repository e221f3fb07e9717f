"""What every REST route does around its own work: who may call, what came in, and how failures are answered.

The order is the vendor's: the token first, then its scope, then the media type and the body, so that a caller
without rights learns nothing of keys or shapes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import structlog
from litestar import Request
from litestar.types import ASGIApp, HTTPScope

from postroom.api.auth import Gate
from postroom.api.errors import ApiError, Code
from postroom.api.paths import key_text, query_fields, scope_keys
from postroom.api.reply import Reply, Streamed, error_reply
from postroom.api.requests import ClientGone, Head, read_body, read_head
from postroom.store.trouble import DATABASE_TROUBLE, tell_trouble
from postroom.tenancy.tokens import Access

RETRY_AFTER = 5
"""Seconds that clients are asked to wait while the database is away; contract §0.1 has this number for 429."""

Handler: TypeAlias = "Callable[[Call], Awaitable[Reply | Streamed]]"
RouteFunction: TypeAlias = "Callable[[Request[Any, Any, Any]], Awaitable[ASGIApp]]"


class Call:
    """One admitted request."""

    __slots__ = ("_head", "_limit", "_query", "_request", "_scope", "access")

    def __init__(
        self, request: Request[Any, Any, Any], scope: HTTPScope, head: Head, access: Access, limit: int
    ) -> None:
        self._request = request
        self._scope = scope
        self._head = head
        self._limit = limit
        self._query: dict[str, str] | None = None
        self.access = access

    @property
    def account_id(self) -> int:
        """The business unit the token acts for."""
        return self.access.account_id

    @property
    def query(self) -> dict[str, str]:
        """The query fields, as `paths.query_fields` has them."""
        if self._query is None:
            self._query = query_fields(self._scope["query_string"])
        return self._query

    @property
    def head(self) -> Head:
        """The headers."""
        return self._head

    def key(self, name: str, place: int = 0) -> str:
        """A key of the path, by its place among them; ``name`` is for the error."""
        return key_text(scope_keys(self._scope)[place], name)

    async def json_body(self) -> bytes:
        """The whole body. Raises ApiError for a wrong media type (415) or too many bytes (413)."""
        if not self._head.is_json:
            raise ApiError(Code.MEDIA_TYPE)
        return await read_body(self._request.receive, self._head, self._limit)

    async def text_body(self) -> str:
        """The whole body as text, whatever its media type. Raises ApiError for too many bytes and what is not UTF-8."""
        body = await read_body(self._request.receive, self._head, self._limit)
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError as problem:
            raise ApiError(Code.UNPARSEABLE, f"the body is not UTF-8 at byte {problem.start}") from None


def endpoint(gate: Gate, needed: frozenset[str], handler: Handler, *, body_limit: int) -> RouteFunction:
    """The route function around a handler: any scope of ``needed`` admits, an empty set admits every token."""
    log = structlog.get_logger("api")

    async def handle(request: Request[Any, Any, Any]) -> ASGIApp:
        scope = request.scope
        head = read_head(scope["headers"])
        try:
            access = await gate.admit(scope, head, request.receive, needed)
            return await handler(Call(request, scope, head, access, body_limit))
        except ApiError as error:
            return error_reply(error)
        except ClientGone:
            return error_reply(ApiError(Code.UNPARSEABLE, "the request ended before its body"))
        except asyncio.CancelledError:
            raise
        except DATABASE_TROUBLE as error:
            if tell_trouble(log, "database_trouble", error, path=scope["path"]).passes:
                return error_reply(ApiError(Code.UNAVAILABLE, retry_after=RETRY_AFTER))
        except Exception:
            log.exception("request_failed", path=scope["path"])
        return error_reply(ApiError(Code.INTERNAL))

    return handle
