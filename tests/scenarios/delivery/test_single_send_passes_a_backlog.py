"""A one-time code goes out among a backlog of thousands, not after it."""

import asyncio

from tests.conformance.house import House
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import all_final, working

BACKLOG = 6_000
STEP = 5


async def test_it_is_among_the_next_mails(house: House) -> None:
    gate = asyncio.Semaphore(0)
    async with relay(gate=gate) as peer, working(house, peer) as office:
        for _ in range(BACKLOG // 2_000):
            await office.send(house.keys(2_000))
        for _ in range(100):
            gate.release()
        await peer.came(100)

        before = len(peer.order)
        await office.send(["code"])
        while "code" not in peer.order:
            for _ in range(STEP):
                gate.release()
            await peer.came(len(peer.order) + STEP - 1)
        # Claimed and loaded within some tens of milliseconds, and then next but one.
        assert peer.order.index("code") - before < BACKLOG // 10

        for _ in range(BACKLOG):
            gate.release()
        assert len(await all_final(house, BACKLOG + 1)) == BACKLOG + 1
    assert set(peer.taken.values()) == {1}
