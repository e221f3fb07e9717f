"""When the one relay could not be reached: noted for the timelines of messages that nobody claimed meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from postroom.store.database import Pool

_BEGIN = """
insert into relay_outage (relay, since, seen_until, reply, ended) values ($1, $2, $3, $4, $5) returning outage_id
"""

_GO_ON = "update relay_outage set seen_until = $2, ended = $3 where outage_id = $1"


@dataclass(slots=True)
class _Outage:
    since: datetime
    reply: str
    until: datetime | None = None
    outage_id: int | None = None


class Outages:
    """What one process sees of its relay. ``write`` is called now and then; ``now`` is UTC."""

    def __init__(self, pool: Pool, relay: str, *, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._relay = relay
        self._now = now
        self._outages: list[_Outage] = []

    def away(self, reply: str) -> None:
        """It could not be reached; may be told again while that lasts."""
        if not self._outages or self._outages[-1].until is not None:
            self._outages.append(_Outage(self._now(), reply))

    def back(self) -> None:
        """It answers again."""
        if self._outages and self._outages[-1].until is None:
            self._outages[-1].until = self._now()

    async def write(self) -> None:
        """Store what is not stored yet, and how long what lasts has lasted."""
        for outage in list(self._outages):
            ended = outage.until is not None
            until = outage.until or self._now()
            if outage.outage_id is None:
                begun = (self._relay, outage.since, until, outage.reply, ended)
                outage.outage_id = await self._pool.fetchval(_BEGIN, *begun)
            else:
                await self._pool.execute(_GO_ON, outage.outage_id, until, ended)
            if ended:
                self._outages.remove(outage)
