"""Claiming slices of the queue, and keeping or giving back what was claimed (design: crash rules 2, 4).

A claim is one statement that takes due slices whose lease has run out or never began, and raises their fencing
number. Nothing looks for dead workers: a lease that runs out makes its slice due again. Every statement but
`accounts_with_work` and `release_owner` names one business unit.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg
import structlog

from postroom.delivery.slices import LaneKey, Slice
from postroom.events.put_offs import NOTE_LOST_LEASES, NOTE_SLICES, PutOff
from postroom.store.pool import Pool
from postroom.store.trouble import DATABASE_TROUBLE, Trouble, tell_trouble

_ACCOUNTS = """
with recursive a as (
    (select account_id from queue order by account_id limit 1)
    union all
    select (select q.account_id from queue q where q.account_id > a.account_id order by q.account_id limit 1)
    from a where a.account_id is not null)
select account_id from a where account_id is not null
"""

# A walk over the index from lane to lane, not over its rows: its cost grows with the lanes, not the backlog.
_LANES = """
with recursive l as (
    (select definition_id, lane from queue where account_id = $1 order by definition_id, lane limit 1)
    union all
    select n.definition_id, n.lane
    from l cross join lateral (
        select definition_id, lane from queue
        where account_id = $1 and (definition_id, lane) > (l.definition_id, l.lane)
        order by definition_id, lane limit 1) n)
select l.definition_id, l.lane, d.status
from l cross join lateral (
    select status from definition where account_id = $1 and definition_id = l.definition_id limit 1) d
where exists (select from queue q
              where q.account_id = $1 and q.definition_id = l.definition_id and q.lane = l.lane
                and q.due_at <= now() and q.leased_until <= now())
"""

_CLAIM = """
with chosen as (
    select due.slice_id
    from unnest($2::uuid[], $3::smallint[], $4::integer[]) as l(definition_id, lane, room)
    cross join lateral (
        select slice_id from queue
        where account_id = $1 and definition_id = l.definition_id and lane = l.lane
          and due_at <= now() and leased_until <= now()
        order by due_at
        limit l.room
        for update skip locked) due)
update queue
set lost_owner = lease_owner, lost_at = case when lease_owner is not null then leased_until end,
    lease_owner = $5, leased_until = now() + $6::interval, fence = fence + 1
where account_id = $1 and slice_id = any(array(select slice_id from chosen))
returning slice_id, fence, definition_id, lane, request_id, accepted_on, accepted_at, attempt, lost_at
"""

_DUE = """
select due.slice_id
from unnest($2::uuid[], $3::smallint[], $4::integer[]) as l(definition_id, lane, room)
cross join lateral (
    select slice_id from queue
    where account_id = $1 and definition_id = l.definition_id and lane = l.lane
      and due_at <= now() and leased_until <= now()
    order by due_at
    limit l.room) due
"""

_CLAIM_THESE = """
with chosen as (
    select slice_id from queue
    where account_id = $1 and slice_id = any($2::bigint[]) and due_at <= now() and leased_until <= now()
    order by slice_id
    for update skip locked)
update queue
set lost_owner = lease_owner, lost_at = case when lease_owner is not null then leased_until end,
    lease_owner = $3, leased_until = now() + $4::interval, fence = fence + 1
where account_id = $1 and slice_id = any(array(select slice_id from chosen))
returning slice_id, fence, definition_id, lane, request_id, accepted_on, accepted_at, attempt, lost_at
"""

_MESSAGES = """
select q.slice_id, m.position, m.message_key, m.contact_key, m.address, m.attributes
from queue q
cross join lateral (
    select position, message_key, contact_key, address, attributes from message
    where account_id = $1 and accepted_on = q.accepted_on and request_id = q.request_id
      and position between q.first_position and q.last_position
      and (q.positions is null or position = any(q.positions))
    offset 0) m
where q.account_id = $1 and q.slice_id = any($2::bigint[])
order by q.slice_id, m.position
"""

_FINISHED = """
select q.slice_id, e.position
from queue q
cross join lateral (
    select position from event
    where account_id = $1 and request_id = q.request_id
      and position between q.first_position and q.last_position and kind in ('sent', 'not_sent')
    offset 0) e
where q.account_id = $1 and q.slice_id = any($2::bigint[])
"""

_REQUESTS = """
select r.request_id, r.version_id, r.batch_id, r.attributes
from unnest($2::date[], $3::uuid[]) as wanted(accepted_on, request_id)
cross join lateral (
    select request_id, version_id, batch_id, attributes from send_request
    where account_id = $1 and accepted_on = wanted.accepted_on and request_id = wanted.request_id
    limit 1) r
