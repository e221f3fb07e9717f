"""Reading the event log in an order that can't miss anything, from a place that is kept for each callback.

Event numbers are drawn before their transactions commit, so a reader that went by number would pass over an event
that commits late. Here the order is (transaction, number), and only transactions are read that none still running
can precede: ``committed_in`` below the snapshot's xmin. What is read later is therefore always behind the place.

Readers take nothing from the message path: they lock no row of it and write only their own callback's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from postroom.store.pool import Pool

# Clocks of workers differ, and a settlement may wait for a database that is away: events are logged under an
# earlier day than the place's.
_LATE = timedelta(days=3)

# The place and the key are read anew for each batch: they may have been changed (replay, regenerate) meanwhile.
_STATE = """
select url, max_batch_size, signature_key, cursor_xid::text as cursor_xid, cursor_event, cursor_at,
       batch_xid::text as batch_xid, batch_event, batch_at, events_from, patient_from, attempt, due_at, now() as now
  from callback
 where account_id = $1 and callback_id = $2 and owner = $3 and verified_at is not null
"""

_READ = """
select seen.horizon::text as horizon, e.*
from (select pg_snapshot_xmin(pg_current_snapshot()) as horizon) seen
left join lateral (
    select event_id, committed_in::text as xid, occurred_at, request_id, position, definition_id, kind, contact_id,
           status_code, detail
      from event
     where account_id = $1 and occurred_on = any($2::date[]) and (committed_in, event_id) > ($3::text::xid8, $4::bigint)
       and committed_in < seen.horizon and kind = any($5::text[]) and occurred_at >= $6
       and ($8::text is null or (committed_in, event_id) <= ($8::text::xid8, $9::bigint))
     order by committed_in, event_id
     limit $7) e on true
"""

_MOVE = """
update callback
   set cursor_xid = $6::text::xid8, cursor_event = $7, cursor_at = $8, attempt = 0, due_at = 'epoch',
       failing_since = null, last_error = '', batch_xid = null, batch_event = null, batch_at = null
 where account_id = $1 and callback_id = $2 and owner = $3 and cursor_xid = $4::text::xid8 and cursor_event = $5
"""

# Nothing was sent, so nothing is known of the endpoint's health.
_SKIP = """
update callback
   set cursor_xid = $6::text::xid8, cursor_event = $7, cursor_at = $8,
       batch_xid = null, batch_event = null, batch_at = null
 where account_id = $1 and callback_id = $2 and owner = $3 and cursor_xid = $4::text::xid8 and cursor_event = $5
"""

_BEGIN = """
update callback set batch_xid = $6::text::xid8, batch_event = $7, batch_at = $8
 where account_id = $1 and callback_id = $2 and owner = $3 and cursor_xid = $4::text::xid8 and cursor_event = $5
"""

_FAILED = """
update callback
   set attempt = $4, due_at = now() + $5::interval, failing_since = coalesce(failing_since, now()), last_error = $6
 where account_id = $1 and callback_id = $2 and owner = $3
"""

_NOTE = """
insert into webhook_attempt (account_id, occurred_on, occurred_at, milliseconds, callback_id, callback_name,
                             webhook_id, attempt, status, problem, event_ids, span)
select account_id, (now() at time zone 'UTC')::date, now(), $3, callback_id, name,
       $4, $5, $6, $7, $8::bigint[], int8range($9, $10, '[]')
from callback
where account_id = $1 and callback_id = $2
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the log, and when the event there occurred. The transaction's number is text: asyncpg has no xid8."""

    xid: str
    event_id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class CallbackState:
    """What a batch is made by. ``attempt`` counts failures since the last success; times are the database's.

    ``begun`` is the end of a batch that was sent and, as far as is known, not taken.
    """

    url: str
    max_batch_size: int
    signature_key: str = field(repr=False)
    place: Place
    begun: Place | None
    events_from: datetime
    patient_from: datetime
    attempt: int
    due_at: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One row of the log, with its place."""

    event_id: int
    xid: str
    occurred_at: datetime
    request_id: UUID
    position: int
    definition_id: UUID
    kind: str
    contact_id: int | None
    status_code: int | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some events in order, and the place behind them; ``full`` when more may follow at once."""

    events: list[LoggedEvent]
    behind: Place
    full: bool


