"""What is accepted of a definition but not yet processed (contract §3.6, §3.7): its size, and clearing it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import msgspec
import structlog

from postroom.events.codes import StatusCode
from postroom.events.log import Event, append_events
from postroom.store.pool import Pool, PooledConnection
from postroom.store.trouble import Trouble, tell_trouble, trouble_of

# Messages still to do: the rows under a slice, less those that already have their final event.
_WAITING = """
select q.slice_id, q.accepted_at, q.definition_id, m.request_id, m.position
from queue q
cross join lateral (
    select request_id, position from message
    where account_id = $1 and accepted_on = q.accepted_on and request_id = q.request_id
      and position between q.first_position and q.last_position
      and (q.positions is null or position = any(q.positions))
    offset 0) m
left join lateral (
    select true as final from event
    where account_id = $1 and request_id = m.request_id and position = m.position and kind in ('sent', 'not_sent')
    limit 1) e on true
where q.account_id = $1 and e.final is null
"""

# A slice that was never claimed is waiting as a whole; of the others the log is asked, message by message.
_DEPTH = f"""
select coalesce(sum(messages), 0)::bigint as waiting, min(accepted_at) as oldest, now() as now
from (
    select messages, accepted_at from queue where account_id = $1 and definition_id = $2 and fence = 0
    union all
    select 1, accepted_at from ({_WAITING} and q.definition_id = $2 and q.fence > 0) begun) waiting
"""  # noqa: S608  (two constants of this module)

# A slice under a living lease is being sent at this moment; it is left to its worker.
_LOCK_SLICES = """
select slice_id from queue
where account_id = $1 and definition_id = $2 and leased_until < now() and slice_id <> all($4::bigint[])
order by slice_id
limit $3
for update skip locked
"""

# What waited too long: for a definition that is not active ($2), or for a relay that never came back ($3).
_LOCK_THESE = """
select slice_id from queue
where account_id = $1 and slice_id = any($2::bigint[]) and leased_until < now()
order by slice_id
for update skip locked
"""

_LOCK_EXPIRED = """
select q.slice_id
from queue q cross join lateral (
    select status from definition where account_id = $1 and definition_id = q.definition_id limit 1) d
where q.account_id = $1 and q.leased_until < now()
  and ((d.status <> 'Active' and q.accepted_at < $2) or q.accepted_at < $3)
  and q.slice_id <> all($5::bigint[])
limit $4
for update of q skip locked
"""

WAITING_IN_SLICES = _WAITING + "and q.slice_id = any($2::bigint[])"

# What may not be delivered any more: each message has the deliverBefore of the version it was accepted with.
_LOCK_LATE = """
select q.slice_id
from queue q
cross join lateral (
    select version_id from send_request
    where account_id = $1 and accepted_on = q.accepted_on and request_id = q.request_id
    limit 1) r
cross join lateral (
    select sending from definition_version where account_id = $1 and version_id = r.version_id limit 1) v
where q.account_id = $1 and q.leased_until < $2
  and q.definition_id = any(array(
      select distinct definition_id from definition_version
      where account_id = $1 and sending is not null and sending ->> 'deliverBefore' is not null))
  and q.accepted_at + make_interval(secs => (v.sending ->> 'deliverBefore')::integer) <= $2
  and q.slice_id <> all($4::bigint[])
