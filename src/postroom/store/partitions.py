"""Day partitions: made ahead of time, dropped when retention is over and nothing queued points into them."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import structlog

from postroom.store.errors import DATABASE_AWAY
from postroom.store.pool import Pool

_AHEAD = timedelta(days=3)
_HOUR = 3600.0

_ENSURE = "select ensure_day_partitions($1, $2)"

# Partition names end in _YYYYMMDD, so their order is the order of days.
_OLD = """
select child.relname as name, parent.relname as parent
from pg_inherits i
join pg_class child on child.oid = i.inhrelid
join pg_class parent on parent.oid = i.inhparent
where parent.relname in ('send_request', 'message', 'event') and child.relkind = 'r'
  and right(child.relname, 8) < to_char($1::date, 'YYYYMMDD')
order by child.relname
"""

_WAIT_BRIEFLY = "set local lock_timeout = '2s'"

_OLDEST_QUEUED = "select min(accepted_on) from queue"


async def ensure_days(pool: Pool, today: date) -> None:
    """Make the partitions of yesterday to three days ahead, where they are missing."""
    await pool.execute(_ENSURE, today - timedelta(days=1), today + _AHEAD)


async def drop_days(pool: Pool, before: date) -> list[str]:
    """Drop the partitions of days before ``before``; answers their names.

    Days from the oldest queued message on are kept, however old: what is accepted is not forgotten.
    """
    oldest = await pool.fetchval(_OLDEST_QUEUED)
    if oldest is not None:
        before = min(before, oldest)
    names = [row["name"] for row in await pool.fetch(_OLD, before)]
    for name in names:
        # A drop locks the whole table against everybody: one at a time, and not behind a long query.
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(_WAIT_BRIEFLY)
            await connection.execute(f'drop table if exists "{name}"')
    return names


async def keep_days(pool: Pool, retention: timedelta) -> None:
    """Do both every hour until cancelled; a database that is away is tried again."""
    log = structlog.get_logger("store")
    while True:
        try:
            today = datetime.now(UTC).date()
            await ensure_days(pool, today)
            dropped = await drop_days(pool, today - retention)
            if dropped:
                log.info("partitions_dropped", partitions=dropped)
            wait = _HOUR
        except DATABASE_AWAY as error:
            log.warning("partitions_wait_for_database", error=repr(error))
            wait = 5.0
        await asyncio.sleep(wait)