"""

# Locked in the order in which a settlement locks, so that the two wait for each other but never deadlock.
_RENEW = """
with ours as (
    select slice_id from queue
    where account_id = $1 and slice_id = any($2::bigint[]) and lease_owner = $3
    order by slice_id
    for update)
update queue set leased_until = now() + $4::interval
where account_id = $1 and slice_id = any(array(select slice_id from ours))
returning slice_id, fence
"""

# By fencing number: the worker may have claimed one of them again meanwhile.
_RELEASE = """
update queue set leased_until = '-infinity', lease_owner = null
where account_id = $1 and slice_id = any($2::bigint[])
  and fence = ($3::bigint[])[array_position($2::bigint[], slice_id)]
"""

_PUT_OFF = """
update queue set due_at = now() + $4::interval, leased_until = '-infinity', lease_owner = null
where account_id = $1 and slice_id = any($2::bigint[])
  and fence = ($3::bigint[])[array_position($2::bigint[], slice_id)]
"""

_RELEASE_OTHERS = """
update queue set leased_until = '-infinity', lease_owner = null
where account_id = $1 and lease_owner = $2 and slice_id <> all($3::bigint[])
"""

# Those that were to come first are called first.
_CALL_BACK = """
with called as (
    select slice_id from queue
    where account_id = $1 and waits_for = $2 and due_at > now() and due_at < 'infinity' and leased_until <= now()
    order by due_at
    limit $3
    for update skip locked)
update queue set due_at = now()
where account_id = $1 and slice_id = any(array(select slice_id from called))
returning messages
"""

# From site to site over the index, not over its rows.
_SITES_WAITED_FOR = """
with recursive s as (
    (select waits_for from queue where account_id = $1 and waits_for is not null order by waits_for limit 1)
    union all
    select (select q.waits_for from queue q where q.account_id = $1 and q.waits_for > s.waits_for
            order by q.waits_for limit 1)
    from s where s.waits_for is not null)
select waits_for from s where waits_for is not null
"""

_RELEASE_OWNER = "update queue set leased_until = '-infinity', lease_owner = null where lease_owner = $1"


class DueLane(NamedTuple):
    """A lane with something due; ``status`` is its definition's."""

    key: LaneKey
    status: str


