"""Day partitions: made ahead, dropped when retention is over, kept while the queue points into them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest_asyncio
from tests.conformance.house import Hand, House, open_house

from postroom.store.partitions import drop_partitions, ensure_days, old_partitions

TABLES = ("event", "kept_page", "message", "put_off", "send_request", "webhook_attempt")


async def days(house: House) -> dict[str, list[date]]:
    """The days each table has a partition for."""
    rows = await house.pool.fetch(
        "select parent.relname as parent, right(child.relname, 8) as day from pg_inherits i"
        " join pg_class child on child.oid = i.inhrelid join pg_class parent on parent.oid = i.inhparent"
        " where child.relkind = 'r'"
    )
    found: dict[str, list[date]] = {table: [] for table in TABLES}
    for row in rows:
        found[row["parent"]].append(date.fromisoformat(row["day"]))
    return {table: sorted(each) for table, each in found.items()}


@pytest_asyncio.fixture(loop_scope="session")
async def house(any_database: str) -> AsyncIterator[House]:
    """Other days than those of the other tests, so a database of its own."""
    async with open_house(any_database) as opened:
        yield opened


def span(first: date, last: date) -> list[date]:
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]


async def drop_days(house: House, before: date) -> list[str]:
    """Drop what may go of the days before, in every table; the names of the partitions."""
    old = await old_partitions(house.pool, dict.fromkeys(TABLES, before))
    await drop_partitions(house.pool, old)
    return [each.name for each in old if not each.needed]


def today() -> date:
    return datetime.now(UTC).date()


async def test_yesterday_to_three_days_ahead_are_made_and_making_them_again_is_nothing(house: House) -> None:
    future = today() + timedelta(days=100)
    before = await days(house)
    for _ in range(2):
        await ensure_days(house.pool, future)
        made = span(future - timedelta(days=1), future + timedelta(days=3))
        assert await days(house) == {table: before[table] + made for table in TABLES}


async def test_days_before_retention_are_dropped_in_every_table(house: House) -> None:
    kept = [day for day in (await days(house))["event"] if day >= today() - timedelta(days=1)]
    dropped = await drop_days(house, today() - timedelta(days=1))
    assert len(dropped) == 3 * len(TABLES)
    assert await days(house) == dict.fromkeys(TABLES, kept)
    assert await drop_days(house, today() - timedelta(days=1)) == []


async def test_a_dump_of_the_database_holds_nobody_up(house: House) -> None:
    """pg_dump reads every table in one long transaction: making days goes on beside it, and dropping them waits."""
    future = today() + timedelta(days=100)
    before = await days(house)
    old = await old_partitions(house.pool, dict.fromkeys(TABLES, future))
    async with house.pool.acquire() as dump, dump.transaction():
        await dump.execute(f"lock table {', '.join(TABLES)} in access share mode")
        async with house.pool.acquire() as connection, connection.transaction():
            await connection.execute("set local lock_timeout = '2s'")
            await connection.execute("select ensure_day_partitions($1, $1)", future)
            # Made, and not committed yet: whoever accepts does not wait for that either.
            await asyncio.wait_for(house.accept_many(1), 2)
        assert await drop_partitions(house.pool, old) == []
    assert await days(house) == {table: [*before[table], future] for table in TABLES}


async def test_days_that_queued_messages_belong_to_are_kept_however_old(house: House) -> None:
    await house.accept_many(3)
    far = today() + timedelta(days=30)
    await drop_days(house, far)
    kept = (await days(house))["message"]
    assert kept == span(today(), max(kept))

    await Hand(house, "a").work()
    await drop_days(house, far)
    assert await days(house) == {table: [] for table in TABLES}
