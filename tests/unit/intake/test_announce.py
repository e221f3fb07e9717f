import asyncio
from typing import cast

from postroom.intake.announce import queue_announcer
from postroom.store.pool import Pool


class FakePool:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.open = asyncio.Event()
        self.trouble: Exception | None = None

    async def execute(self, _statement: str, account: str) -> None:
        self.said.append(account)
        await self.open.wait()
        if self.trouble is not None:
            raise self.trouble


async def test_calls_during_an_announcement_are_merged_into_one_more() -> None:
    pool = FakePool()
    announce = queue_announcer(cast(Pool, pool))
    tasks = [asyncio.ensure_future(announce(1)) for _ in range(20)]
    await asyncio.sleep(0)
    assert pool.said == ["1"]
    pool.open.set()
    await asyncio.gather(*tasks)
    assert pool.said == ["1", "1"]


async def test_business_units_do_not_wait_for_each_other() -> None:
    pool = FakePool()
    announce = queue_announcer(cast(Pool, pool))
    tasks = [asyncio.ensure_future(announce(account)) for account in (1, 2)]
    await asyncio.sleep(0)
    assert pool.said == ["1", "2"]
    pool.open.set()
    await asyncio.gather(*tasks)


async def test_an_announcement_that_fails_is_forgotten_and_the_next_is_made() -> None:
    pool = FakePool()
    pool.open.set()
    pool.trouble = ConnectionResetError("gone")
    announce = queue_announcer(cast(Pool, pool))
    await announce(1)
    pool.trouble = None
    await announce(1)
    assert pool.said == ["1", "1"]
