"""Ending what waited too long: for a definition that is not active, for any attempt, or beyond its own deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog

from postroom.intake.backlog import expire_late, expire_queue
from postroom.store.pool import Pool
from postroom.store.trouble import DATABASE_TROUBLE, Trouble, tell_trouble

_SECONDS = 60.0
_GRACE = timedelta(minutes=1)  # the last attempt's own outcome comes first


class Expiry:
    """Looks every minute at each business unit that ``accounts`` names; what one of them is refused holds up no other.

    ``inactive_age`` is for definitions that are not active, ``max_age`` for all messages.
    """

    def __init__(
        self,
        pool: Pool,
        accounts: Callable[[], Awaitable[list[int]]],
        *,
        inactive_age: timedelta,
        max_age: timedelta,
    ) -> None:
        self._pool = pool
        self._accounts = accounts
        self._inactive_age = inactive_age
        self._max_age = max_age
        self._log = structlog.get_logger("delivery")

    async def keep(self) -> None:
        """Until cancelled."""
        while True:
            try:
                now = datetime.now(UTC)
                for account_id in await self._accounts():
                    await self._expire(account_id, now)
            except DATABASE_TROUBLE as error:
                tell_trouble(self._log, "expiry_waits_for_database", error)
            await asyncio.sleep(_SECONDS)

    async def _expire(self, account_id: int, now: datetime) -> None:
        inactive_before, any_before = now - self._inactive_age, now - self._max_age - _GRACE
        try:
            expired = await expire_queue(self._pool, account_id, inactive_before=inactive_before, any_before=any_before)
            expired += await expire_late(self._pool, account_id, now)
        except DATABASE_TROUBLE as error:
            if tell_trouble(self._log, "queue_not_expired", error, account_id=account_id) is Trouble.AWAY:
                raise
        else:
            if expired:
                self._log.warning("expired_in_queue", account_id=account_id, messages=expired)
