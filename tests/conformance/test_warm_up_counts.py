"""The counts of a warm-up: one limit for any number of processes."""

import asyncio
from datetime import date, timedelta

from tests.conformance.house import House

from postroom.delivery.routing.ramps import StoredCounts

DAY = date(2026, 11, 30)


async def test_takers_at_the_same_time_never_take_more_than_there_is(house: House) -> None:
    await house.pool.execute("delete from warm_up_count")
    counts = StoredCounts(house.pool)
    granted = await asyncio.gather(*(counts.take("new", "google", DAY, 7, 100) for _ in range(40)))
    assert sum(granted) == 100
    assert await counts.take("new", "google", DAY, 7, 100) == 0
    assert await counts.take("new", "yahoo", DAY, 7, 100) == 7, "each site has its own"
    assert await counts.take("old", "google", DAY, 7, 100) == 7, "and each pool"
    await counts.give_back("new", "google", DAY, 3)
    assert await counts.take("new", "google", DAY, 7, 100) == 3


async def test_a_lower_limit_than_was_counted_grants_nothing(house: House) -> None:
    await house.pool.execute("delete from warm_up_count")
    counts = StoredCounts(house.pool)
    assert await counts.take("new", "google", DAY, 50, 100) == 50
    assert await counts.take("new", "google", DAY, 7, 20) == 0
    await counts.give_back("new", "nobody", DAY, 5)
    rows = await house.pool.fetch("select site, messages from warm_up_count")
    assert [tuple(row) for row in rows] == [("google", 50)]


async def test_days_that_are_over_are_forgotten(house: House) -> None:
    await house.pool.execute("delete from warm_up_count")
    counts = StoredCounts(house.pool)
    for number in range(5):
        await counts.take("new", "google", DAY + timedelta(days=number), 1, 100)
    assert await house.count("warm_up_count") == 1
