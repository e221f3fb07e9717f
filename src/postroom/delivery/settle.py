"""Settling: outcomes become events, and finished slices leave the queue (design: crash rules 3, 5).

Outcomes are collected for some milliseconds and written in one transaction per business unit (`outcome_writer`).

A settlement that the database did not take is tried again until it does: an outcome is never forgotten while the
process lives. If the answer to a commit was lost, the repeat finds its events in the log and does not write them
twice. What waiting does not mend is taken apart, so that one outcome holds up no others, and business units wait each
for themselves:

    away                             wait, try again
    busy                             as away; after some tries, apart
    refused for a row                apart
    refused for database or program  wait longer, try again; the business unit is `stuck`: no attempt begins for it,
                                     since nothing of it could be recorded
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from postroom.audience.soft_bounces import Consequence
from postroom.delivery.batch import Batch
from postroom.delivery.outcome_writer import OutcomeWriter
from postroom.delivery.slices import Part, Slice, Wrote
from postroom.events.log import Event
from postroom.metrics.counts import Counts
from postroom.metrics.declared import REFUSALS
from postroom.store.pool import Pool
from postroom.store.trouble import Trouble, tell_trouble, trouble_of

_FLUSH_AT = 1_000
_RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0)
_LONG_RETRY_SECONDS = (1.0, 5.0, 15.0, 30.0)
# So often a settlement may be too busy before it is looked for what keeps it.
_MOST_BUSY = 3
_SHORTEST_WAIT = 0.01


@dataclass(slots=True)
class _Delay:
    """A business unit whose settlement did not go through: how often in a row, and when it is tried again."""

    tries: int
    retry_at: float


class Settler:
    """Collects outcomes and writes them. ``settled`` is called with each slice that has left the queue."""

    def __init__(
        self, pool: Pool, *, interval: float, settled: Callable[[Slice], None], counts: Counts | None = None
    ) -> None:
        self._counts = counts or Counts()
        self._writer = OutcomeWriter(pool, self._counts)
        self._interval = interval
        self._settled = settled
        self._batches: dict[int, Batch] = {}
        self._delays: dict[int, _Delay] = {}
        self.stuck: set[int] = set()
        """Business units that nothing can be recorded of until somebody mends the database."""
        self._pending = 0
        self._waiters: list[asyncio.Future[None]] = []
        self._filled = asyncio.Event()
        self._full = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._clock = asyncio.get_running_loop().time
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
        """Return when everything recorded so far is written, but for what is stuck; does not wait for the interval."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(written)
        self._filled.set()
        self._full.set()
        await written

    def record(
        self, slice_: Slice, event: Event, writes: tuple[Wrote, ...] = (), consequence: Consequence | None = None
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

    def _batch(self, account_id: int) -> Batch:
        batch = self._batches.get(account_id)
        if batch is None:
            batch = self._batches[account_id] = Batch()
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
            await self._gather()
            due = [account_id for account_id in self._batches if self._is_due(account_id)]
            self._full.clear()
            for account_id in due:
                await self._settle(account_id, self._batches.pop(account_id))
            if due:
                fresh = (batch for account_id, batch in self._batches.items() if account_id not in self._delays)
                self._pending = sum(len(batch.events) for batch in fresh)
            if all(account_id in self.stuck for account_id in self._batches):
                self._tell_waiters()

    async def _gather(self) -> None:
        """Let some outcomes come together. Who waits for another try must not hold up what others record meanwhile, so
        that wait is no longer."""
        seconds = self._interval
        if all(account_id in self._delays for account_id in self._batches):
            seconds = max(seconds, _SHORTEST_WAIT)
        elif self._closing or self._pending >= _FLUSH_AT:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._full.wait()
        except TimeoutError:
            pass

    def _is_due(self, account_id: int) -> bool:
        delay = self._delays.get(account_id)
        return delay is None or self._clock() >= delay.retry_at

    def _tell_waiters(self) -> None:
        waiters, self._waiters = self._waiters, []
        for written in waiters:
            if not written.done():
                written.set_result(None)

    async def _settle(self, account_id: int, batch: Batch) -> None:
        delay = self._delays.get(account_id)
        tries = 0 if delay is None else delay.tries
        over = list(batch.over)
        try:
            await self._write(batch, tries)
        except Exception as error:
            # Whatever it is: a settler that ended would let the worker send on and on, and record nothing.
            self._wait(account_id, batch, tries, error)
        else:
            batch = Batch()
            if delay is not None:
                del self._delays[account_id]
                self.stuck.discard(account_id)
        for slice_ in over:
            if slice_ not in batch.over:
                self._settled(slice_)

    async def _write(self, batch: Batch, tries: int) -> None:
        try:
            await self._writer.write(batch, again=tries > 0)
        except Exception as error:
            trouble = trouble_of(error)
            if trouble is Trouble.AWAY or (trouble is Trouble.BUSY and tries < _MOST_BUSY):
                raise
            await self._writer.write_apart(batch)

    def _wait(self, account_id: int, batch: Batch, tries: int, error: Exception) -> None:
        trouble = trouble_of(error)
        waits = _RETRY_SECONDS if trouble.passes else _LONG_RETRY_SECONDS
        seconds = waits[min(tries, len(waits) - 1)]
        tell_trouble(
            self._log,
            "settlement_waits_for_database" if trouble.passes else "settlement_refused",
            error,
            account_id=account_id,
            messages=len(batch.events),
            retry_in=seconds,
        )
        if not trouble.passes:
            self._counts.add(REFUSALS, "settle", trouble.value)
        self._delays[account_id] = _Delay(tries + 1, self._clock() + seconds)
        if trouble is not Trouble.AWAY and (not trouble.passes or tries >= _MOST_BUSY):
            self.stuck.add(account_id)
        later = self._batches.get(account_id)
        if later is not None:
            batch.append(later)
        self._batches[account_id] = batch
