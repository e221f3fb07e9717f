"""The routes of the authentication host: their errors have the OAuth shape, and their replies are never cached."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import msgspec
import structlog
from litestar import Request
from litestar.types import ASGIApp

from postroom.api.reply import Header, Reply
from postroom.store.trouble import DATABASE_TROUBLE, tell_trouble

NO_STORE: tuple[Header, ...] = ((b"cache-control", b"no-store"),)

_ERROR_URI = "https://developer.salesforce.com/docs"
_CLOSE: Header = (b"connection", b"close")
_REFRESH: Header = (b"www-authenticate", b'Bearer error="invalid_token"')

_encode = msgspec.json.Encoder().encode

AnyRequest: TypeAlias = Request[Any, Any, Any]


class OAuthError(Exception):
    """An error in the OAuth shape (contract §2); ``refresh`` tells the client that its token is of no use."""

    def __init__(self, status: int, error: str, description: str, *, refresh: bool = False) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description
        self.refresh = refresh

    def reply(self) -> Reply:
        """What the client gets."""
        headers = list(NO_STORE)
        if self.status == 413:
            headers.append(_CLOSE)
        if self.refresh:
            headers.append(_REFRESH)
        body = {"error": self.error, "error_description": self.description, "error_uri": _ERROR_URI}
        return Reply(_encode(body), self.status, headers)


def oauth_route(
    path: str, answer: Callable[[AnyRequest], Awaitable[Reply]]
) -> "Callable[[AnyRequest], Awaitable[ASGIApp]]":
    """The route function around ``answer``; what goes wrong in it is a 500 in the OAuth shape."""
    log = structlog.get_logger("api")

    async def handle(request: AnyRequest) -> ASGIApp:
        try:
            return await answer(request)
        except OAuthError as error:
            return error.reply()
        except DATABASE_TROUBLE as error:
            tell_trouble(log, "database_trouble", error, path=path)
        except Exception:
            log.exception("request_failed", path=path)
        return OAuthError(500, "server_error", "The server could not answer; try again.").reply()

    return handle
