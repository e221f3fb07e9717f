"""A worker stops while mails are being signed: what was composed and not sent goes back, and the next one sends it."""

from tests.conformance.house import House
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import all_final, working
from tests.scenarios.dkim.domains import make_domain, published, verified


async def test_nothing_is_lost_and_nothing_sent_twice(house: House) -> None:
    await make_domain(house, "example.com", "rsa")
    keys = house.keys(300)
    async with relay() as peer:
        async with working(house, peer) as office:
            await office.send(keys)
            await peer.came(40)
        assert len(peer.taken) < 300
        async with working(house, peer):
            final = await all_final(house, 300)
    assert set(final.values()) == {("sent", None)}
    assert peer.taken == dict.fromkeys(keys, 1)
    dns = await published(house)
    assert all(verified(peer.bodies[key][0], dns) for key in keys[:5])


async def test_what_is_signed_waits_while_the_relay_is_away(house: House) -> None:
    await make_domain(house, "example.com")
    keys = house.keys(120)
    async with relay() as peer:
        await peer.close()
        async with working(house, peer, lease_seconds=1) as office:
            await office.send(keys)
            await peer.listen()
            assert set((await all_final(house, 120)).values()) == {("sent", None)}
    assert peer.taken == dict.fromkeys(keys, 1)