@dataclass(frozen=True, slots=True)
class PostedBatch:
    """A batch that was posted, and how that ended; ``status`` is 0 when there was no answer."""

    webhook_id: str
    event_ids: list[int]
    attempt: int
    milliseconds: int
    status: int
    problem: str


class Cursor:
    """The place of one callback, for its owner."""

    def __init__(self, pool: Pool, account_id: int, callback_id: UUID, owner: str) -> None:
        self._pool = pool
        self._account_id = account_id
        self._callback_id = callback_id
        self._owner = owner

    async def state(self) -> CallbackState | None:
        """The callback as it is now; None when it is gone or somebody else's."""
        row = await self._pool.fetchrow(_STATE, self._account_id, self._callback_id, self._owner)
        if row is None:
            return None
        return CallbackState(
            url=row["url"],
            max_batch_size=row["max_batch_size"],
            signature_key=row["signature_key"],
            place=Place(row["cursor_xid"], row["cursor_event"], row["cursor_at"]),
            begun=None if row["batch_xid"] is None else Place(row["batch_xid"], row["batch_event"], row["batch_at"]),
            events_from=row["events_from"],
            patient_from=row["patient_from"],
            attempt=row["attempt"],
            due_at=row["due_at"],
            now=row["now"],
        )

    async def read(self, state: CallbackState, *, kinds: Sequence[str], since: datetime, limit: int) -> LogPage:
        """Up to ``limit`` events of these kinds behind the callback's place that occurred at ``since`` or later.

        When a batch was begun, none behind its end.
        """
        place, begun = state.place, state.begun
        days = days_between(max(place.at - _LATE, since), state.now)
        rows = await self._pool.fetch(
            _READ,
            self._account_id,
            days,
            place.xid,
            place.event_id,
            list(kinds),
            since,
            limit,
            None if begun is None else begun.xid,
            0 if begun is None else begun.event_id,
        )
        horizon = rows[0]["horizon"]
        events = [
            LoggedEvent(**{name: row[name] for name in LoggedEvent.__slots__})
            for row in rows
            if row["event_id"] is not None
        ]
        if len(events) == limit:
            last = events[-1]
            return LogPage(events, Place(last.xid, last.event_id, max(place.at, last.occurred_at)), full=True)
        if begun is not None:
            return LogPage(events, begun, full=True)
        # Everything below the horizon was looked at; the horizon itself comes next.
        if int(horizon) <= int(place.xid):
            return LogPage(events, place, full=False)
        return LogPage(events, Place(horizon, 0, state.now), full=False)

    async def begin(self, before: Place, behind: Place) -> bool:
        """Record the end of the batch that is sent next; False when the place is no longer ours or another."""
        return await self._write(_BEGIN, before, behind)

    async def move(self, before: Place, behind: Place, *, sent: bool) -> bool:
        """Go on behind what was sent, or dropped; False when the place was changed by somebody else meanwhile."""
        return await self._write(_MOVE if sent else _SKIP, before, behind)

    async def _write(self, statement: str, before: Place, behind: Place) -> bool:
        status = await self._pool.execute(
            statement,
            self._account_id,
            self._callback_id,
            self._owner,
            before.xid,
            before.event_id,
            behind.xid,
            behind.event_id,
            behind.at,
        )
        return status != "UPDATE 0"

    async def note(self, posted: PostedBatch) -> None:
        """Record for timelines that a batch was posted, once for all of its events."""
        await self._pool.execute(
            _NOTE,
            self._account_id,
            self._callback_id,
            posted.milliseconds,
            posted.webhook_id,
            posted.attempt,
            posted.status,
            posted.problem[:500],
            posted.event_ids,
            min(posted.event_ids),
            max(posted.event_ids),
        )

    async def failed(self, attempt: int, wait: float, problem: str) -> None:
        """Record a failed attempt: their number in a row, seconds to the next, and what was wrong."""
        await self._pool.execute(
            _FAILED, self._account_id, self._callback_id, self._owner, attempt, timedelta(seconds=wait), problem[:500]
        )


def days_between(first: datetime, last: datetime) -> list[date]:
    """The UTC days from one moment to another, and one more: a worker's clock may be ahead."""
    begin, end = first.astimezone(UTC).date(), last.astimezone(UTC).date()
    return [begin + timedelta(days=offset) for offset in range((end - begin).days + 2)]
