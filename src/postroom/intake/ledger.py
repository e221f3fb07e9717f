"""The accept transaction: message rows, request rows and queue slices of a group of requests, or nothing.

A message key is used once per business unit within the key window. Three looks make it so: within the request
(validation), within the day (the unique index), and over the other days of the window (their indexes, a race
around midnight being closed by ``accept_day``; docs/promises.md).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import repeat
from uuid import UUID

import asyncpg

from postroom.intake.keys import fold_key
from postroom.intake.once import OnceRow, OnceState, hold, keep
from postroom.intake.request import Once
from postroom.intake.validation import Candidates
from postroom.store.pool import Pool, PooledConnection

SMALL_REQUEST = 10
"""Requests of up to this many recipients go in the lane of small requests, past any backlog of batches."""

BATCHES = 1
"""The lane of all others."""

_DEFINITIONS = """
select lower(definition_key collate "C") as folded_key, definition_id, version_id
from definition
where account_id = $1 and lower(definition_key collate "C") = any($2::text[]) and status <> 'Deleted'
"""

_VERSIONS = """
select version_id, definition_id from definition_version where account_id = $1 and version_id = any($2::bigint[])
"""

_USED_ON_OTHER_DAYS = """
with days as materialized (
    select d.day from unnest($3::date[]) as d(day)
    cross join lateral (select from message where account_id = $1 and accepted_on = d.day limit 1) any_message)
select k.folded_key
from unnest($2::text[]) as k(folded_key)
cross join lateral (
    select from days
    cross join lateral (
        select request_id from message
        where account_id = $1 and lower(message_key collate "C") = k.folded_key and accepted_on = days.day
        limit 1) m
    cross join lateral (
        select accepted_at from send_request
        where account_id = $1 and accepted_on = days.day and request_id = m.request_id
        limit 1) r
    where r.accepted_at > now() - $4::interval
    limit 1) used
"""

# A key used today by anybody, this statement included, keeps its first row; the caller asks which rows are its own.
_MESSAGE_COLUMNS = (
    "account_id",
    "accepted_on",
    "request_id",
    "position",
    "message_key",
    "contact_key",
    "address",
    "attributes",
)

_INSERT_MESSAGES = """
insert into message (account_id, accepted_on, request_id, position, message_key, contact_key, address, attributes)
select $1, $2, m.request_id, m.position, m.message_key, m.contact_key, m.address, m.attributes
from unnest($3::uuid[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::text[])
     as m(request_id, position, message_key, contact_key, address, attributes)
on conflict do nothing
"""

_INSERTED = """
select request_id, position from message
where account_id = $1 and accepted_on = $2 and request_id = any($3::uuid[])
"""

_INSERT_REQUESTS = """
insert into send_request (account_id, accepted_on, request_id, definition_id, version_id, accepted_at, attributes)
select $1, $2, r.request_id, r.definition_id, r.version_id, now(), r.attributes
from unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::text[])
     as r(request_id, definition_id, version_id, attributes)
"""

_INSERT_SLICES = """
insert into queue (account_id, definition_id, lane, request_id, accepted_on, first_position, last_position,
                   messages, accepted_at, due_at)
select $1, s.definition_id, s.lane, s.request_id, $2, s.first_position, s.last_position, s.messages, now(), now()
from unnest($3::uuid[], $4::uuid[], $5::smallint[], $6::integer[], $7::integer[], $8::integer[])
     as s(request_id, definition_id, lane, first_position, last_position, messages)
"""


@dataclass(slots=True)
class Entry:
    """One request on its way into the tables; ``commit`` fills in what it found."""

    request_id: UUID
    definition_key: str
    attributes: str | None
    candidates: Candidates
    version_id: int | None = None
    """The version it is pinned to; None is the definition's current one."""
    once: Once | None = None
    batch: bool = False
    """It waits with the batches, however few its recipients are."""
    render: "Callable[[Entry], bytes] | None" = None
    """The reply of an entry with ``once``, from what ``commit`` has found."""
    definition_known: bool = True
    version_known: bool = True
    once_state: OnceState = OnceState.FRESH
    reply: bytes = b""
    duplicates: set[int] = field(default_factory=set)
    """Positions whose key was already used within the window."""

    @property
    def stored_positions(self) -> list[int]:
        """The positions that are message rows after ``commit``, in order."""
        positions = self.candidates.positions
        if not self.duplicates:
            return positions
        return [position for position in positions if position not in self.duplicates]


