"""Retention: what is past its time, by class of data, and forgetting it.

Messages and events go by whole days, and never a day that a slice of the queue still points into. Everything else goes
row by row. What is forgotten can be told before: the same look answers both.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import structlog

from postroom.audience.soft_bounces import end_old_counts
from postroom.privacy.traces import KEPT_OF_OTHERS
from postroom.store.database import Pool
from postroom.store.partitions import Partition, drop_partitions, ensure_days, index_days, old_partitions
from postroom.store.trouble import DATABASE_TROUBLE, tell_trouble

_HOUR = 3_600.0
_REFUSED_SECONDS = 300.0
_HOUR_OF_MIDNIGHT = timedelta(hours=1)
_LONGEST_SECONDS = 3_600.0
_PATIENTLY = "set local statement_timeout = 0"
_OF_MESSAGES = ("message", "send_request", "kept_page")
_OF_EVENTS = ("event", "put_off", "webhook_attempt")
_IDEMPOTENCY = timedelta(hours=72)  # as long as a repetition gets the first reply (intake.once)

_EVENT_DAYS = """
select to_date(right(child.relname, 8), 'YYYYMMDD') as day
from pg_inherits i
join pg_class child on child.oid = i.inhrelid
join pg_class parent on parent.oid = i.inhparent
where parent.relname = 'event' and child.relkind = 'r' and right(child.relname, 8) < to_char($1::date, 'YYYYMMDD')
order by day
"""

_TRACED = """
occurred_on = $1 and kind in ('opened', 'clicked') and exists (
    select from json_object_keys(detail::json) as k(key) where not k.key = any($2::text[]))
"""

_COUNT_TRACED = f"select count(*) as rows, coalesce(sum(length(detail)), 0) as bytes from event where {_TRACED}"  # noqa: S608

_BLANK_TRACED = f"""
update event
set detail = (select json_object_agg(d.key, d.value)::text from json_each(detail::json) as d
              where d.key = any($2::text[]))
where {_TRACED}
"""  # noqa: S608

# What lasts is kept.
_COUNT_STANDSTILLS = """
select count(*) as rows, coalesce(sum(size), 0) as bytes
from (select pg_column_size(o.*) as size from relay_outage o where seen_until < $1
      union all
      select pg_column_size(p.*) from definition_pause p where until < $1) past
"""

_DELETE_OUTAGES = "delete from relay_outage where seen_until < $1"
_DELETE_PAUSES = "delete from definition_pause where until < $1"

_COUNT_CAPTURED = """
select count(*) as rows, coalesce(sum(size), 0) as bytes from captured_mail where captured_at < $1
"""

_DELETE_CAPTURED = """
with dropped as (delete from captured_mail where captured_at < $1 returning size)
update captured_total set messages = messages - (select count(*) from dropped),
                          bytes = bytes - (select coalesce(sum(size), 0) from dropped)
