"""The database is away for longer than the lease, and no other worker is there: what went out does not go again.

The leases have run out when it is back, so the worker could claim its own slices anew, and would send again what it
has sent and not settled yet. It renews what it holds before it claims anything.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

from tests.conformance.house import ACCOUNT, House
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import SOON, all_final, environ

from postroom.assembly.delivery import worker_options
from postroom.delivery.worker import Worker
from postroom.settings import load_settings
from postroom.store.pool import Pool

LEASE_SECONDS = 1.0


class Interrupted:
    """A pool whose database can be taken away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.away = False

    def __getattr__(self, name: str) -> Any:
        self._ask()
        return getattr(self._pool, name)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        self._ask()
        async with self._pool.acquire() as connection:
            yield connection

    def _ask(self) -> None:
        if self.away:
            raise ConnectionRefusedError("the database is away")


async def test_nothing_goes_twice(house: House) -> None:
    keys = await house.accept_many(60)
    gate = asyncio.Semaphore(20)
    async with relay(gate=gate) as peer:
        settings = load_settings(environ(house, peer, lease_seconds=LEASE_SECONDS, settle_milliseconds=500))
        pool = Interrupted(house.pool)
        options = replace(worker_options(settings, owner="here", replaces=None), schedule=SOON)
        worker = Worker(cast(Pool, pool), options, rand=lambda: 0.5)
        stop = asyncio.Event()
        running = asyncio.create_task(worker.run(stop))
        await peer.came(20)
        pool.away = True
        await peer.came(24)
        # Real time: the lease is the database's.
        await asyncio.sleep(LEASE_SECONDS * 1.5)
        assert await house.pool.fetchval("select bool_and(leased_until < now()) from queue")
        for _ in keys:
            gate.release()
        pool.away = False
        worker.announce(ACCOUNT)
        assert await all_final(house, len(keys)) == dict.fromkeys(keys, ("sent", None))
        stop.set()
        await running
    assert peer.taken == dict.fromkeys(keys, 1)
