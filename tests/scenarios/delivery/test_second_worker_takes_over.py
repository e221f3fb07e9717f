"""A worker dies by kill -9 with thousands of messages claimed: another one sends them when the lease runs out.

Twice go those that the relay took without the settlement knowing: the outcomes of a settle interval (20 ms) and of
the settlement under way, and one on each of four connections. A busy disk makes that some hundreds.
"""

from pathlib import Path

from tests.conformance.house import House
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import deliver_process, until

MESSAGES = 4_000
MOST_TWICE = 1_000


async def test_the_other_one_finishes(house: House, tmp_path: Path) -> None:
    for _ in range(MESSAGES // 2_000):
        await house.accept_many(2_000)
    async with relay() as peer:
        async with deliver_process(house, peer, tmp_path, lease_seconds=2) as dying:
            await dying.running(peer.came(700))
            await dying.kill_nine()
            held = await house.pool.fetchval("select count(*) from queue where leased_until > now()")
            assert held > 0
        async with deliver_process(house, peer, tmp_path, lease_seconds=2) as other:

            async def empty() -> bool:
                return await house.count("queue") == 0

            await other.running(until(empty))
        assert len(peer.taken) == MESSAGES
        twice = sum(1 for times in peer.taken.values() if times > 1)
        print(f"taken {peer.taken.total()}, twice {twice}")
        assert max(peer.taken.values()) <= 2
        assert twice <= MOST_TWICE
        assert set(await house.finals_by_key()) == set(peer.taken)
