"""Warm-ups at work: who may still be sent to today from a pool of new addresses.

The counts are in the database, by pool, site and UTC day, so that restarts and any number of delivery processes keep
to one limit. A process takes a few messages' worth at a time and gives back what it does not use; what dies with it
counts as sent.
"""

import contextlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Literal, Protocol, TypeAlias

from postroom.delivery.routing.table import SourcePool
from postroom.delivery.routing.warm_up import WarmUp, seconds_to_next_day
from postroom.store.pool import Pool
from postroom.store.trouble import DATABASE_TROUBLE

Verdict: TypeAlias = Literal["yes", "ask", "full"]

LARGEST_BLOCK = 100
BLOCK_SHARE = 20
LOOK_AGAIN = timedelta(seconds=30)
"""What others give back is looked for so often."""
IDLE_SECONDS = 10.0

_OPEN = "insert into warm_up_count (source, site, day, messages) values ($1, $2, $3, 0) on conflict do nothing"
_LOCK = "select messages from warm_up_count where source = $1 and site = $2 and day = $3 for update"
_SET = "update warm_up_count set messages = $4 where source = $1 and site = $2 and day = $3"
_FORGET = "delete from warm_up_count where source = $1 and site = $2 and day < $3"


class Counts(Protocol):
    """Where messages are counted by pool, site and day."""

    async def take(self, source: str, site: str, day: date, wanted: int, limit: int) -> int:
        """Count up to ``wanted`` more, never beyond ``limit``; answers how many."""

    async def give_back(self, source: str, site: str, day: date, messages: int) -> None:
        """They were not sent."""


class StoredCounts:
    """Counts in the database, shared by all delivery processes."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def take(self, source: str, site: str, day: date, wanted: int, limit: int) -> int:
        """See ``Counts``."""
        async with self._pool.acquire() as connection, connection.transaction():
            if await connection.execute(_OPEN, source, site, day) == "INSERT 0 1":
                await connection.execute(_FORGET, source, site, day)
            messages: int = await connection.fetchval(_LOCK, source, site, day)
            granted = max(0, min(wanted, limit - messages))
            await connection.execute(_SET, source, site, day, messages + granted)
        return granted

    async def give_back(self, source: str, site: str, day: date, messages: int) -> None:
        """See ``Counts``."""
        async with self._pool.acquire() as connection, connection.transaction():
            counted = await connection.fetchval(_LOCK, source, site, day)
            if counted is not None:
                await connection.execute(_SET, source, site, day, max(0, counted - messages))


class Ramp:
    """One pool's warm-up at one site, as one process sees it. ``now`` is UTC."""

    def __init__(
        self, source: SourcePool, warm_up: WarmUp, site: str, counts: Counts, now: Callable[[], datetime]
    ) -> None:
        self.source = source
        self.site = site
        self._warm_up = warm_up
        self._counts = counts
        self._now = now
        self._day = date.min
        self._left = 0
        self._look_at = datetime.min.replace(tzinfo=UTC)
        self._used_at = now()

    def take(self) -> Verdict:
        """Whether one more message may go: yes, and it is counted; ``reserve`` must be asked; or not today."""
        now = self._used_at = self._now()
        limit = self._warm_up.limit(now.date())
        if limit is None:
            return "yes"
        if self._day != now.date():
            # What is left of yesterday is worth nothing today.
            self._day, self._left, self._look_at = now.date(), 0, now
        if self._left:
            self._left -= 1
            return "yes"
        return "ask" if now >= self._look_at else "full"

    def give_back(self) -> None:
        """A message that was counted was not sent after all."""
        if self._day == self._now().date():
            self._left += 1

    async def reserve(self) -> None:
        """Take some messages' worth from the count, if there are any left today. Raises when the database is away."""
        now = self._now()
        day, limit = now.date(), self._warm_up.limit(now.date())
        if limit is None:
            return
        block = max(1, min(LARGEST_BLOCK, limit // BLOCK_SHARE))
        granted = await self._counts.take(self.source.name, self.site, day, block, limit)
        if self._day != day:
            return
        self._left += granted
        if not granted:
            self._look_at = max(self._look_at, now) + LOOK_AGAIN

    @property
    def seconds_to_next_day(self) -> float:
        """When what does not fit today may go."""
        return seconds_to_next_day(self._now())

    @property
    def idle(self) -> bool:
        """Nobody asked for some time."""
        return (self._now() - self._used_at).total_seconds() > IDLE_SECONDS

    async def close(self) -> None:
        """Give back what is left. Without the database it counts as sent."""
        left, self._left = self._left, 0
        if left:
            with contextlib.suppress(*DATABASE_TROUBLE):
                await self._counts.give_back(self.source.name, self.site, self._day, left)


class Ramps:
    """The warm-ups of all pools and sites."""

    def __init__(self, counts: Counts, *, now: Callable[[], datetime]) -> None:
        self._counts = counts
        self._now = now
        self._ramps: dict[tuple[str, str], Ramp] = {}

    def ramp(self, source: SourcePool, warm_up: WarmUp, site: str) -> Ramp:
        """The warm-up of a pool at one site."""
        ramp = self._ramps.get((source.name, site))
        if ramp is None:
            ramp = self._ramps[source.name, site] = Ramp(source, warm_up, site, self._counts, self._now)
        return ramp

    def idle(self) -> list[Ramp]:
        """Those that nobody asks any more, no longer kept; to be closed."""
        idle = [key for key, ramp in self._ramps.items() if ramp.idle]
        return [self._ramps.pop(key) for key in idle]

    async def close(self) -> None:
        """Give back what is left everywhere."""
        for ramp in self._ramps.values():
            await ramp.close()
