"""What only a sandbox has, read from the settings: failures on purpose. Production builds none of it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from postroom.assembly.bounces import bounce_rules, soft_bounce_rule
from postroom.settings import Settings
from postroom.store.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from litestar.handlers import HTTPRouteHandler
    from litestar.types import ASGIApp

    from postroom.metrics.counts import Counts
    from postroom.sandbox.chaos_gate import ChaosGate
    from postroom.sandbox.chaos_rules import KnownRules
    from postroom.sandbox.later_reports import LaterReports

_BUSY_SECONDS = 5  # what the API says by itself with 429 and 503


def failures_of(settings: Settings, pool: Pool, announce: Callable[[int], Awaitable[None]]) -> list[HTTPRouteHandler]:
    """The calls that make failures."""
    from postroom.sandbox.failure_routes import failure_routes
    from postroom.sandbox.retry import Retries

    longest = timedelta(hours=settings.retry_max_hours)
    return failure_routes(pool, Retries(pool, longest=longest, announce=announce))


async def chaos_gate(settings: Settings, pool: Pool, app: Any, known: KnownRules) -> ChaosGate:
    """The API behind its chaos rules."""
    from postroom.sandbox.chaos_gate import ChaosGate
    from postroom.tenancy.tokens import TokenSigner, token_signing_key

    key = await token_signing_key(pool)
    tokens = TokenSigner(key, lifetime_seconds=settings.token_seconds, clock=time.time)

    def account_of(token: str) -> int | None:
        access = tokens.check(token)
        return None if access is None else access.account_id

    return ChaosGate(app, known, account_of=account_of, refusal=refusal)


def refusal(path: str, status: int, retry_after: int) -> ASGIApp:
    """The answer that the API itself gives with a status; 0 seconds are its own."""
    from postroom.api.app import AUTH_PATHS, REQUEST_TOKEN
    from postroom.api.errors import ApiError, Code
    from postroom.api.oauth import OAuthError
    from postroom.api.reply import Reply, error_reply

    seconds = retry_after or _BUSY_SECONDS
    folded = path.rstrip("/").lower()
    reply: Reply
    if folded.endswith(tuple(each for each in AUTH_PATHS if each != REQUEST_TOKEN)):
        reply = OAuthError(status, *_OAUTH[status]).reply()
        if status in (429, 503):
            reply.headers = [*reply.headers, (b"retry-after", b"%d" % seconds)]
    else:
        code = {
            401: Code.NOT_AUTHORIZED,
            403: Code.INSUFFICIENT_PRIVILEGES,
            429: Code.RATE_LIMIT,
            500: Code.INTERNAL,
            503: Code.UNAVAILABLE,
        }[status]
        extra = {"retryAfter": seconds} if status == 429 else None
        wait = seconds if status in (429, 503) else 0
        reply = error_reply(ApiError(code, extra=extra, retry_after=wait))
    return reply


_OAUTH = {
    401: ("invalid_client", "Invalid client ID. Use the client ID in Installed Packages."),
    403: ("access_denied", "The client may not have a token."),
    429: ("temporarily_unavailable", "Rate limit exceeded."),
    500: ("server_error", "The server could not answer; try again."),
    503: ("temporarily_unavailable", "The server is busy; try again."),
}


async def later_reports(settings: Settings, pool: Pool, counts: Counts) -> LaterReports:
    """The bounces and complaints of the simulator, read by the desk that reads those of production."""
    from postroom.bounces.return_path import load_return_path
    from postroom.inbound.bounce_desk import BounceDesk
    from postroom.sandbox.later_reports import REPORTS_DOMAIN, LaterReports

    def now() -> datetime:
        return datetime.now(UTC)

    paths = await load_return_path(pool, REPORTS_DOMAIN)
    desk = BounceDesk(pool, paths, bounce_rules(settings), now=now, soft=soft_bounce_rule(settings), counts=counts)
    return LaterReports(pool, desk, paths, now=now)
