"""The relay goes away among many mails and comes back: those it did not answer are sent again, no other."""

from tests.conformance.house import House
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import all_final, working


async def test_only_unanswered_mails_go_again(house: House) -> None:
    keys = house.keys(1_000)
    async with relay() as peer:
        async with working(house, peer) as office:
            await office.send(keys)
            await peer.came(200)
            await peer.close()
            await peer.listen()
            assert await all_final(house, len(keys)) == dict.fromkeys(keys, ("sent", None))
        assert set(peer.taken) == set(keys)
        # One mail on each of four connections may have been taken without our learning it.
        assert sum(peer.taken.values()) <= len(keys) + 4
