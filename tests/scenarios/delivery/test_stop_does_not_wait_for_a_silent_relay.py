"""SIGTERM while the relay keeps its answers back: the worker ends by itself before `serve` would end it by force."""

import asyncio
from pathlib import Path

from tests.conformance.house import House
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import deliver_process

from postroom.cli.serve import DELIVERY_STOP_SECONDS


async def test_what_was_begun_is_recorded_and_the_rest_given_back(house: House, tmp_path: Path) -> None:
    await house.accept_many(100)
    async with relay(gate=asyncio.Semaphore(0)) as peer, deliver_process(house, peer, tmp_path) as process:
        await process.running(peer.came(4))
        async with asyncio.timeout(DELIVERY_STOP_SECONDS):
            await process.stop()
        assert await house.pool.fetchval("select count(*) from queue where lease_owner is not null") == 0
        # Four were sent to the last byte and not answered: whether the relay has them is not known.
        assert await house.pool.fetchval("select count(*) from event where kind = 'unknown'") == 4
        assert await house.pool.fetchval("select sum(messages) from queue") >= 100
