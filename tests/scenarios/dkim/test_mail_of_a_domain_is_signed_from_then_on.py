"""A domain is created: what is accepted before goes unsigned, what is accepted from then on is signed."""

from tests.conformance.house import House
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import all_final, working
from tests.scenarios.dkim.domains import make_domain, published, signatures, verified


async def test_each_mail_is_signed_and_verified(house: House) -> None:
    before, after = house.keys(3), house.keys(200)
    async with relay() as peer, working(house, peer) as office:
        await office.send(before)
        await all_final(house, len(before))
        await make_domain(house, "example.com", "rsa", "ed25519")
        await office.send(after)
        final = await all_final(house, len(before) + len(after))
    assert set(final.values()) == {("sent", None)}
    assert peer.taken == dict.fromkeys([*before, *after], 1)
    assert [signatures(peer.bodies[key][0]) for key in before] == [0, 0, 0]
    dns = await published(house)
    for key in after:
        mail = peer.bodies[key][0]
        assert signatures(mail) == 2
        assert verified(mail, dns, 1)
    assert verified(peer.bodies[after[-1]][0], dns, 0)


async def test_only_exactly_the_domain_of_the_business_unit_is_signed(house: House) -> None:
    await house.open_account(4711)
    await make_domain(house, "mail.example.com")
    await make_domain(house, "com.example")
    await make_domain(house, "example.com", account_id=4711)
    (key,) = house.keys(1)
    async with relay() as peer, working(house, peer) as office:
        await office.send([key])
        await all_final(house, 1)
    assert signatures(peer.bodies[key][0]) == 0


async def test_signed_and_unsigned_mail_share_the_connections(house: House) -> None:
    await house.define("other", from_address="shop@other.example")
    await make_domain(house, "example.com")
    signed, unsigned = house.keys(150), house.keys(150)
    async with relay() as peer, working(house, peer) as office:
        await office.send(signed)
        await office.send(unsigned, "other")
        await all_final(house, 300)
    dns = await published(house)
    assert all(verified(peer.bodies[key][0], dns) for key in signed)
    assert [signatures(peer.bodies[key][0]) for key in unsigned] == [0] * 150
