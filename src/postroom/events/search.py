"""Finding messages, newest first, by page: a page goes on where the one before ended, and costs no more than its bound.

Accepting writes no index for this: of a day that is over the messages are found by the index that is made then
(`store.partitions.index_days`), of today they are looked through, so many a page. A page can therefore have fewer
messages than were asked for, or none, and still a place to go on from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple, TypeAlias, get_args
from uuid import UUID

import asyncpg

from postroom.store.database import Connection, Pool
from postroom.store.partitions import MessageDay, message_days

StatusWanted: TypeAlias = Literal["queued", "held", "sent", "notSent", "bounced"]

STATUSES: Sequence[StatusWanted] = get_args(StatusWanted)

MOST_LOOKED_THROUGH = 100_000
"""Messages of one page that are only compared with an address or a contact key."""

MOST_ASKED = 2_000
"""Messages of one page whose outcome is looked up."""

_ASKED_AT_ONCE = 500
_CLOCKS = timedelta(days=1)
_LAST_ID = UUID(int=2**128 - 1)
_LAST_POSITION = 2**31 - 1

_DEFINITION = """
select definition_id from definition
where account_id = $1 and lower(definition_key collate "C") = lower($2 collate "C")
"""

_COLUMNS = "accepted_on, request_id, position, message_key, contact_key, address"
_OF_ADDRESS = 'lower(address collate "C") = lower($5::text collate "C")'
_OF_CONTACT = 'lower(contact_key collate "C") = lower($6::text collate "C")'

# The primary key read backwards: request ids tell the time they were made, so the newest come first.
_THROUGH = f"""
select {_COLUMNS} from message
where account_id = $1 and accepted_on = $2 and (request_id, position) < ($3::uuid, $4::integer)
order by request_id desc, position desc
limit $7
"""  # noqa: S608

_BY_ADDRESS = f"""
select {_COLUMNS} from message
where account_id = $1 and accepted_on = $2 and {_OF_ADDRESS} and (request_id, position) < ($3::uuid, $4::integer)
order by request_id desc, position desc
limit $7
"""  # noqa: S608

_BY_CONTACT = _BY_ADDRESS.replace(_OF_ADDRESS, _OF_CONTACT)

_FIND = f"""
with seen as materialized ({{}}),
matching as materialized (
    select * from seen
    where ($5::text is null or {_OF_ADDRESS}) and ($6::text is null or {_OF_CONTACT})
    order by request_id desc, position desc
    limit $8),
found as (
    select m.*, r.accepted_at, d.definition_key, e.final, e.occurred_at, e.status_code, e.bounced, q.held
    from matching m
    cross join lateral (
        select accepted_at, definition_id from send_request
        where account_id = $1 and accepted_on = m.accepted_on and request_id = m.request_id
        limit 1) r
    left join lateral (
        select definition_key from definition where account_id = $1 and definition_id = r.definition_id limit 1) d
      on true
    cross join lateral (
        select max(kind) filter (where kind <> 'bounced') as final,
               max(occurred_at) filter (where kind <> 'bounced') as occurred_at,
               max(status_code) filter (where kind = 'not_sent') as status_code,
               coalesce(bool_or(kind = 'bounced'), false) as bounced
        from event
        where account_id = $1 and request_id = m.request_id and position = m.position
          and kind in ('sent', 'not_sent', 'bounced') and occurred_on >= m.accepted_on - 1) e
    left join lateral (
        select true as held from queue
        where account_id = $1 and request_id = m.request_id and due_at = 'infinity' and e.final is null
          and m.position between first_position and last_position
          and (positions is null or m.position = any(positions))
        limit 1) q on true
    where ($9::uuid is null or r.definition_id = $9) and ($10::timestamptz is null or r.accepted_at >= $10)
      and ($11::timestamptz is null or r.accepted_at < $11)
      and case $12::text
          when 'queued' then e.final is null
          when 'held' then q.held
          when 'sent' then e.final = 'sent'
          when 'notSent' then e.final = 'not_sent'
          when 'bounced' then e.bounced
          else true end)
select c.*, found.*
from (select (select count(*) from seen) as seen, (select count(*) from matching) as matching,
             ls.request_id as seen_request, ls.position as seen_position,
             lm.request_id as matching_request, lm.position as matching_position
      from (select request_id, position from seen order by request_id, position limit 1) ls
      left join (select request_id, position from matching order by request_id, position limit 1) lm on true) c
left join found on true
order by found.request_id desc, found.position desc
"""  # noqa: S608


class Place(NamedTuple):
    """Behind which message the next page begins."""

    day: date
    request_id: UUID
    position: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a message has to be; None is anything. Keys and addresses compare without ASCII case."""

    address: str | None = None
    contact_key: str | None = None
    definition_key: str | None = None
    status: StatusWanted | None = None
    accepted_from: datetime | None = None
    accepted_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """One message. ``occurred_at`` and ``status_code`` are of its end; a bounce does not change the status."""

    message_key: str
    contact_key: str
    address: str
    definition_key: str
    accepted_at: datetime
    status: Literal["queued", "sent", "not_sent"]
    occurred_at: datetime | None
    status_code: int | None
    bounced: bool
    held: bool
    place: Place


