"""Messages of an inactive definition wait while others pass, and drain when it is active again."""

from tests.conformance.house import House
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import all_final, working


async def test_it_keeps_what_it_accepted(house: House) -> None:
    definition = await house.define("paused", status="Inactive")
    waiting, passing = house.keys(30), house.keys(5)
    async with relay() as peer, working(house, peer) as office:
        await office.send(waiting, "paused")
        await office.send(passing)
        await peer.came(5)
        assert set(peer.order) == set(passing)
        assert await house.pool.fetchval("select fence from queue order by slice_id limit 1") == 0
        await house.set_status(definition, "Active")
        assert await all_final(house, 35) == dict.fromkeys(waiting + passing, ("sent", None))
    assert set(peer.taken.values()) == {1}