@dataclass(frozen=True, slots=True)
class _Known:
    """An entry whose definition exists, with the version its messages keep."""

    entry: Entry
    definition_id: UUID
    version_id: int

    @property
    def stored(self) -> bool:
        return len(self.entry.duplicates) < len(self.entry.candidates.positions)


class Ledger:
    """Writes groups of requests; one transaction each, on a connection of the given pool."""

    def __init__(self, pool: Pool, *, key_window: timedelta, slice_size: int) -> None:
        self._pool = pool
        self._key_window = key_window
        self._slice_size = slice_size

    async def commit(self, account_id: int, entries: list[Entry]) -> None:
        """Commit a group of one business unit. Any error leaves all of the group unwritten; it may be tried again."""
        async with self._pool.acquire() as connection, connection.transaction():
            await self.write(connection, account_id, entries)

    async def write(self, connection: PooledConnection, account_id: int, entries: list[Entry]) -> None:
        """The same within the caller's transaction."""
        entries = await self._hold_keys(connection, account_id, entries)
        today: date = await connection.fetchval("select accept_day($1)", account_id)
        known = await self._look_up_definitions(connection, account_id, entries)
        await self._find_keys_of_other_days(connection, account_id, today, known)
        await self._insert_messages(connection, account_id, today, known)
        stored = [each for each in known if each.stored]
        if stored:
            await self._insert_requests(connection, account_id, today, stored)
            await self._keep_replies(connection, account_id, [each.entry for each in stored])

    async def _hold_keys(self, connection: PooledConnection, account_id: int, entries: list[Entry]) -> list[Entry]:
        """The entries that are to be accepted now; the state of the others says why they are not."""
        asked = [(entry, entry.once) for entry in entries if entry.once is not None]
        if not asked:
            return entries
        states = await hold(connection, account_id, [(once.key, once.fingerprint) for _, once in asked])
        for (entry, _), (state, reply) in zip(asked, states, strict=True):
            entry.once_state, entry.reply = state, reply
        return [entry for entry in entries if entry.once_state is OnceState.FRESH]

    async def _keep_replies(self, connection: PooledConnection, account_id: int, stored: list[Entry]) -> None:
        rows = []
        for entry in stored:
            if entry.once is not None:
                assert entry.render is not None
                entry.reply = entry.render(entry)
                rows.append(OnceRow(entry.once.key, entry.once.fingerprint, entry.reply))
        if rows:
            await keep(connection, account_id, rows)

    async def _look_up_definitions(
        self, connection: PooledConnection, account_id: int, entries: list[Entry]
    ) -> list[_Known]:
        folded = [fold_key(entry.definition_key) for entry in entries]
        rows = await connection.fetch(_DEFINITIONS, account_id, list(set(folded)))
        definitions = {row["folded_key"]: row for row in rows}
        pinned = [entry.version_id for entry in entries if entry.version_id is not None]
        owners = {}
        if pinned:
            versions = await connection.fetch(_VERSIONS, account_id, pinned)
            owners = {row["version_id"]: row["definition_id"] for row in versions}
        known = []
        for entry, key in zip(entries, folded, strict=True):
            entry.duplicates.clear()
            entry.definition_known = key in definitions
            if not entry.definition_known:
                continue
            definition_id, version_id = definitions[key]["definition_id"], entry.version_id
            entry.version_known = version_id is None or owners.get(version_id) == definition_id
            if entry.version_known:
                current = definitions[key]["version_id"]
                known.append(_Known(entry, definition_id, current if version_id is None else version_id))
        return known

    async def _find_keys_of_other_days(
        self, connection: PooledConnection, account_id: int, today: date, known: list[_Known]
    ) -> None:
        supplied = [key for each in known for key in each.entry.candidates.supplied]
        if not supplied:
            return
        reach = -(-self._key_window // timedelta(days=1))
        # The day after belongs to it: a request that began before midnight may commit after one of the new day.
        days = [today + timedelta(days=offset) for offset in range(-reach, 2) if offset != 0]
        rows = await connection.fetch(_USED_ON_OTHER_DAYS, account_id, supplied, days, self._key_window)
        used = {row["folded_key"] for row in rows}
        if used:
            for each in known:
                each.entry.duplicates.update(
                    position for key, position in each.entry.candidates.supplied.items() if key in used
                )

    async def _insert_messages(
        self, connection: PooledConnection, account_id: int, today: date, known: list[_Known]
    ) -> None:
        records = _records(account_id, today, known)
        if not records:
            return
        try:
            # COPY costs two thirds of an INSERT and nearly always works; one key that is taken makes it fail whole.
            async with connection.transaction():
                await connection.copy_records_to_table("message", records=records, columns=_MESSAGE_COLUMNS)
            return
        except asyncpg.UniqueViolationError:
            pass
        columns = [list(column) for column in zip(*records, strict=True)][2:]
        await connection.execute(_INSERT_MESSAGES, account_id, today, *columns)
        rows = await connection.fetch(_INSERTED, account_id, today, [each.entry.request_id for each in known])
        inserted = {(row["request_id"], row["position"]) for row in rows}
        for each in known:
            each.entry.duplicates.update(
                position
                for position in each.entry.candidates.positions
                if (each.entry.request_id, position) not in inserted
            )

    async def _insert_requests(
        self, connection: PooledConnection, account_id: int, today: date, stored: list[_Known]
    ) -> None:
        await connection.execute(
            _INSERT_REQUESTS,
            account_id,
            today,
            [each.entry.request_id for each in stored],
            [each.definition_id for each in stored],
            [each.version_id for each in stored],
            [each.entry.attributes for each in stored],
        )
        slices = [
            (each.entry.request_id, each.definition_id, _lane(each.entry), *slice_)
            for each in stored
            for slice_ in cut(each.entry.stored_positions, self._slice_size)
        ]
        columns = [list(column) for column in zip(*slices, strict=True)]
        await connection.execute(_INSERT_SLICES, account_id, today, *columns)


def _records(account_id: int, today: date, known: list[_Known]) -> list[tuple[object, ...]]:
    """The message rows of a group, in the order of their keys.

    So two groups with the same keys in another order wait for each other, but never deadlock.
    """
    records: list[tuple[object, ...]] = []
    for each in known:
        found, duplicates = each.entry.candidates, each.entry.duplicates
        columns = zip(
            repeat(account_id),
            repeat(today),
            repeat(each.entry.request_id),
            found.positions,
            found.message_keys,
            found.contact_keys,
            found.addresses,
            found.attributes,
        )
        records += [record for record in columns if record[3] not in duplicates] if duplicates else columns
    records.sort(key=_folded_key_of)
    return records


def _folded_key_of(record: tuple[object, ...]) -> str:
    key = record[4]
    assert isinstance(key, str)
    return fold_key(key)


def _lane(entry: Entry) -> int:
    return BATCHES if entry.batch else lane_of(len(entry.candidates.keys))


def lane_of(recipients: int) -> int:
    """The lane a request waits in: 0 for small ones, 1 for batches."""
    return 0 if recipients <= SMALL_REQUEST else BATCHES


def cut(positions: list[int], slice_size: int) -> list[tuple[int, int, int]]:
    """First position, last position and number of messages of each slice; ``positions`` are in order."""
    return [
        (part[0], part[-1], len(part))
        for part in (positions[start : start + slice_size] for start in range(0, len(positions), slice_size))
    ]
