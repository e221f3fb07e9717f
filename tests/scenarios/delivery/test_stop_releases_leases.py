"""SIGTERM in the middle of a batch: what is on the wire is finished, the rest given back; nothing lost or twice."""

from pathlib import Path

from tests.conformance.house import House
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import all_final, deliver_process

MESSAGES = 4_000


async def test_a_stop_and_a_start_lose_nothing_and_send_nothing_twice(house: House, tmp_path: Path) -> None:
    for _ in range(MESSAGES // 2_000):
        await house.accept_many(2_000)
    async with relay() as peer:
        async with deliver_process(house, peer, tmp_path) as process:
            await process.running(peer.came(700))
            await process.stop()
        sent = len(peer.taken)
        assert sent < MESSAGES
        assert len(await house.final()) == sent
        assert await house.pool.fetchval("select count(*) from queue where lease_owner is not null") == 0

        async with deliver_process(house, peer, tmp_path):
            assert len(await all_final(house, MESSAGES)) == MESSAGES
        assert len(peer.taken) == MESSAGES
        assert set(peer.taken.values()) == {1}
