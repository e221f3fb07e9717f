"""Settling: outcomes become events, and finished slices leave the queue (design: crash rules 3, 5).

Outcomes are collected for some milliseconds and written in one transaction per business unit: events appended by
COPY, finished slices deleted, deferred and postponed messages queued again as new slices, held ones without a time.
A slice with messages still outstanding is shrunk instead, when some of them go their own way.
The transaction holds only slices whose fencing number is still ours; what belongs to a lost slice is dropped and told
to the log, since whoever has it now will settle it. That may be this same worker, under a newer number.

A settlement that the database did not take is tried again until it does: an outcome is never forgotten while the
process lives. If the answer to a commit was lost, the repeat finds its events in the log and does not write them
twice.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

import structlog

from postroom.audience.soft_bounces import Consequence, HandedOver, carry_out
from postroom.audience.suppression import Entry
from postroom.delivery.data_access import Write, apply_writes
from postroom.delivery.slices import Part, Slice
from postroom.events.log import Event, append_events, without_logged
from postroom.events.put_offs import note_put_off
from postroom.metrics.counts import Counts
from postroom.metrics.declared import DELIVERY_SECONDS, NOT_SENT, OUTCOMES, SUPPRESSING
from postroom.metrics.histogram import count_times
from postroom.store.pool import Pool, PooledConnection

_STILL_OURS = """
select slice_id, fence from queue
where account_id = $1 and slice_id = any($2::bigint[])
order by slice_id
for update
"""

_DELETE = "delete from queue where account_id = $1 and slice_id = any($2::bigint[])"

_REQUEUE = """
insert into queue (account_id, definition_id, lane, request_id, accepted_on, first_position, last_position,
                   positions, messages, attempt, accepted_at, due_at, waits_for)
select account_id, definition_id, lane, request_id, accepted_on, $4, $5, $3, cardinality($3::integer[]), attempt + $7,
       accepted_at, coalesce($6::timestamptz, 'infinity'), $8
from queue
where account_id = $1 and slice_id = $2
"""

# A repeat finds that the slice has these positions no more.
_PART = """
with whole as (
    update queue
    set positions = array(
            select position
            from unnest(coalesce(positions, array(select generate_series(first_position, last_position)))) as position
            where position <> all($3::integer[])),
        messages = messages - cardinality($3::integer[])
    where account_id = $1 and slice_id = $2 and (positions is null or positions @> $3::integer[])
    returning account_id, definition_id, lane, request_id, accepted_on, attempt, accepted_at)
insert into queue (account_id, definition_id, lane, request_id, accepted_on, first_position, last_position,
                   positions, messages, attempt, accepted_at, due_at, waits_for)
select account_id, definition_id, lane, request_id, accepted_on, $4, $5, $3, cardinality($3::integer[]), attempt + $7,
       accepted_at, coalesce($6::timestamptz, 'infinity'), $8
