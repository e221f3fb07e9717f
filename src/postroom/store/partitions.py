"""Day partitions: made ahead of time, dropped when their time is over and nothing queued points into them."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import NamedTuple

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
select to_date(right(child.relname, 8), 'YYYYMMDD') as day
from pg_inherits i
join pg_class child on child.oid = i.inhrelid
join pg_class parent on parent.oid = i.inhparent
where parent.relname = 'message' and child.relkind = 'r'
order by day
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


async def ensure_days(pool: Pool, today: date) -> None:
    """Make the partitions of yesterday to three days ahead, where they are missing."""
    await pool.execute(_ENSURE, today - timedelta(days=1), today + _AHEAD)


async def message_days(database: Database) -> list[date]:
    """The days whose messages are kept, the earliest first."""
    return [row["day"] for row in await database.fetch(_DAYS)]


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


async def drop_partitions(pool: Pool, partitions: Iterable[Partition]) -> None:
    """Drop them, but not those that are needed."""
    for each in partitions:
        if not each.needed:
            # A drop locks the whole table against everybody: one at a time, and not behind a long query.
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute(_WAIT_BRIEFLY)
                await connection.execute(f'drop table if exists "{each.name}"')
