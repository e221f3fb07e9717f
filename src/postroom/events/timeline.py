"""Everything that is recorded of one message, in the order in which it happened, and what it waits for.

It is read from what the message's way writes anyway: the message and its request, the slice of the queue it is in, the
event log and the places of callbacks in the log; and from what is written once for many messages where something held
them up (`put_offs`, outages of the relay, pauses of definitions) or was posted to a callback (`posted`).
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal, TypeAlias
from uuid import UUID

import asyncpg
import msgspec

from postroom.events.cursor import LoggedEvent
from postroom.events.log import FINAL_KINDS
from postroom.events.patience import Patience
from postroom.events.payloads import Notice, notices
from postroom.events.posted import Posted, posted_of
from postroom.events.put_offs import Hindrance, hindrances
from postroom.events.subscriptions import Subscription, subscriptions_of
from postroom.store.database import Connection, Pool
from postroom.store.partitions import message_days

MOST_EVENTS = 1_000
"""Of one message that a timeline shows; somebody may open a mail ten thousand times."""

# The newest message of the key, as in the status; each day by `=`, which names the whole unique index.
_MESSAGE = """
select m.accepted_on, m.request_id, m.position, m.message_key, m.contact_key, m.address,
       r.accepted_at, r.definition_id, r.version_id, d.definition_key, d.status as definition_status, now() as now
from unnest($3::date[]) as kept(day)
cross join lateral (
    select accepted_on, request_id, position, message_key, contact_key, address from message
    where account_id = $1 and lower(message_key collate "C") = lower($2 collate "C") and accepted_on = kept.day
    limit 1) m
cross join lateral (
    select accepted_at, definition_id, version_id from send_request
    where account_id = $1 and accepted_on = m.accepted_on and request_id = m.request_id
    limit 1) r
left join lateral (
    select definition_key, status from definition where account_id = $1 and definition_id = r.definition_id limit 1) d
  on true
order by r.accepted_at desc
limit 1
"""

_EVENTS = """
select event_id, committed_in::text as xid, occurred_at, request_id, position, definition_id, kind, contact_id,
       status_code, detail
from event
where account_id = $1 and request_id = $2 and position = $3 and occurred_on >= $4
order by occurred_on, occurred_at, event_id
limit $5
"""

_SLICE = """
select attempt, nullif(due_at, 'infinity') as due_at, lease_owner, fence,
       case when leased_until > now() then leased_until end as leased_until
from queue
where account_id = $1 and request_id = $2 and $3::integer between first_position and last_position
  and (positions is null or $3::integer = any(positions))
limit 1
"""

_CALLBACKS = """
select callback_id, name, cursor_xid::text as xid, cursor_event, events_from, patient_from, attempt, due_at,
       failing_since, last_error
from callback
where account_id = $1 and verified_at is not null
order by created_at, callback_id
"""

# Nothing is claimed while the relay is away; each delivery process sees it for itself. Only what a message waited for
# is told of it: it was due, and no process made its attempt meanwhile.
_OUTAGES = """
select relay, min(since) as since, max(seen_until) as until, (array_agg(reply order by since))[1] as reply
from (select *, sum(begins::integer) over (partition by relay order by since, outage_id) as number
      from (select *, since > max(seen_until) over (partition by relay order by since, outage_id
                                                    rows between unbounded preceding and 1 preceding)
                      is not false as begins
            from relay_outage o
            where seen_until >= $1 and since <= $2
              and exists (select from unnest($3::timestamptz[], $4::timestamptz[], $5::boolean[]) w(due, ended, tried)
                          where o.seen_until >= w.due and o.since <= w.ended
                            and (not w.tried or o.seen_until <= w.ended))) seen) numbered