from whole
"""

_KIND_AND_CODE = attrgetter("kind", "status_code")
_FLUSH_AT = 1_000
_LANES = ("small", "batch")
_RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0)


@dataclass(slots=True)
class _Batch:
    """What is to be settled of one business unit."""

    events: list[tuple[Slice, Event]] = field(default_factory=list)
    writes: dict[Event, tuple[Write, ...]] = field(default_factory=dict)
    consequences: dict[Event, Consequence] = field(default_factory=dict)
    parts: list[tuple[Slice, Sequence[Part]]] = field(default_factory=list)
    """What leaves a slice that goes on."""
    over: dict[Slice, None] = field(default_factory=dict)
    """Slices with an outcome for every message."""


class Settler:
    """Collects outcomes and writes them. ``settled`` is called with each slice that has left the queue."""

    def __init__(
        self, pool: Pool, *, interval: float, settled: Callable[[Slice], None], counts: Counts | None = None
    ) -> None:
        self._pool = pool
        self._counts = counts or Counts()
        self._interval = interval
        self._settled = settled
        self._batches: dict[int, _Batch] = {}
        self._pending = 0
        self._waiters: list[asyncio.Future[None]] = []
        self._filled = asyncio.Event()
        self._full = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("delivery")

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Write what is left, then stop. Waits for the database if it is away."""
        self._closing = True
        self._filled.set()
        self._full.set()
        if self._task is not None:
            await self._task

    async def flush(self) -> None:
        """Return when everything recorded so far is written; does not wait for the interval."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(written)
        self._filled.set()
        self._full.set()
        await written

    def record(
        self, slice_: Slice, event: Event, writes: tuple[Write, ...] = (), consequence: Consequence | None = None
    ) -> None:
        """Add one event of a slice, and in the same transaction what goes into data extensions with it, and what it
        means for the address."""
        batch = self._batch(slice_.account_id)
        batch.events.append((slice_, event))
        if writes:
            batch.writes[event] = writes
        if consequence is not None:
            batch.consequences[event] = consequence
        self._pending += 1
        self._filled.set()
        if self._pending >= _FLUSH_AT:
            self._full.set()

    def part(self, slice_: Slice, parts: Sequence[Part]) -> None:
        """Some messages of a slice go their own way, while others of it have no outcome yet."""
        self._batch(slice_.account_id).parts.append((slice_, parts))
        self._filled.set()

    def finish(self, slice_: Slice) -> None:
        """Every message of the slice has its outcome; what was given back is queued again."""
        self._batch(slice_.account_id).over[slice_] = None
        self._filled.set()

    def _batch(self, account_id: int) -> _Batch:
        batch = self._batches.get(account_id)
        if batch is None:
            batch = self._batches[account_id] = _Batch()
        return batch

    async def _run(self) -> None:
        while True:
            await self._filled.wait()
            if not self._batches:
                self._tell_waiters()
                if self._closing:
                    return
                self._filled.clear()
                continue
            if not self._closing and self._pending < _FLUSH_AT:
                try:
                    async with asyncio.timeout(self._interval):
                        await self._full.wait()
                except TimeoutError:
                    pass
            batches, self._batches = self._batches, {}
            self._pending = 0
            self._full.clear()
            for account_id, batch in batches.items():
                await self._settle_for_sure(account_id, batch)

    def _tell_waiters(self) -> None:
        waiters, self._waiters = self._waiters, []
        for written in waiters:
            if not written.done():
                written.set_result(None)

    async def _settle_for_sure(self, account_id: int, batch: _Batch) -> None:
        tries = 0
        while True:
            try:
                await self._settle(account_id, batch, again=tries > 0)
            except Exception as error:
                # Whatever it is: a settler that ended would let the worker send on and on, and record nothing.
                wait = _RETRY_SECONDS[min(tries, len(_RETRY_SECONDS) - 1)]
                self._log.warning(
                    "settlement_waits_for_database", messages=len(batch.events), retry_in=wait, error=repr(error)
                )
                tries += 1
                await asyncio.sleep(wait)
            else:
                for slice_ in batch.over:
                    self._settled(slice_)
                return

    async def _settle(self, account_id: int, batch: _Batch, *, again: bool) -> None:
        given_back = (slice_ for slice_, _ in batch.parts)
        touched = dict.fromkeys([*(slice_ for slice_, _ in batch.events), *given_back, *batch.over])
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(_STILL_OURS, account_id, list({slice_.slice_id for slice_ in touched}))
            fences: dict[int, int] = {row["slice_id"]: row["fence"] for row in rows}
            ours = {slice_ for slice_ in touched if fences.get(slice_.slice_id) == slice_.fence}
            events = [event for slice_, event in batch.events if slice_ in ours]
            if again:
                events = await without_logged(connection, account_id, events)
            if events:
                await append_events(connection, events)
            if batch.writes:
                await self._write(connection, account_id, [(event, batch.writes.get(event, ())) for event in events])
            follows = [batch.consequences[event] for event in events if event in batch.consequences]
            if follows:
                await carry_out(connection, account_id, follows)
            for slice_, parts in batch.parts:
                if slice_ in ours:
                    await self._queue_again(connection, _PART, slice_, parts)
            over = [slice_ for slice_ in batch.over if slice_ in ours]
            for slice_ in over:
                await self._queue_again(connection, _REQUEUE, slice_, slice_.parts())
            if over:
                await connection.execute(_DELETE, account_id, [slice_.slice_id for slice_ in over])
        for (kind, code), number in Counter(map(_KIND_AND_CODE, events)).items():
            self._counts.add(OUTCOMES, kind, by=number)
            if kind == "not_sent":
                self._counts.add(NOT_SENT, str(code or 0), by=number)
        of_request = {slice_.request_id: slice_ for slice_ in ours}
        under_way: tuple[list[float], ...] = tuple([] for _ in _LANES)
        for event in events:
            if event.kind == "sent":
                slice_ = of_request[event.request_id]
                under_way[slice_.lane].append((event.occurred_at - slice_.accepted_at).total_seconds())
        for lane, seconds in zip(_LANES, under_way, strict=True):
            count_times(self._counts, DELIVERY_SECONDS, seconds, lane)
        for each in follows:
            if not isinstance(each, HandedOver):
                self._counts.add(SUPPRESSING, each.cause if isinstance(each, Entry) else "soft-bounce")
        for slice_ in touched:
            settled_before = again and slice_ in batch.over and slice_.slice_id not in fences
            if slice_ not in ours and not settled_before:
                slice_.lost = True
                self._log.warning(
                    "lease_lost_before_settlement",
                    request_id=str(slice_.request_id),
                    messages=sum(1 for owner, _ in batch.events if owner is slice_),
                )

    async def _queue_again(
        self, connection: PooledConnection, statement: str, slice_: Slice, parts: Sequence[Part]
    ) -> None:
        for part in parts:
            positions = sorted(part.positions)
            queued = await connection.execute(
                statement,
                slice_.account_id,
                slice_.slice_id,
                positions,
                positions[0],
                positions[-1],
                part.due_at,
                int(part.tried),
                part.waits_for,
            )
            if queued.endswith(" 0"):
                continue
            for why, put_off in part.put_offs:
                await note_put_off(connection, slice_.account_id, slice_.request_id, sorted(put_off), part.due_at, why)

    async def _write(
        self, connection: PooledConnection, account_id: int, wanted: list[tuple[Event, tuple[Write, ...]]]
    ) -> None:
        for event, writes in wanted:
            for problem in await apply_writes(connection, account_id, writes, event.occurred_at):
                self._log.warning("template_write_left_out", request_id=str(event.request_id), problem=problem)