@dataclass(frozen=True, slots=True)
class Found:
    """A page, newest first; ``behind`` is where the next begins, None when everything was looked at."""

    messages: list[FoundMessage]
    behind: Place | None


async def search_messages(
    pool: Pool, account_id: int, wanted: Wanted, *, after: Place | None, limit: int, now: datetime
) -> Found:
    """Up to ``limit`` messages (1 to 500) behind a place, or the newest. ``now`` is UTC."""
    async with pool.acquire() as connection:
        return await search_on(connection, account_id, wanted, after=after, limit=limit, now=now)


async def search_on(
    connection: Connection, account_id: int, wanted: Wanted, *, after: Place | None, limit: int, now: datetime
) -> Found:
    """`search_messages` on a connection, for what goes on in the same transaction."""
    definition_id = None
    if wanted.definition_key is not None:
        definition_id = await connection.fetchval(_DEFINITION, account_id, wanted.definition_key)
        if definition_id is None:
            return Found([], None)
    days = [day for day in await message_days(connection) if _within(day.day, wanted, after, now)]
    days.sort(reverse=True)
    return await _Search(connection, account_id, wanted, definition_id, limit).through(days, after)


def _within(day: date, wanted: Wanted, after: Place | None, now: datetime) -> bool:
    # The database's clock says on which day a message was accepted, and may differ from the one of the filter.
    first = (wanted.accepted_from or datetime(2000, 1, 1, tzinfo=UTC)).astimezone(UTC).date() - _CLOCKS
    last = (wanted.accepted_before or now).astimezone(UTC).date() + _CLOCKS
    return first <= day <= last and (after is None or day <= after.day)


class _Search:
    """One page in the making."""

    def __init__(
        self, connection: Connection, account_id: int, wanted: Wanted, definition_id: UUID | None, limit: int
    ) -> None:
        self._connection = connection
        self._account_id = account_id
        self._wanted = wanted
        self._definition_id = definition_id
        self._limit = limit
        self._compares = wanted.address is not None or wanted.contact_key is not None
        self._through = MOST_LOOKED_THROUGH
        self._asked = MOST_ASKED
        self._messages: list[FoundMessage] = []

    async def through(self, days: Sequence[MessageDay], after: Place | None) -> Found:
        for day in days:
            place = after if after is not None and after.day == day.day else Place(day.day, _LAST_ID, _LAST_POSITION)
            while True:
                if self._through <= 0 or self._asked <= 0:
                    return Found(self._messages, place)
                behind = await self._step(day, place)
                if behind is None:
                    break
                if len(self._messages) == self._limit:
                    return Found(self._messages, behind)
                place = behind
        return Found(self._messages, None)

    async def _step(self, day: MessageDay, place: Place) -> Place | None:
        """Look at some messages of a day; None when no more of it are left."""
        # As many as are wanted may be enough.
        asked = min(_ASKED_AT_ONCE if self._messages or self._asked < MOST_ASKED else self._limit, self._asked)
        source, through = _THROUGH, self._through if self._compares else asked
        if self._compares and day.indexed:
            source, through = _BY_CONTACT if self._wanted.contact_key is not None else _BY_ADDRESS, asked
        wanted = self._wanted
        rows = await self._connection.fetch(
            _FIND.format(source),
            self._account_id,
            *place,
            wanted.address,
            wanted.contact_key,
            through,
            asked,
            self._definition_id,
            wanted.accepted_from,
            wanted.accepted_before,
            wanted.status,
        )
        if not rows:
            return None
        ends = rows[0]
        self._through -= ends["seen"]
        self._asked -= ends["matching"]
        for row in rows:
            if row["message_key"] is not None:
                self._messages.append(_message(row))
                if len(self._messages) == self._limit:
                    return Place(day.day, row["request_id"], row["position"])
        if ends["matching"] == asked:
            return Place(day.day, ends["matching_request"], ends["matching_position"])
        if ends["seen"] == through:
            return Place(day.day, ends["seen_request"], ends["seen_position"])
        return None


def _message(row: asyncpg.Record) -> FoundMessage:
    return FoundMessage(
        message_key=row["message_key"],
        contact_key=row["contact_key"],
        address=row["address"],
        definition_key=row["definition_key"] or "",
        accepted_at=row["accepted_at"],
        status="sent" if row["final"] == "sent" else "not_sent" if row["final"] == "not_sent" else "queued",
        occurred_at=row["occurred_at"],
        status_code=row["status_code"],
        bounced=row["bounced"],
        held=bool(row["held"]),
        place=Place(row["accepted_on"], row["request_id"], row["position"]),
    )
