"""Trying again now what waits for its next attempt: a test has no ten minutes.

The last attempt can be had as well: the messages then count as accepted so long ago that nobody tries again after it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from postroom.intake.holding import Place, hasten_waiting
from postroom.store.pool import Pool

_LOOK_SECONDS = 0.1

_WAITING = """
select q.account_id, q.request_id, m.position
from queue q
cross join lateral (
    select position, message_key, address from message
    where account_id = q.account_id and accepted_on = q.accepted_on and request_id = q.request_id
      and position between q.first_position and q.last_position
      and (q.positions is null or position = any(q.positions))
    offset 0) m
where ($1::bigint is null or q.account_id = $1)
  and q.due_at > now() and q.due_at < 'infinity' and q.leased_until < now()
  and ($2::text is null or lower(m.message_key collate "C") = lower($2 collate "C"))
  and ($3::text is null or lower(m.address) = lower($3))
limit 10000
"""

# What was hastened in this transaction is due at the very time of its beginning.
_AGE = """
update queue set accepted_at = least(accepted_at, now() - $3::interval)
where account_id = $1 and request_id = any($2::uuid[]) and due_at = now()
"""


@dataclass(frozen=True, slots=True)
class WaitingFilter:
    """Which messages are meant; what is None does not restrict."""

    account_id: int | None = None
    message_key: str | None = None
    to: str | None = None


class Retries:
    """``longest`` is how long messages are tried; ``announce`` tells delivery of a business unit that has work."""

    def __init__(self, pool: Pool, *, longest: timedelta, announce: Callable[[int], Awaitable[None]]) -> None:
        self._pool = pool
        self._longest = longest
        self._announce = announce

    async def wait(self, wanted: WaitingFilter, seconds: float, *, last: bool) -> int:
        """Make due now what `retry` does, as soon as there is some; how many, 0 when there was none in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not (retried := await self.retry(wanted, last=last)) and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)
        return retried

    async def retry(self, wanted: WaitingFilter, *, last: bool) -> int:
        """Make due now the messages that wait for a later attempt; how many. With ``last`` it is their last one."""
        found = await self._pool.fetch(_WAITING, wanted.account_id, wanted.message_key, wanted.to)
        places: defaultdict[int, list[Place]] = defaultdict(list)
        for row in found:
            places[row["account_id"]].append(Place(row["request_id"], row["position"]))
        retried = 0
        for account_id, waiting in places.items():
            async with self._pool.acquire() as connection, connection.transaction():
                retried += await hasten_waiting(connection, account_id, waiting)
                if last:
                    requests = list({place.request_id for place in waiting})
                    await connection.execute(_AGE, account_id, requests, self._longest)
            await self._announce(account_id)
        return retried
