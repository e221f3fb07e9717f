"""Mail of a sender domain is signed ahead, for each site on its own, also when hosts fail in between."""

from tests.conformance.house import House
from tests.scenarios.delivery.workers import all_final
from tests.scenarios.dkim.domains import make_domain, signatures
from tests.scenarios.mx.internet import internet, working


async def test_every_mail_arrives_signed_at_its_own_host(house: House) -> None:
    await make_domain(house, "example.com")
    async with internet() as net:
        names = ("one", "two", "three")
        hosts = [await net.host(f"mx.{name}.test") for name in names]
        await net.host("away.test", listens=False)
        for name in names:
            net.domain(f"{name}.test", "away.test", f"mx.{name}.test")
        async with working(house, net) as office:
            keys = await office.send(f"p{number}@{name}.test" for number in range(40) for name in names)
            assert await all_final(house, 120) == dict.fromkeys(keys, ("sent", None))
    for name, host in zip(names, hosts, strict=True):
        assert host.taken == {f"p{number}@{name}.test": 1 for number in range(40)}
        assert all(signatures(body) >= 1 for body in host.bodies)
