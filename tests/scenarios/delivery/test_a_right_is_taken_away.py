"""Somebody takes away the right to write events: what was sent can't be recorded, so nothing more is sent.

When the right is given back everything is recorded, the rest is sent, and nothing went twice.
"""

import asyncio
from collections.abc import Callable

from structlog.testing import capture_logs
from tests.conformance.house import ACCOUNT, House
from tests.conformance.refusing import DENIED, refusing
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import PATIENCE, working

_CONNECTIONS = 4


async def until(happens: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not happens():  # noqa: ASYNC110 - the worker tells nobody
            await asyncio.sleep(0.01)


async def test_nothing_is_sent_that_can_not_be_recorded(house: House) -> None:
    first = [f"first{number}" for number in range(60)]
    later = [f"later{number}" for number in range(10)]
    gate = asyncio.Semaphore(10)
    async with relay(gate=gate) as peer, working(house, peer, relay_connections=_CONNECTIONS) as office:
        worker = office._worker
        with capture_logs() as log:
            async with refusing(house, "event", "true", DENIED):
                await office.send(first)
                await peer.came(10)
                await until(lambda: worker._settler.stuck == {ACCOUNT})
                under_way = len(peer.order)
                for _ in range(1_000):
                    gate.release()
                await until(lambda: all(slice_.outstanding == 0 for slice_ in worker._held))
                assert len(peer.order) <= under_way + _CONNECTIONS
                await office.send(later)
                assert await house.final() == {}
            await until(lambda: not worker._settler.stuck)
        waits = [line for line in log if line["event"] == "settlement_refused"]
        assert {(line["log_level"], line["sqlstate"]) for line in waits} == {("error", DENIED)}
        assert len(waits) < 10, "it burns no time"
        worker.announce(ACCOUNT)
        async with asyncio.timeout(PATIENCE):
            while len(final := await house.final()) < len(first) + len(later):
                await house.make_due()
                worker.announce(ACCOUNT)
                await asyncio.sleep(0.05)
    assert set(final.values()) == {("sent", None)}
    assert set(peer.taken) == {*first, *later}
    assert set(peer.taken.values()) == {1}
