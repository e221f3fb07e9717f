"""A mail is deferred, the key of its domain is rotated, and it goes out again with the same bytes."""

import asyncio

from tests.conformance.house import House
from tests.scenarios.delivery.relay import TAKEN, relay
from tests.scenarios.delivery.workers import all_final, working
from tests.scenarios.dkim.domains import make_domain, published, rotate, signatures, verified


async def test_a_rotation_in_between_changes_nothing(house: House) -> None:
    await make_domain(house, "example.com")
    old, new = house.keys(20), house.keys(20)
    rotated = asyncio.Event()

    def decide(key: str, attempt: int) -> str:
        return TAKEN if rotated.is_set() else "451 4.7.1 later"

    async with relay(decide) as peer, working(house, peer) as office:
        await office.send(old)
        await peer.came(30)
        before = await published(house)
        await rotate(house, "example.com")
        after = await published(house)
        rotated.set()
        await office.send(new)
        assert set((await all_final(house, 40)).values()) == {("sent", None)}
    assert not before.keys() & after.keys()
    for key in old:
        first, *again = peer.bodies[key]
        assert signatures(first) == 1
        assert verified(first, before)
        assert set(again) <= {first}
    assert sum(len(peer.bodies[key]) for key in old) > 40
    assert all(verified(peer.bodies[key][0], after) for key in new)
