"""Day partitions: made ahead of time, dropped when their time is over and nothing queued points into them."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import NamedTuple

import asyncpg

from postroom.store.database import Database
from postroom.store.pool import Pool

_AHEAD = timedelta(days=3)

_ENSURE = "select ensure_day_partitions($1, $2)"

# Partition names end in _YYYYMMDD, so their order is the order of days.
_OLD = """
select child.relname as name, parent.relname as parent, to_date(right(child.relname, 8), 'YYYYMMDD') as day,
       greatest(child.reltuples, 0)::bigint as rows, pg_total_relation_size(child.oid) as bytes
from pg_inherits i
join pg_class child on child.oid = i.inhrelid
join pg_class parent on parent.oid = i.inhparent
join unnest($1::text[], $2::date[]) as wanted(parent, before) on wanted.parent = parent.relname
where child.relkind = 'r' and right(child.relname, 8) < to_char(wanted.before, 'YYYYMMDD')
order by child.relname
"""

_DAYS = """
select to_date(right(child.relname, 8), 'YYYYMMDD') as day,
       to_regclass(format('%I', child.relname || '_by_contact')) is not null as indexed
from pg_inherits i
join pg_class child on child.oid = i.inhrelid
join pg_class parent on parent.oid = i.inhparent
where parent.relname = 'message' and child.relkind = 'r'
order by day
"""

# A day's two indexes come together or not at all; of processes that begin together, one makes them.
_ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtextextended('index_days', 0))"
_PATIENTLY = "set local statement_timeout = 0"
_LONGEST_SECONDS = 3_600.0

_INDEX = """
create index if not exists "{name}_by_address"
    on "{name}" (account_id, lower(address collate "C"), request_id, position);
create index if not exists "{name}_by_contact"
    on "{name}" (account_id, lower(contact_key collate "C"), request_id, position)
"""

_WAIT_BRIEFLY = "set local lock_timeout = '2s'"

_OLDEST_QUEUED = "select min(accepted_on) from queue"


class Partition(NamedTuple):
    """One day of a table. ``rows`` is PostgreSQL's estimate; ``needed`` says that a live slice points there."""

    name: str
    table: str
    day: date
    rows: int
    bytes: int
    needed: bool


class MessageDay(NamedTuple):
    """One day of messages; ``indexed`` says that they are found by address and contact key."""

    day: date
    indexed: bool


async def ensure_days(pool: Pool, today: date) -> None:
    """Make the partitions of yesterday to three days ahead, where they are missing."""
    await pool.execute(_ENSURE, today - timedelta(days=1), today + _AHEAD)


async def message_days(database: Database) -> list[MessageDay]:
    """The days whose messages are kept, the earliest first."""
    return [MessageDay(row["day"], row["indexed"]) for row in await database.fetch(_DAYS)]


async def index_days(pool: Pool, before: date) -> list[date]:
    """Make the indexes for searching of the days before ``before``, where they are missing; answers which.

    Accepting pays nothing for them: a day that is over is written by nobody but an erasure, which waits meanwhile.
    """
    made = []
    for each in await message_days(pool):
        if each.day < before and not each.indexed:
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute(_PATIENTLY)
                await connection.execute(_ONE_AT_A_TIME)
                name = f"message_{each.day:%Y%m%d}"
                await connection.execute(_INDEX.format(name=name), timeout=_LONGEST_SECONDS)
            made.append(each.day)
    return made


async def old_partitions(pool: Pool, before: Mapping[str, date]) -> list[Partition]:
    """The partitions of days before a table's date, oldest first of each table.

    Days from the oldest queued message on are ``needed``, however old: what is accepted is not forgotten.
    """
    oldest = await pool.fetchval(_OLDEST_QUEUED)
    rows = await pool.fetch(_OLD, list(before), list(before.values()))
    return [
        Partition(
            row["name"],
            row["parent"],
            row["day"],
            row["rows"],
            row["bytes"],
            oldest is not None and row["day"] >= oldest,
        )
        for row in rows
    ]


async def drop_partitions(pool: Pool, partitions: Iterable[Partition]) -> list[Partition]:
    """Drop them, but not those that are needed; answers which are gone. At one that a long query reads it ends."""
    dropped = []
    for each in partitions:
        if not each.needed:
            # A drop locks the whole table against everybody: one at a time, and not behind a long query.
            try:
                async with pool.acquire() as connection, connection.transaction():
                    await connection.execute(_WAIT_BRIEFLY)
                    await connection.execute(f'drop table if exists "{each.name}"')
            except asyncpg.LockNotAvailableError:
                break
            dropped.append(each)
    return dropped
