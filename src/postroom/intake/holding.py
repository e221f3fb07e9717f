"""Messages that wait for somebody's decision: held after an unknown outcome or by a job, until released or cancelled.

A held message is in a slice of the queue that is due at infinity: no claim sees it, the depth of the queue counts it,
and the age limit ends it. Releasing makes a slice of its own that is due now; cancelling ends it as cleared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from postroom.events.codes import StatusCode
from postroom.events.log import append_events
from postroom.events.put_offs import PutOff, note_put_off
from postroom.intake.backlog import WAITING_IN_SLICES, not_sent
from postroom.store.database import Connection

_HELD = """
select m.message_key, m.address, q.request_id, m.position, q.accepted_at
from queue q
cross join lateral (
    select position, message_key, address from message
    where account_id = $1 and accepted_on = q.accepted_on and request_id = q.request_id
      and position between q.first_position and q.last_position
      and (q.positions is null or position = any(q.positions))
    offset 0) m
where q.account_id = $1 and q.due_at = 'infinity' and ($2::text[] is null
      or lower(m.message_key collate "C") = any(select lower(k collate "C") from unnest($2::text[]) k))
order by q.accepted_at, q.slice_id, m.position
limit $3
"""

# In the order in which a settlement locks. A held slice has no lease, and no claim takes it.
_LOCK = """
select slice_id from queue
where account_id = $1 and request_id = any($2::uuid[]) and due_at = 'infinity'
order by slice_id
for update
"""

# Whatever waits, for whatever reason: a slice under a living lease is its worker's.
_LOCK_FREE = """
select slice_id from queue
where account_id = $1 and request_id = any($2::uuid[]) and leased_until < now()
order by slice_id
for update
"""

_LOCK_QUEUED = """
select slice_id from queue
where account_id = $1 and request_id = any($2::uuid[]) and leased_until < now() and due_at < 'infinity'
order by slice_id
for update
"""

# Due later: after a failed attempt, or given back without one.
_LOCK_LATER = """
select slice_id from queue
where account_id = $1 and request_id = any($2::uuid[]) and leased_until < now()
  and due_at > now() and due_at < 'infinity'
order by slice_id
for update
"""

_LEASED = """
select slice_id from queue
where account_id = $1 and request_id = any($2::uuid[]) and leased_until >= now()
"""

_DELETE = "delete from queue where account_id = $1 and slice_id = $2"

# A worker whose lease ran out may still be at it: with another fencing number its outcomes don't count any more.
_KEEP = """
update queue set positions = $3::integer[], messages = cardinality($3::integer[]), first_position = $4,
                 last_position = $5, fence = fence + (lease_owner is not null)::integer, lease_owner = null
where account_id = $1 and slice_id = $2
"""

_MOVE = """
insert into queue (account_id, definition_id, lane, request_id, accepted_on, first_position, last_position,
                   positions, messages, attempt, accepted_at, due_at)
select account_id, definition_id, lane, request_id, accepted_on, $4, $5, $3, cardinality($3::integer[]), attempt,
       accepted_at, case when $6::boolean then 'infinity' else now() end
