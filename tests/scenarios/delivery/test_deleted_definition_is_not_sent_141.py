"""A definition is deleted while its messages wait: they end as not sent, code 141."""

from tests.conformance.house import House
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import all_final, working


async def test_what_waits_is_cleared(house: House) -> None:
    definition = await house.define("doomed", status="Inactive")
    keys = house.keys(30)
    async with relay() as peer, working(house, peer) as office:
        await office.send(keys, "doomed")
        await house.set_status(definition, "Deleted")
        assert await all_final(house, 30) == dict.fromkeys(keys, ("not_sent", 141))
    assert peer.order == []
