"""The API behind its chaos rules, as an ASGI application: calls that no rule is about go straight through."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from postroom.sandbox.chaos import is_own, segments_of
from postroom.sandbox.chaos_rules import KnownRules, SetRule

CUT = "postroom.cut"
"""Where the server puts a function, into the scope, that ends the connection at once."""

Refusal: TypeAlias = Callable[[str, int, int], ASGIApp]
"""Makes an answer from the path, the status and the seconds of Retry-After (0 is without)."""

_BEARER = b"bearer "


class ChaosGate:
    """``account_of`` gives the business unit of a token; ``refusal`` the API's own errors."""

    def __init__(
        self, app: ASGIApp, known: KnownRules, *, account_of: Callable[[str], int | None], refusal: Refusal
    ) -> None:
        self._app = app
        self._known = known
        self._account_of = account_of
        self._refusal = refusal
        self._log = structlog.get_logger("sandbox")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._known.current or scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        # As it was sent: decoded, an encoded slash in a key would part it.
        path: str = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        segments = segments_of(path)
        found = None if is_own(segments) else await self._found(scope, segments)
        if found is None:
            await self._app(scope, receive, send)
            return
        rule = found.rule
        self._log.info("chaos", rule=found.rule_id, path=path)
        if rule.delay_ms:
            await asyncio.sleep(rule.delay_ms / 1000)
        if rule.status is not None:
            # What is not read of the body would be taken for the next request.
            await _rest_of(receive)
            answer = self._refusal(path, rule.status, rule.retry_after or 0)
            await answer(scope, receive, _marked(send, found.rule_id))
        elif rule.cut is not None:
            if rule.cut == "after":
                await self._app(scope, receive, _say_nothing)
            await _cut(scope, receive)
        else:
            await self._app(scope, receive, send)

    async def _found(self, scope: HTTPScope, segments: list[str]) -> SetRule | None:
        account_id = self._account_of(_token(scope))
        for each in self._known.current:
            if each.rule.matches(scope["method"], segments, account_id) and await self._known.take(each):
                return each
        return None


def _token(scope: Mapping[str, Any]) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
            return str(value[len(_BEARER) :].strip().decode("latin-1"))
    return ""


def _marked(send: Send, rule_id: int) -> Send:
    """Says in a header that the failure was asked for, for whoever wonders at it in a log."""

    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"postroom-chaos-rule", b"%d" % rule_id)]
        await send(message)

    return marked


async def _rest_of(receive: Receive) -> None:
    while (message := await receive())["type"] == "http.request" and message.get("more_body"):
        pass


async def _say_nothing(_message: Message) -> None:
    """The answer goes nowhere."""


async def _cut(scope: Mapping[str, Any], receive: Receive) -> None:
    scope[CUT]()
    # The server would answer in our place before it has seen the end of the connection.
    while (await receive())["type"] != "http.disconnect":
        pass
