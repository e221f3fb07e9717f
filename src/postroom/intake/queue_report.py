"""What of a business unit is in the queue, which destinations are behind, and why.

Read from what delivery writes anyway: slices, the messages under them, attempts in the event log, and why slices were
put off. Nothing is written per message for this, so what a look costs is bounded instead: of each definition so many
slices, and of the messages that are behind those that were accepted first.

A message is behind when an attempt of it failed, when it was put off, or when a process has had it for a while. One
that nobody took yet is not, nor is one that is held or whose definition is not active.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from postroom.events.put_offs import PutOff
from postroom.store.database import Connection, Pool

MOST_DEFINITIONS = 500
"""Definitions that are looked at."""

MOST_SLICES = 50_000
"""Slices that are counted, of all definitions together."""

MOST_BEHIND = 5_000
"""Messages whose destination is looked at; up to a slice more."""

MOST_DESTINATIONS = 100
"""Destinations, and sites, that are told."""

_A_WHILE = timedelta(seconds=10)
_AWAY = timedelta(minutes=2)  # an outage that lasts is written far more often than that
_PUT_OFF_DAYS = timedelta(days=2)

# From definition to definition over the index, not over its rows.
_DEFINITIONS = """
with recursive q as (
    (select definition_id from queue where account_id = $1 order by definition_id limit 1)
    union all
    select n.definition_id
    from q cross join lateral (
        select definition_id from queue
        where account_id = $1 and definition_id > q.definition_id
        order by definition_id limit 1) n)
select d.definition_id, d.definition_key, d.status
from (select definition_id from q limit $2) q
cross join lateral (
    select definition_id, definition_key, status from definition
    where account_id = $1 and definition_id = q.definition_id limit 1) d
"""

_DEFINITION = """
select definition_id, definition_key, status from definition
where account_id = $1 and lower(definition_key collate "C") = lower($2 collate "C")
"""

# Small requests before batches, and those that are due longest before others.
_SLICES = """
from unnest($2::uuid[]) as wanted(definition_id)
cross join lateral (
    select slice_id, definition_id, request_id, accepted_on, first_position, last_position, positions, messages,
           attempt, accepted_at, due_at, leased_until, fence
    from queue
    where account_id = $1 and definition_id = wanted.definition_id
    order by lane, due_at
    limit $3) q
"""

_DEPTHS = f"""
select q.definition_id, count(*) as slices,
       coalesce(sum(messages) filter (where due_at = 'infinity'), 0)::bigint as held,
       coalesce(sum(messages) filter (where due_at < 'infinity' and leased_until > now()), 0)::bigint as leased,
       coalesce(sum(messages) filter (where due_at < 'infinity' and due_at > now() and leased_until <= now()), 0)
           ::bigint as waiting,
       coalesce(sum(messages) filter (where due_at <= now() and leased_until <= now()), 0)::bigint as due,
       min(accepted_at) filter (where due_at < 'infinity') as oldest,
       min(due_at) filter (where due_at < 'infinity' and leased_until <= now()) as next_at
{_SLICES}
group by q.definition_id
"""

_BEHIND = f"""
with behind as materialized (
    select s.*, sum(messages) over (order by accepted_at, slice_id) - messages as before,
           sum(messages) over () as everything
    from (select q.*
          {_SLICES}
          where due_at < 'infinity'
            and (attempt > 0 or due_at > accepted_at or (fence > 0 and accepted_at < now() - $5::interval))
          order by accepted_at, slice_id
          limit $4 + 1) s)
select b.request_id, b.attempt, b.accepted_at, b.due_at, b.leased_until > now() as leased, b.everything,
       m.position, m.domain, a.occurred_at, a.kind, a.detail
from (select * from behind where before < $4) b
cross join lateral (
    select position, lower(substring(address from '[^@]*$')) as domain from message
    where account_id = $1 and accepted_on = b.accepted_on and request_id = b.request_id
      and position between b.first_position and b.last_position
      and (b.positions is null or position = any(b.positions))
    offset 0) m
left join lateral (
    select true as final from event
    where b.fence > 0 and account_id = $1 and request_id = b.request_id and position = m.position
      and occurred_on >= b.accepted_on - 1 and kind in ('sent', 'not_sent')
    limit 1) f on true