limit $3
for update of q skip locked
"""

_DELETE_SLICES = "delete from queue where account_id = $1 and slice_id = any($2::bigint[])"

_SLICES_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """Messages accepted but not processed, and the age of the oldest in whole seconds (0 when there is none)."""

    count: int
    age_seconds: int


async def queue_depth(pool: Pool, account_id: int, definition_id: UUID) -> QueueDepth:
    """How much of a definition is waiting, whatever state the definition is in."""
    row = await pool.fetchrow(_DEPTH, account_id, definition_id)
    assert row is not None
    if row["oldest"] is None:
        return QueueDepth(0, 0)
    return QueueDepth(row["waiting"], max(0, int((row["now"] - row["oldest"]).total_seconds())))


async def clear_queue(pool: Pool, account_id: int, definition_id: UUID, *, code: StatusCode) -> int:
    """End every waiting message of a definition as not sent, for the reason ``code``; answers how many.

    Each step ends the messages of some slices in one transaction, so a crash leaves the rest queued.
    """
    return await _end_all(pool, account_id, _LOCK_SLICES, [definition_id], code)


async def expire_queue(pool: Pool, account_id: int, *, inactive_before: datetime, any_before: datetime) -> int:
    """End what was accepted too long ago as timed out in the queue; answers how many messages.

    ``inactive_before`` is for definitions that are not active (contract §4.3: three days), ``any_before`` for all.
    """
    return await _end_all(pool, account_id, _LOCK_EXPIRED, [inactive_before, any_before], StatusCode.TIMED_OUT_IN_QUEUE)


async def expire_late(pool: Pool, account_id: int, now: datetime) -> int:
    """End what its definition's deliverBefore does not allow to be sent any more; answers how many messages."""
    return await _end_all(pool, account_id, _LOCK_LATE, [now], StatusCode.TIMED_OUT_IN_QUEUE)


async def end_slices(pool: Pool, account_id: int, slices: Sequence[int], *, code: StatusCode, reason: str) -> int:
    """End the waiting messages of slices that nobody has; answers how many."""
    async with pool.acquire() as connection, connection.transaction():
        locked = await connection.fetch(_LOCK_THESE, account_id, list(slices))
        return await _end(connection, account_id, [row["slice_id"] for row in locked], code, reason)


async def _end_all(pool: Pool, account_id: int, lock: str, chosen: Sequence[object], code: StatusCode) -> int:
    """End what ``lock`` finds, some slices at a time. One that the database refuses to end stays as it is: the others
    end without it, and the log tells."""
    ended, at_once = 0, _SLICES_AT_ONCE
    kept: list[int] = []
    while True:
        slices: list[int] = []
        try:
            async with pool.acquire() as connection, connection.transaction():
                locked = await connection.fetch(lock, account_id, *chosen, at_once, kept)
                if not locked:
                    return ended
                slices = [row["slice_id"] for row in locked]
                ended_now = await _end(connection, account_id, slices, code)
        except asyncpg.PostgresError as error:
            if not slices or trouble_of(error) is not Trouble.VALUE:
                raise
            if len(slices) == 1:
                kept += slices
                log = structlog.get_logger("intake")
                tell_trouble(log, "slice_not_ended", error, account_id=account_id, slice_id=slices[0])
            at_once = _SLICES_AT_ONCE if len(slices) == 1 else len(slices) // 2
        else:
            ended += ended_now
            at_once = min(2 * at_once, _SLICES_AT_ONCE)


async def _end(
    connection: PooledConnection, account_id: int, slices: list[int], code: StatusCode, reason: str = ""
) -> int:
    waiting = await connection.fetch(WAITING_IN_SLICES, account_id, slices)
    await append_events(connection, not_sent(account_id, waiting, code, datetime.now(UTC), reason))
    await connection.execute(_DELETE_SLICES, account_id, slices)
    return len(waiting)


def not_sent(
    account_id: int, waiting: Iterable[asyncpg.Record], code: StatusCode, now: datetime, reason: str = ""
) -> list[Event]:
    """The final events of messages as ``WAITING_IN_SLICES`` gives them; ``reason`` says more than the code."""
    detail = msgspec.json.encode({"reason": reason}).decode() if reason else None
    return [
        Event(
            account_id=account_id,
            occurred_on=now.date(),
            occurred_at=now,
            request_id=row["request_id"],
            position=row["position"],
            definition_id=row["definition_id"],
            kind="not_sent",
            contact_id=None,
            status_code=code,
            detail=detail,
        )
        for row in waiting
    ]
