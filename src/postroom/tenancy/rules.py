"""What an API process must know of clients between two tokens: how fast they may call, and who was revoked.

The few clients that have a rule are read together and again every few seconds, so that a request costs a look
into a dictionary. Each process counts for itself: a client of N processes behind one address gets up to N times
its limit.
"""

import asyncio
import math
from collections.abc import Callable

import structlog

from postroom.store.database import Pool
from postroom.store.trouble import DATABASE_TROUBLE, tell_trouble

REFRESH_SECONDS = 5.0
BURST_SECONDS = 6.0
"""How much of a client's minute it may use at once."""

# Tokens outlive their client's revocation by at most their lifetime; older revocations need not be known.
_LOAD = """
    select client_id, rate_per_minute, revoked_at is not null as revoked from api_client
     where rate_per_minute is not null and revoked_at is null or revoked_at > now() - interval '2 days'
"""


class Bucket:
    """A token bucket: ``per_minute`` calls a minute, a tenth of them (at least one) at once."""

    def __init__(self, per_minute: int, now: float) -> None:
        self.per_minute = per_minute
        self._per_second = per_minute / 60.0
        self._most = max(1.0, self._per_second * BURST_SECONDS)
        self._left = self._most
        self._at = now

    def take(self, now: float) -> int:
        """0 when the call may go on, else the whole seconds after which it may be tried again."""
        self._left = min(self._most, self._left + max(0.0, now - self._at) * self._per_second)
        self._at = now
        if self._left >= 1.0:
            self._left -= 1.0
            return 0
        return max(1, math.ceil((1.0 - self._left) / self._per_second))


class ClientRules:
    """The rules, as they were some seconds ago. ``clock`` gives seconds from anywhere, and never goes back."""

    def __init__(self, pool: Pool, *, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}
        self._revoked: frozenset[str] = frozenset()
        self._due = -math.inf
        self._loading: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("tenancy")

    async def refresh(self) -> None:
        """Read the rules when it is time to; the first time waits for them, later ones answer from before."""
        now = self._clock()
        if now < self._due:
            return
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
        if self._due == -math.inf:
            await asyncio.shield(self._loading)

    def is_revoked(self, client_id: str) -> bool:
        """Whether the client was revoked while its tokens may still be valid."""
        return client_id in self._revoked

    def wait_seconds(self, client_id: str) -> int:
        """Count one call: 0 when it is within the client's limit, else how long to wait."""
        bucket = self._buckets.get(client_id)
        return 0 if bucket is None else bucket.take(self._clock())

    async def close(self) -> None:
        """Wait for a reading that is under way."""
        if self._loading is not None:
            await asyncio.gather(self._loading, return_exceptions=True)

    async def _load(self) -> None:
        try:
            rows = await self._pool.fetch(_LOAD)
        except DATABASE_TROUBLE as error:
            # The rules of before go on; the request that needs the database will say that it is away.
            tell_trouble(self._log, "client_rules_not_read", error)
        else:
            now = self._clock()
            buckets: dict[str, Bucket] = {}
            for row in rows:
                if row["revoked"]:
                    continue
                known = self._buckets.get(row["client_id"])
                same = known is not None and known.per_minute == row["rate_per_minute"]
                buckets[row["client_id"]] = known if known and same else Bucket(row["rate_per_minute"], now)
            self._buckets = buckets
            self._revoked = frozenset(row["client_id"] for row in rows if row["revoked"])
        finally:
            self._due = self._clock() + REFRESH_SECONDS
            self._loading = None