where exists (select from dropped)
"""

_COUNT_REPLIES = """
select count(*) as rows, coalesce(sum(length(reply)), 0) as bytes from idempotency_key where created_at < $1
"""

_DELETE_REPLIES = "delete from idempotency_key where created_at < $1"

_COUNT_SUPPRESSIONS = """
select count(*) as rows, coalesce(sum(pg_column_size(s.*)), 0) as bytes from suppression s where expires_at < $1
"""

_DELETE_SUPPRESSIONS = "delete from suppression where expires_at < $1"


@dataclass(frozen=True, slots=True)
class Retention:
    """How long each class of data is kept."""

    messages: timedelta
    events: timedelta
    engagement: timedelta
    captured: timedelta
    suppressions: timedelta


@dataclass(frozen=True, slots=True)
class Due:
    """What of a class is past its time: days to drop, or rows. ``rows`` of days is an estimate.

    ``needed`` are days that would be dropped if no message of theirs, or of an earlier day, were still queued.
    """

    kind: str
    rows: int
    bytes: int
    days: tuple[date, ...] = ()
    needed: tuple[date, ...] = ()


async def due(pool: Pool, retention: Retention, now: datetime) -> list[Due]:
    """Everything that is past its time at ``now``, by class of data; changes nothing."""
    partitions = await _partitions(pool, retention, now)
    found = [
        _of_days("messages and requests", [each for each in partitions if each.table in _OF_MESSAGES]),
        _of_days("events", [each for each in partitions if each.table not in _OF_MESSAGES]),
    ]
    dropped = {each.day for each in partitions if each.table == "event" and not each.needed}
    rows = size = 0
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_PATIENTLY)
        for day in await _traced_days(pool, retention, now):
            if day not in dropped:
                row = await connection.fetchrow(_COUNT_TRACED, day, KEPT_OF_OTHERS, timeout=_LONGEST_SECONDS)
                rows, size = rows + row["rows"], size + row["bytes"]  # type: ignore[index]
    found.append(Due("details of opens and clicks", rows, size))
    for kind, statement, before in (
        ("outages of the relay and pauses of definitions", _COUNT_STANDSTILLS, now - retention.events),
        ("captured mails", _COUNT_CAPTURED, now - retention.captured),
        ("replies of Idempotency-Keys", _COUNT_REPLIES, now - _IDEMPOTENCY),
        ("expired suppressions", _COUNT_SUPPRESSIONS, now - retention.suppressions),
    ):
        row = await pool.fetchrow(statement, before)
        assert row is not None
        found.append(Due(kind, row["rows"], row["bytes"]))
    return found


async def forget_due(
    pool: Pool, retention: Retention, now: datetime, *, looked_at: set[date] | None = None
) -> list[Partition]:
    """Forget everything that is past its time at ``now``; answers the days that were dropped. Days that somebody reads
    at length, as pg_dump does, stay until the next time.

    Days in ``looked_at`` have no details of opens and clicks left; those that are looked at are added to it.
    """
    dropped = await drop_partitions(pool, await _partitions(pool, retention, now))
    for day in await _traced_days(pool, retention, now):
        if looked_at is None or day not in looked_at:
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute(_PATIENTLY)
                await connection.execute(_BLANK_TRACED, day, KEPT_OF_OTHERS, timeout=_LONGEST_SECONDS)
            if looked_at is not None:
                looked_at.add(day)
    await pool.execute(_DELETE_OUTAGES, now - retention.events)
    await pool.execute(_DELETE_PAUSES, now - retention.events)
    await pool.execute(_DELETE_CAPTURED, now - retention.captured)
    await pool.execute(_DELETE_REPLIES, now - _IDEMPOTENCY)
    await pool.execute(_DELETE_SUPPRESSIONS, now - retention.suppressions)
    await end_old_counts(pool, now)
    return dropped


async def keep_retention(pool: Pool, retention: Retention) -> None:
    """Make the days ahead, forget what is past its time and index days that are over, every hour until cancelled."""
    log = structlog.get_logger("privacy")
    looked_at: set[date] = set()
    while True:
        wait = 5.0
        try:
            now = datetime.now(UTC)
            await ensure_days(pool, now.date())
            dropped = await forget_due(pool, retention, now, looked_at=looked_at)
            if dropped:
                log.info("partitions_dropped", partitions=[each.name for each in dropped])
            # An accept that began before midnight may still be at it.
            if indexed := await index_days(pool, (now - _HOUR_OF_MIDNIGHT).date()):
                log.info("days_indexed", days=[str(day) for day in indexed])
            wait = _HOUR
        except DATABASE_TROUBLE as error:
            if not tell_trouble(log, "retention_waits_for_database", error).passes:
                wait = _REFUSED_SECONDS
        await asyncio.sleep(wait)


async def _partitions(pool: Pool, retention: Retention, now: datetime) -> list[Partition]:
    messages, events = (now - retention.messages).date(), (now - retention.events).date()
    before = dict.fromkeys(_OF_MESSAGES, messages) | dict.fromkeys(_OF_EVENTS, events)
    return await old_partitions(pool, before)


async def _traced_days(pool: Pool, retention: Retention, now: datetime) -> list[date]:
    return [row["day"] for row in await pool.fetch(_EVENT_DAYS, (now - retention.engagement).date())]


def _of_days(kind: str, partitions: Sequence[Partition]) -> Due:
    going = [each for each in partitions if not each.needed]
    return Due(
        kind,
        sum(each.rows for each in going),
        sum(each.bytes for each in going),
        tuple(sorted({each.day for each in going})),
        tuple(sorted({each.day for each in partitions if each.needed})),
    )