class Queue:
    """The queue as one worker sees it. ``clock`` is the loop's, in seconds."""

    def __init__(self, pool: Pool, *, owner: str, lease: timedelta, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._owner = owner
        self._lease = lease
        self._clock = clock
        self._log = structlog.get_logger("delivery")

    async def accounts_with_work(self) -> list[int]:
        """The business units that have anything queued, due or not."""
        return [row["account_id"] for row in await self._pool.fetch(_ACCOUNTS)]

    async def due_lanes(self, account_id: int) -> list[DueLane]:
        """The lanes of a business unit with a slice to claim."""
        return [
            DueLane(LaneKey(account_id, row["definition_id"], row["lane"]), row["status"])
            for row in await self._pool.fetch(_LANES, account_id)
        ]

    async def claim(self, account_id: int, rooms: Sequence[tuple[LaneKey, int]]) -> list[Slice]:
        """Take up to so many slices of each lane, the longest due first."""
        return await self._claim(_CLAIM, account_id, *_columns(rooms))

    async def due_slices(self, account_id: int, rooms: Sequence[tuple[LaneKey, int]]) -> list[int]:
        """What a claim would take, by its numbers."""
        rows = await self._pool.fetch(_DUE, account_id, *_columns(rooms))
        return [row["slice_id"] for row in rows]

    async def claim_these(self, account_id: int, slices: Sequence[int]) -> list[Slice]:
        """Take those of these slices that are due."""
        return await self._claim(_CLAIM_THESE, account_id, list(slices))

    async def _claim(self, statement: str, account_id: int, *chosen: object) -> list[Slice]:
        # Measured from before the statement, so that our idea of the lease ends before the database's.
        claimed_at = self._clock()
        valid_until = claimed_at + self._lease.total_seconds()
        rows = await self._pool.fetch(statement, account_id, *chosen, self._owner, self._lease)
        lost = [row["slice_id"] for row in rows if row["lost_at"] is not None]
        if lost:
            await self._note_lost(account_id, lost)
        return [
            Slice(
                account_id=account_id,
                slice_id=row["slice_id"],
                fence=row["fence"],
                definition_id=row["definition_id"],
                lane=row["lane"],
                request_id=row["request_id"],
                accepted_on=row["accepted_on"],
                accepted_at=row["accepted_at"],
                attempt=row["attempt"],
                valid_until=valid_until,
                claimed_at=claimed_at,
            )
            for row in rows
        ]

    async def _note_lost(self, account_id: int, slices: list[int]) -> None:
        try:
            await self._pool.execute(NOTE_LOST_LEASES, account_id, slices)
        except DATABASE_TROUBLE as error:
            # A line of a timeline is not worth a claim.
            if tell_trouble(self._log, "lost_leases_not_noted", error, slices=len(slices)) is Trouble.AWAY:
                raise

    async def message_rows(self, account_id: int, slices: Sequence[Slice]) -> list[asyncpg.Record]:
        """The messages of claimed slices that still have no final event, by slice and position."""
        rows = await self._pool.fetch(_MESSAGES, account_id, [each.slice_id for each in slices])
        # Only a slice that was claimed before can have finished messages.
        again = [each.slice_id for each in slices if each.fence > 1]
        if not again:
            return rows
        finished = {(row["slice_id"], row["position"]) for row in await self._pool.fetch(_FINISHED, account_id, again)}
        return [row for row in rows if (row["slice_id"], row["position"]) not in finished]

    async def request_rows(self, account_id: int, slices: Iterable[Slice]) -> list[asyncpg.Record]:
        """The send requests that claimed slices belong to."""
        wanted: dict[UUID, Slice] = {each.request_id: each for each in slices}
        return await self._pool.fetch(
            _REQUESTS, account_id, [each.accepted_on for each in wanted.values()], list(wanted)
        )

    async def renew(self, held: Sequence[Slice]) -> None:
        """Prolong the leases of one business unit's slices; one that is no longer ours is marked lost."""
        valid_until = self._clock() + self._lease.total_seconds()
        rows = await self._pool.fetch(
            _RENEW, held[0].account_id, [each.slice_id for each in held], self._owner, self._lease
        )
        renewed = {(row["slice_id"], row["fence"]) for row in rows}
        for each in held:
            if (each.slice_id, each.fence) in renewed:
                each.valid_until = valid_until
            else:
                each.lost = True

    async def make_sure(self, held: Sequence[Slice]) -> None:
        """Find out about those of one business unit's slices whose lease may have run out: renewed, or marked lost."""
        now = self._clock()
        doubtful = [each for each in held if not each.lost and each.valid_until <= now]
        if doubtful:
            await self.renew(doubtful)

    async def release(self, held: Sequence[Slice], why: PutOff) -> None:
        """Give back one business unit's slices; what of them is unfinished is due at once for any worker."""
        slices = [each.slice_id for each in held]
        await self._pool.execute(NOTE_SLICES, held[0].account_id, slices, self._owner, *why)
        await self._pool.execute(_RELEASE, held[0].account_id, slices, [each.fence for each in held])

    async def put_off(self, held: Sequence[Slice], wait: timedelta) -> None:
        """Give back one business unit's slices that nothing can be done about now; they are due after ``wait``."""
        slices = [each.slice_id for each in held]
        account_id = held[0].account_id
        await self._pool.execute(NOTE_SLICES, account_id, slices, self._owner, *PutOff("database"))
        await self._pool.execute(_PUT_OFF, account_id, slices, [each.fence for each in held], wait)

    async def release_others(self, account_id: int, held: Iterable[Slice]) -> None:
        """Give back what the worker has claimed of a business unit without knowing it: all that is not ``held``."""
        known = [each.slice_id for each in held if each.account_id == account_id]
        await self._pool.execute(_RELEASE_OTHERS, account_id, self._owner, known)

    async def call_back(self, account_id: int, site: str, slices: int) -> int:
        """Make up to so many slices due that were given back because the site had no room; how many messages."""
        rows = await self._pool.fetch(_CALL_BACK, account_id, site, slices)
        return sum(row["messages"] for row in rows)

    async def sites_waited_for(self, account_id: int) -> list[str]:
        """The sites for which slices of a business unit were given back; those may have become due since."""
        return [row["waits_for"] for row in await self._pool.fetch(_SITES_WAITED_FOR, account_id)]

    async def release_owner(self, owner: str) -> None:
        """Give back whatever a worker holds that has stopped or is known to be dead; due at once for any other."""
        await self._pool.execute(_RELEASE_OWNER, owner)


def _columns(rooms: Sequence[tuple[LaneKey, int]]) -> tuple[list[UUID], list[int], list[int]]:
    return (
        [key.definition_id for key, _ in rooms],
        [key.lane for key, _ in rooms],
        [room for _, room in rooms],
    )