group by relay, number
order by 2
limit 100
"""

_PAUSES = """
select since, until from definition_pause
where account_id = $1 and definition_id = $2 and coalesce(until, 'infinity') >= $3 and since <= $4
order by since
limit 100
"""

_TRIED_FOR = Patience().days
_CLOCKS = timedelta(days=1)  # a worker's may be behind

WaitState: TypeAlias = Literal["held", "claimed", "inactive", "retry", "postponed", "due"]
"""Why a message is still queued: somebody has to release it, a worker has it, its definition is not active, its last
attempt failed, its way is slower than what there is for it, or nobody has taken it yet."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Where a queued message waits. ``until`` is None where no time is set; ``claims`` are those of its slice."""

    state: WaitState
    since: datetime
    until: datetime | None
    attempts: int
    claims: int
    lease_owner: str | None


@dataclass(frozen=True, slots=True)
class Standstill:
    """A time in which nothing could go: the relay was away as ``reply`` says, or the definition was not active.

    ``until`` is None while that lasts.
    """

    kind: Literal["relayAway", "inactive"]
    since: datetime
    until: datetime | None
    relay: str = ""
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A callback that wants an event and has not taken it.

    ``passed``: its place in the log is behind the event, so it will not be told; it was not wanted then, or given up.
    Otherwise ``attempt`` counts failures since its last success, ``due_at`` is the next attempt's time.
    """

    callback_id: UUID
    name: str
    event_type: str
    passed: bool
    attempt: int = 0
    due_at: datetime | None = None
    failing_since: datetime | None = None
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One event with its evidence, what was posted of it, and who has not taken it. ``detail`` is as the log has it."""

    event: LoggedEvent
    detail: Mapping[str, Any]
    posted: Sequence[Posted]
    told: Sequence[Told]


@dataclass(frozen=True, slots=True)
class Timeline:
    """One message. ``status`` is what the vendor calls so; ``waiting`` is None when it is not queued any more.

    ``complete`` is False when it has more events than are shown; the first are.
    """

    message_key: str
    contact_key: str
    address: str
    status: Literal["queued", "sent", "not_sent"]
    request_id: UUID
    position: int
    accepted_at: datetime
    definition_key: str
    version_id: int
    steps: Sequence[Step]
    hindrances: Sequence[Hindrance]
    standstills: Sequence[Standstill]
    waiting: Waiting | None
    complete: bool


async def message_timeline(
    pool: Pool, account_id: int, message_key: str, *, tried_for: timedelta = _TRIED_FOR
) -> Timeline | None:
    """The newest message of this key that is kept, or None. Callbacks are tried for so long after an event."""
    # One snapshot, so that a message is never out of the queue without its outcome.
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        days = [each.day for each in await message_days(connection)]
        message = await connection.fetchrow(_MESSAGE, account_id, message_key, days)
        if message is None:
            return None
        place = (account_id, message["request_id"], message["position"])
        first_day: date = message["accepted_on"] - _CLOCKS
        rows = await connection.fetch(_EVENTS, *place, first_day, MOST_EVENTS + 1)
        slice_ = await connection.fetchrow(_SLICE, *place)
        callbacks = await _callbacks(connection, account_id)
        events = [LoggedEvent(**dict(row)) for row in rows[:MOST_EVENTS]]
        final = next((event for event in reversed(events) if event.kind in FINAL_KINDS), None)
        begin, end = message["accepted_at"], message["now"] if final is None else final.occurred_at
        put_off = await hindrances(connection, *place)
        standstills = [
            Standstill("relayAway", row["since"], row["until"], row["relay"], row["reply"])
            for row in await connection.fetch(_OUTAGES, begin, end, *_waits(begin, events, end))
        ] + [
            Standstill("inactive", row["since"], row["until"])
            for row in await connection.fetch(_PAUSES, account_id, message["definition_id"], begin, end)
        ]
        posted = await posted_of(connection, account_id, [event.event_id for event in events], first_day)
    by_event = {each.event_id: each for each in await notices(pool, account_id, events)} if callbacks else {}
    steps = [
        Step(
            event,
            {} if event.detail is None else msgspec.json.decode(event.detail),
            posted.get(event.event_id, ()),
            _told(
                event,
                by_event.get(event.event_id),
                callbacks,
                {each.callback_id for each in posted.get(event.event_id, ()) if each.taken},
                message["now"] - tried_for,
            ),
        )
        for event in events
    ]
    return Timeline(
        message_key=message["message_key"],
        contact_key=message["contact_key"],
        address=message["address"],
        status="queued" if final is None else "sent" if final.kind == "sent" else "not_sent",
        request_id=message["request_id"],
        position=message["position"],
        accepted_at=message["accepted_at"],
        definition_key=message["definition_key"] or "",
        version_id=message["version_id"],
        steps=steps,
        hindrances=put_off,
        standstills=standstills,
        waiting=_waiting(message, slice_, events) if final is None and slice_ is not None else None,
        complete=len(rows) <= MOST_EVENTS,
    )