left join lateral (
    select occurred_at, kind, detail from event
    where b.attempt > 0 and account_id = $1 and request_id = b.request_id and position = m.position
      and occurred_on >= b.accepted_on - 1 and kind in ('deferred', 'unknown')
    order by occurred_at desc
    limit 1) a on true
where f.final is null
"""  # noqa: S608

# A slice that was put off comes again at the very time that is noted with the reason.
_PUT_OFFS = """
select request_id, due_at, positions, reason, place from put_off
where account_id = $1 and request_id = any($2::uuid[]) and due_at = any($3::timestamptz[])
  and occurred_on >= ((now() - $4::interval) at time zone 'UTC')::date
limit $5
"""

# A site of which nothing is of the definition has no messages, and counts for what was looked at.
_SITES = """
select waits_for as site, sum(messages) filter (where wanted)::bigint as messages,
       min(accepted_at) filter (where wanted) as oldest, min(due_at) filter (where wanted) as next_at,
       sum(count(*)) over ()::bigint as slices
from (select waits_for, messages, accepted_at, due_at, $2::uuid is null or definition_id = $2 as wanted
      from queue
      where account_id = $1 and waits_for is not null and due_at < 'infinity' and leased_until <= now()
      limit $3) q
group by waits_for
order by 2 desc nulls last, 1
limit $4
"""

_AWAY_NOW = """
select relay, min(since) as since, (array_agg(reply order by since desc))[1] as reply
from relay_outage where not ended and seen_until > now() - $1::interval
group by relay
order by 2
"""


@dataclass(frozen=True, slots=True)
class Depth:
    """Messages of a definition by state. ``oldest`` and ``next_at`` are of those that are not held, the latter of those
    that no process has. ``more``: it has more slices than were counted."""

    definition_key: str
    status: str
    due: int
    leased: int
    waiting: int
    held: int
    oldest: datetime | None
    next_at: datetime | None
    more: bool


@dataclass(frozen=True, slots=True)
class LastAttempt:
    """The newest attempt at a destination that failed; ``detail`` is as the log has it."""

    at: datetime
    kind: str
    detail: Mapping[str, Any]


@dataclass(slots=True)
class Destination:
    """A recipients' domain that is behind. ``in_hand`` of its messages are with a process, ``tried`` had an attempt."""

    domain: str
    oldest: datetime
    messages: int = 0
    in_hand: int = 0
    tried: int = 0
    next_at: datetime | None = None
    """When the first comes again; None when a process has them all."""
    last: LastAttempt | None = None
    put_offs: Counter[PutOff] = field(default_factory=Counter)
    """What their last put-off was for."""


@dataclass(frozen=True, slots=True)
class WaitedFor:
    """A site, and the messages that were given back because more waited for it than goes there."""

    site: str
    messages: int
    oldest: datetime
    next_at: datetime


@dataclass(frozen=True, slots=True)
class RelayAway:
    """The relay that cannot be reached, as a process saw it; nothing is taken out of the queue meanwhile."""

    relay: str
    since: datetime
    reply: str


@dataclass(frozen=True, slots=True)
class QueueReport:
    """``looked`` of the messages that are behind were looked at, those accepted first; with ``more`` there are others,
    and what is told of destinations is of these alone."""

    at: datetime
    depths: list[Depth]
    destinations: list[Destination]
    sites: list[WaitedFor]
    away: list[RelayAway]
    looked: int
    more: bool