from queue
where account_id = $1 and slice_id = $2
"""


class Place(NamedTuple):
    """Which message: its request and its position there."""

    request_id: UUID
    position: int


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """A message that waits for a decision."""

    place: Place
    message_key: str
    address: str
    accepted_at: datetime


async def held_messages(
    connection: Connection, account_id: int, message_keys: Sequence[str] | None = None, *, limit: int = 1_000
) -> list[HeldMessage]:
    """Those that are held, the earliest accepted first; only those of some keys when ``message_keys`` is given."""
    rows = await connection.fetch(_HELD, account_id, message_keys, limit)
    return [
        HeldMessage(Place(row["request_id"], row["position"]), row["message_key"], row["address"], row["accepted_at"])
        for row in rows
    ]


async def release_held(connection: Connection, account_id: int, places: Sequence[Place]) -> int:
    """Send these again, now; answers how many of them were held. Whole or not at all."""
    return await _move(connection, account_id, places, _LOCK, PutOff("released"))


async def hold_waiting(connection: Connection, account_id: int, places: Sequence[Place]) -> int:
    """Hold those of these messages that wait in the queue and that no worker has; answers how many.

    Whole or not at all.
    """
    return await _move(connection, account_id, places, _LOCK_QUEUED, PutOff("held"))


async def hasten_waiting(connection: Connection, account_id: int, places: Sequence[Place]) -> int:
    """Make those due now that wait for a later time, held ones excepted; answers how many. Whole or not at all."""
    return await _move(connection, account_id, places, _LOCK_LATER, PutOff("hastened"))


async def cancel_held(connection: Connection, account_id: int, places: Sequence[Place]) -> int:
    """End these as cleared (status 39); answers how many of them were held. Whole or not at all."""
    async with connection.transaction():
        slices = await _lock(connection, account_id, places)
        ended = [row for each in slices for row in each.taken]
        await append_events(
            connection, not_sent(account_id, ended, StatusCode.SUBSCRIBER_QUEUE_CLEARED, datetime.now(UTC))
        )
        await _take_out(connection, account_id, slices)
    return len(ended)


async def end_waiting(
    connection: Connection, account_id: int, places: Sequence[Place], code: StatusCode
) -> tuple[int, set[Place]]:
    """End those of these messages that wait in the queue, held or not, as not sent for the reason ``code``.

    Answers how many, and which ones a worker has at this moment: they are left to it. Call it in a transaction.
    """
    slices = await _lock(connection, account_id, places, _LOCK_FREE)
    ended = [row for each in slices for row in each.taken]
    await append_events(connection, not_sent(account_id, ended, code, datetime.now(UTC)))
    await _take_out(connection, account_id, slices)
    return len(ended), await claimed(connection, account_id, places)


async def claimed(connection: Connection, account_id: int, places: Sequence[Place]) -> set[Place]:
    """Those of these messages that a worker has at this moment."""
    leased = await connection.fetch(_LEASED, account_id, list({place.request_id for place in places}))
    wanted = set(places)
    return {
        place
        for row in await connection.fetch(WAITING_IN_SLICES, account_id, [row["slice_id"] for row in leased])
        if (place := Place(row["request_id"], row["position"])) in wanted
    }


@dataclass(frozen=True, slots=True)
class _Part:
    """What is taken out of one held slice, and the positions that stay in it."""

    slice_id: int
    taken: list[asyncpg.Record]
    left: list[int]

    @property
    def positions(self) -> list[int]:
        return [row["position"] for row in self.taken]


async def _lock(
    connection: Connection, account_id: int, places: Sequence[Place], statement: str = _LOCK
) -> list[_Part]:
    """The held slices with any of these messages, locked; messages that are over are in neither part."""
    wanted = set(places)
    locked = await connection.fetch(statement, account_id, list({place.request_id for place in wanted}))
    parts = {row["slice_id"]: _Part(row["slice_id"], [], []) for row in locked}
    for row in await connection.fetch(WAITING_IN_SLICES, account_id, list(parts)):
        part = parts[row["slice_id"]]
        if Place(row["request_id"], row["position"]) in wanted:
            part.taken.append(row)
        else:
            part.left.append(row["position"])
    for part in parts.values():
        part.taken.sort(key=lambda row: row["position"])
        part.left.sort()
    return [part for part in parts.values() if part.taken]


async def _move(connection: Connection, account_id: int, places: Sequence[Place], statement: str, why: PutOff) -> int:
    """Put messages of the slices that ``statement`` locks into slices of their own, held or due now."""
    async with connection.transaction():
        slices = await _lock(connection, account_id, places, statement)
        for each in slices:
            positions = each.positions
            hold = why.reason == "held"
            await connection.execute(_MOVE, account_id, each.slice_id, positions, positions[0], positions[-1], hold)
            await note_put_off(connection, account_id, each.taken[0]["request_id"], positions, None, why)
        await _take_out(connection, account_id, slices)
    return sum(len(each.taken) for each in slices)


async def _take_out(connection: Connection, account_id: int, parts: Sequence[_Part]) -> None:
    for each in parts:
        if each.left:
            await connection.execute(_KEEP, account_id, each.slice_id, each.left, each.left[0], each.left[-1])
        else:
            await connection.execute(_DELETE, account_id, each.slice_id)