def _waits(
    accepted_at: datetime, events: Sequence[LoggedEvent], end: datetime
) -> tuple[list[datetime], list[datetime], list[bool]]:
    """The times in which a message was due: from when, until when, and whether they ended with an attempt."""
    due: list[datetime] = [accepted_at]
    ended: list[datetime] = []
    attempted: list[bool] = []
    for event in events:
        if event.kind not in FINAL_KINDS and event.kind not in ("deferred", "unknown"):
            continue
        detail = {} if event.detail is None else msgspec.json.decode(event.detail)
        ended.append(event.occurred_at)
        attempted.append("host" in detail or "stage" in detail)
        if event.kind in FINAL_KINDS:
            break
        again = detail.get("retry_at")
        due.append(event.occurred_at if again is None else datetime.fromisoformat(again))
    else:
        ended.append(end)
        attempted.append(False)
    return due, ended, attempted


async def _callbacks(connection: Connection, account_id: int) -> list[tuple[asyncpg.Record, list[Subscription]]]:
    return [
        (row, await subscriptions_of(connection, account_id, row["callback_id"]))
        for row in await connection.fetch(_CALLBACKS, account_id)
    ]


def _told(
    event: LoggedEvent,
    notice: Notice | None,
    callbacks: Sequence[tuple[asyncpg.Record, Sequence[Subscription]]],
    taken_by: Set[UUID],
    given_up_before: datetime,
) -> list[Told]:
    if notice is None:
        return []
    found = []
    for row, subscriptions in callbacks:
        if row["callback_id"] in taken_by:
            continue
        if event.occurred_at < row["events_from"] or not any(
            each.wants(notice.event_type, notice.occurred_at, notice.values) for each in subscriptions
        ):
            continue
        if (int(event.xid), event.event_id) <= (int(row["xid"]), row["cursor_event"]):
            found.append(Told(row["callback_id"], row["name"], notice.event_type, passed=True))
        elif max(event.occurred_at, row["patient_from"]) >= given_up_before:
            found.append(
                Told(
                    row["callback_id"],
                    row["name"],
                    notice.event_type,
                    passed=False,
                    attempt=row["attempt"],
                    due_at=row["due_at"] if row["attempt"] else None,
                    failing_since=row["failing_since"],
                    last_error=row["last_error"],
                )
            )
    return found


def _waiting(message: asyncpg.Record, slice_: asyncpg.Record, events: Sequence[LoggedEvent]) -> Waiting:
    state: WaitState
    until: datetime | None = slice_["due_at"]
    attempts = [event for event in events if event.kind in ("deferred", "unknown")]
    if until is None:
        state = "held"
    elif slice_["leased_until"] is not None:
        state, until = "claimed", slice_["leased_until"]
    elif message["definition_status"] != "Active":
        state, until = "inactive", None
    elif until > message["now"]:
        state = "retry" if attempts else "postponed"
    else:
        state = "due"
    return Waiting(
        state=state,
        since=attempts[-1].occurred_at if attempts else message["accepted_at"],
        until=until,
        attempts=slice_["attempt"],
        claims=slice_["fence"],
        lease_owner=slice_["lease_owner"] if state == "claimed" else None,
    )