async def queue_report(pool: Pool, account_id: int, definition_key: str | None = None) -> QueueReport | None:
    """The queue of a business unit, or of one of its definitions; None when there is no such definition."""
    # One snapshot, so that every part is of the same moment.
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        if definition_key is None:
            definitions = await connection.fetch(_DEFINITIONS, account_id, MOST_DEFINITIONS + 1)
        else:
            definitions = await connection.fetch(_DEFINITION, account_id, definition_key)
            if not definitions:
                return None
        cut_off = len(definitions) > MOST_DEFINITIONS
        definitions = definitions[:MOST_DEFINITIONS]
        each_at_most = MOST_SLICES // max(1, len(definitions))
        depths = await _depths(connection, account_id, definitions, each_at_most)
        active = [row["definition_id"] for row in definitions if row["status"] == "Active"]
        behind = await connection.fetch(_BEHIND, account_id, active, each_at_most, MOST_BEHIND, _A_WHILE)
        found = destinations_of(behind, await _put_offs(connection, account_id, behind))
        only = None if definition_key is None else definitions[0]["definition_id"]
        sites = await connection.fetch(_SITES, account_id, only, MOST_SLICES, MOST_DESTINATIONS + 1)
        away = await connection.fetch(_AWAY_NOW, _AWAY)
        now = await connection.fetchval("select now()")
    more = (
        cut_off
        or any(row["everything"] > MOST_BEHIND for row in behind[:1])
        or any(row["slices"] >= MOST_SLICES for row in sites[:1])
        or any(each.more for each in depths)
        or max(len(found), len(sites)) > MOST_DESTINATIONS
    )
    return QueueReport(
        at=now,
        depths=depths,
        destinations=found[:MOST_DESTINATIONS],
        sites=[
            WaitedFor(row["site"], row["messages"], row["oldest"], row["next_at"])
            for row in sites[:MOST_DESTINATIONS]
            if row["messages"] is not None
        ],
        away=[RelayAway(**dict(row)) for row in away],
        looked=len(behind),
        more=more,
    )


async def _depths(
    connection: Connection, account_id: int, definitions: Sequence[asyncpg.Record], each_at_most: int
) -> list[Depth]:
    wanted = {row["definition_id"]: row for row in definitions}
    rows = await connection.fetch(_DEPTHS, account_id, list(wanted), each_at_most)
    depths = [
        Depth(
            definition_key=wanted[row["definition_id"]]["definition_key"],
            status=wanted[row["definition_id"]]["status"],
            due=row["due"],
            leased=row["leased"],
            waiting=row["waiting"],
            held=row["held"],
            oldest=row["oldest"],
            next_at=row["next_at"],
            more=row["slices"] >= each_at_most,
        )
        for row in rows
    ]
    return sorted(depths, key=lambda each: (each.oldest is None, each.oldest, each.definition_key))


async def _put_offs(
    connection: Connection, account_id: int, behind: Sequence[asyncpg.Record]
) -> Sequence[asyncpg.Record]:
    requests = list({row["request_id"] for row in behind})
    times = list({row["due_at"] for row in behind})
    if not requests:
        return ()
    return await connection.fetch(_PUT_OFFS, account_id, requests, times, _PUT_OFF_DAYS, 4 * MOST_BEHIND)


def destinations_of(behind: Iterable[asyncpg.Record], put_offs: Iterable[asyncpg.Record]) -> list[Destination]:
    """The domains of rows of messages, those with most first."""
    whys: dict[tuple[UUID, datetime, int | None], PutOff] = {}
    for row in put_offs:
        for position in row["positions"] if row["positions"] is not None else (None,):
            whys[row["request_id"], row["due_at"], position] = PutOff(row["reason"], row["place"])
    found: dict[str, Destination] = {}
    newest: dict[str, asyncpg.Record] = {}
    for row in behind:
        domain = row["domain"]
        one = found.get(domain)
        if one is None:
            one = found[domain] = Destination(domain, row["accepted_at"])
        one.messages += 1
        one.oldest = min(one.oldest, row["accepted_at"])
        one.tried += row["attempt"] > 0
        if row["leased"]:
            one.in_hand += 1
        elif one.next_at is None or row["due_at"] < one.next_at:
            one.next_at = row["due_at"]
        tried_at = row["occurred_at"]
        if tried_at is not None and (domain not in newest or newest[domain]["occurred_at"] < tried_at):
            newest[domain] = row
        place = (row["request_id"], row["due_at"])
        why = whys.get((*place, row["position"])) or whys.get((*place, None))
        if why is not None:
            one.put_offs[why] += 1
    for domain, row in newest.items():
        detail = {} if row["detail"] is None else msgspec.json.decode(row["detail"])
        found[domain].last = LastAttempt(row["occurred_at"], row["kind"], detail)
    return sorted(found.values(), key=lambda each: (-each.messages, each.oldest, each.domain))
