"""Writing outcomes: events appended by COPY, finished slices deleted, deferred and postponed messages queued again as
new slices, held ones without a time; all of a batch in one transaction.

The transaction writes only of slices whose fencing number is still ours; what belongs to a lost slice is dropped and
told to the log, since whoever has it now will settle it. That may be this same worker, under a newer number.

A batch that the database refuses is taken apart until the outcome is alone that it does not take. Of that one it gets
what it does take:

    what follows from it (a suppression, a template's writes,
    the page that is kept of a mail)                           left out, and told to the log
    its event                                                  written without its texts
    not even that                                              the message is held: nobody sends it again unasked
    messages that can't be queued again                        not_sent 100
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from operator import attrgetter

import msgspec
import structlog

from postroom.audience.soft_bounces import Consequence, HandedOver, carry_out
from postroom.audience.suppression import Entry
from postroom.delivery.batch import Batch
from postroom.delivery.data_access import Write, apply_writes
from postroom.delivery.kept_page import KeptPage, keep_pages
from postroom.delivery.slices import Part, Slice, Wrote
from postroom.events.codes import StatusCode
from postroom.events.log import FINAL_KINDS, Event, append_events, without_logged
from postroom.events.put_offs import PutOff, note_put_off
from postroom.metrics.counts import Counts
from postroom.metrics.declared import DELIVERY_SECONDS, NOT_SENT, OUTCOMES, REFUSALS, SUPPRESSING
from postroom.metrics.histogram import count_times
from postroom.store.isolation import apart
from postroom.store.pool import Pool, PooledConnection
from postroom.store.trouble import Trouble, sqlstate_of, tell_trouble, trouble_of

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

_KEY = """
select message_key from message
where account_id = $1 and accepted_on = $2 and request_id = $3 and position = $4
"""

_KIND_AND_CODE = attrgetter("kind", "status_code")
_LANES = ("small", "batch")
_AWAY = frozenset({Trouble.AWAY})


class OutcomeWriter:
    """Writes batches of one business unit each."""

    def __init__(self, pool: Pool, counts: Counts) -> None:
        self._pool = pool
        self._counts = counts
        self._log = structlog.get_logger("delivery")

    async def write(self, batch: Batch, *, again: bool) -> None:
        """Write a batch, all or nothing of it; ``again`` looks first for what is in the log already."""
        touched = batch.slices
        account_id = touched[0].account_id
        async with self._pool.acquire() as connection, connection.transaction():
            fences = await self._fences(connection, account_id, touched)
            ours = {slice_ for slice_ in touched if fences.get(slice_.slice_id) == slice_.fence}
            events = [event for slice_, event in batch.events if slice_ in ours]
            if again:
                events = await without_logged(connection, account_id, events)
            if events:
                await append_events(connection, events)
            if batch.writes:
                if pages := _pages(each for event in events for each in batch.writes.get(event, ())):
                    await keep_pages(connection, account_id, pages)
                for event in events:
                    await self._apply(connection, event, batch.writes.get(event, ()))
            follows = [batch.consequences[event] for event in events if event in batch.consequences]
            if follows:
                await carry_out(connection, account_id, follows)
            for slice_, parts in batch.parts:
                if slice_ in ours:
                    for part in parts:
                        await self._queue_again(connection, _PART, slice_, part)
            over = [slice_ for slice_ in batch.over if slice_ in ours]
            for slice_ in over:
                for part in slice_.parts():
                    await self._queue_again(connection, _REQUEUE, slice_, part)
            if over:
                await connection.execute(_DELETE, account_id, [slice_.slice_id for slice_ in over])
        self._count(ours, events, follows)
        for slice_ in touched:
            settled_before = again and slice_ in batch.over and slice_.slice_id not in fences
            if slice_ not in ours and not settled_before:
                self._lost(slice_, sum(1 for owner, _ in batch.events if owner is slice_))

    async def write_apart(self, batch: Batch) -> None:
        """Write a batch that was refused, and take out of it what is dealt with.

        Raises what is true of the whole (the database is away, or no place for anything), and what passes of an event
        that is alone: that is in the batch then.
        """
        slices = batch.slices

        async def write(part: Sequence[Slice]) -> None:
            chosen = frozenset(part)
            await self.write(batch.of(chosen), again=True)
            batch.drop(chosen)

        waits: list[Exception] = []
        for refused in await apart(slices, write, raised=_AWAY):
            try:
                await self._write_slice(batch, slices[refused.place])
            except Exception as error:
                if trouble_of(error) is Trouble.AWAY:
                    raise
                waits.append(error)
        if waits:
            raise waits[0]

    async def _write_slice(self, batch: Batch, slice_: Slice) -> None:
        events = [event for owner, event in batch.events if owner is slice_]

        async def write(part: Sequence[Event]) -> None:
            await self.write(batch.of_events(slice_, part), again=True)
            batch.drop_events(slice_, part)

        for refused in await apart(events, write, raised=_AWAY, suspected=True):
            event = events[refused.place]
            await self._write_refused(
                slice_, event, batch.writes.get(event, ()), batch.consequences.get(event), refused.error
            )
            batch.drop_events(slice_, [event])
        await self._write_rest(batch.of([slice_]), slice_)
        batch.drop([slice_])

    async def _write_refused(
        self,
        slice_: Slice,
        event: Event,
        writes: tuple[Wrote, ...],
        consequence: Consequence | None,
        error: Exception,
    ) -> None:
        """One event alone, of which something is refused."""
        told: list[tuple[str, Exception]] = []
        async with self._pool.acquire() as connection, connection.transaction():
            if not await self._is_ours(connection, slice_):
                return
            if not await without_logged(connection, event.account_id, [event]):
                return
            written: Event | None = event
            if (refusal := await self._attempt(connection, lambda: append_events(connection, [event]))) is not None:
                if trouble_of(refusal) is Trouble.BUSY:
                    raise refusal
                bare = event._replace(detail=_without_texts(event.detail, sqlstate_of(refusal)))
                if await self._attempt(connection, lambda: append_events(connection, [bare])) is None:
                    told.append(("outcome_written_without_texts", refusal))
                elif event.kind in FINAL_KINDS:
                    await self._hold(connection, slice_, event.position)
                    told.append(("outcome_not_written_message_held", refusal))
                    written = None
                else:
                    told.append(("attempt_not_written", refusal))
                    written = None
            pages = _pages(writes)
            if pages and (
                refusal := await self._attempt(connection, lambda: keep_pages(connection, event.account_id, pages))
            ):
                told.append(("page_left_out", refusal))
            if refusal := await self._attempt(connection, lambda: self._apply(connection, event, writes)):
                told.append(("template_writes_left_out", refusal))
            follows = [] if consequence is None else [consequence]
            if refusal := await self._attempt(connection, lambda: carry_out(connection, event.account_id, follows)):
                told.append(("suppression_left_out", refusal))
                follows = []
        self._count({slice_}, [] if written is None else [written], follows)
        for what, refusal in told or [("outcome_written_at_last", error)]:
            tell_trouble(self._log, what, refusal, **await self._facts(slice_, event.position), kind=event.kind)
            self._counts.add(REFUSALS, "settle", Trouble.VALUE.value)

    async def _write_rest(self, batch: Batch, slice_: Slice) -> None:
        """What becomes of a slice whose events are written."""
        ended: list[tuple[Part, Exception]] = []
        events: list[Event] = []
        async with self._pool.acquire() as connection, connection.transaction():
            if not await self._is_ours(connection, slice_):
                return
            given_back = [(_PART, part) for _, parts in batch.parts for part in parts]
            if batch.over:
                given_back += [(_REQUEUE, part) for part in slice_.parts()]
            for statement, part in given_back:
                refusal = await self._attempt(connection, self._queueing(connection, statement, slice_, part))
                if refusal is None:
                    continue
                if trouble_of(refusal) is not Trouble.VALUE:
                    raise refusal
                ended.append((part, refusal))
                reason = f"it can't be queued for another attempt: the database refuses it ({sqlstate_of(refusal)})"
                events += [_not_sent(slice_, position, reason) for position in part.positions]
            if events:
                await append_events(connection, events)
            if batch.over:
                await connection.execute(_DELETE, slice_.account_id, [slice_.slice_id])
        self._count({slice_}, events, [])
        for part, refusal in ended:
            for position in part.positions:
                tell_trouble(self._log, "not_queued_again", refusal, **await self._facts(slice_, position))
                self._counts.add(REFUSALS, "settle", Trouble.VALUE.value)

    async def _attempt(self, connection: PooledConnection, work: Callable[[], Awaitable[object]]) -> Exception | None:
        """Do something within a transaction that goes on without it; why it was refused. Raises when the database is
        away."""
        try:
            async with connection.transaction():
                await work()
        except Exception as error:
            if trouble_of(error) is Trouble.AWAY:
                raise
            return error
        return None

    def _queueing(
        self, connection: PooledConnection, statement: str, slice_: Slice, part: Part
    ) -> Callable[[], Awaitable[None]]:
        return lambda: self._queue_again(connection, statement, slice_, part)

    async def _hold(self, connection: PooledConnection, slice_: Slice, position: int) -> None:
        part = Part([position], None, tried=True, put_offs=[(PutOff("notRecorded"), [position])])
        await self._queue_again(connection, _PART, slice_, part)

    async def _fences(self, connection: PooledConnection, account_id: int, slices: Sequence[Slice]) -> dict[int, int]:
        rows = await connection.fetch(_STILL_OURS, account_id, [slice_.slice_id for slice_ in slices])
        return {row["slice_id"]: row["fence"] for row in rows}

    async def _is_ours(self, connection: PooledConnection, slice_: Slice) -> bool:
        fences = await self._fences(connection, slice_.account_id, [slice_])
        return fences.get(slice_.slice_id) == slice_.fence

    async def _queue_again(self, connection: PooledConnection, statement: str, slice_: Slice, part: Part) -> None:
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
            return
        for why, put_off in part.put_offs:
            await note_put_off(connection, slice_.account_id, slice_.request_id, sorted(put_off), part.due_at, why)

    async def _apply(self, connection: PooledConnection, event: Event, writes: tuple[Wrote, ...]) -> None:
        own = [each for each in writes if isinstance(each, Write)]
        for problem in await apply_writes(connection, event.account_id, own, event.occurred_at):
            self._log.warning("template_write_left_out", request_id=str(event.request_id), problem=problem)

    def _count(self, ours: "set[Slice]", events: Sequence[Event], follows: Sequence[Consequence]) -> None:
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

    def _lost(self, slice_: Slice, messages: int) -> None:
        slice_.lost = True
        self._log.warning("lease_lost_before_settlement", request_id=str(slice_.request_id), messages=messages)

    async def _facts(self, slice_: Slice, position: int) -> dict[str, object]:
        """What names a message in the log."""
        place = (slice_.account_id, slice_.accepted_on, slice_.request_id, position)
        try:
            key = await self._pool.fetchval(_KEY, *place)
        except Exception as error:
            key = f"unknown ({sqlstate_of(error)})"
        return {"account_id": slice_.account_id, "message_key": key, "request_id": str(slice_.request_id)}


def _pages(writes: Iterable[Wrote]) -> list[KeptPage]:
    return [each for each in writes if isinstance(each, KeptPage)]


def _without_texts(detail: str | None, sqlstate: str) -> str:
    """The evidence of an event as far as it is numbers, and why there is no more of it."""
    kept: dict[str, object] = {}
    if detail:
        kept = {
            name: value for name, value in msgspec.json.decode(detail).items() if isinstance(value, bool | int | float)
        }
    kept["reason"] = f"the database did not take the evidence as it was ({sqlstate})"
    return msgspec.json.encode(kept).decode()


def _not_sent(slice_: Slice, position: int, reason: str) -> Event:
    now = datetime.now(UTC)
    return Event(
        slice_.account_id,
        now.date(),
        now,
        slice_.request_id,
        position,
        slice_.definition_id,
        "not_sent",
        None,
        StatusCode.ERROR,
        msgspec.json.encode({"reason": reason}).decode(),
    )
