"""The worker stops while several sites are at work: what is on the wire is finished, the rest is free for another."""

from tests.conformance.house import House
from tests.scenarios.delivery.workers import all_final, until
from tests.scenarios.mx.internet import internet, working


async def test_nothing_is_lost_and_nothing_goes_twice(house: House) -> None:
    async with internet() as net:
        hosts = [await net.host(f"mx.{name}.test", seconds=0.2) for name in ("one", "two", "three")]
        for name in ("one", "two", "three"):
            net.domain(f"{name}.test", f"mx.{name}.test")
        await house.define("copied", cc=("cc@two.test",))
        async with working(house, net) as office:
            keys = await office.send(f"p{number}@{name}.test" for number in range(20) for name in ("one", "three"))
            keys += await office.send([f"q{number}@one.test" for number in range(20)], "copied")

            async def at_work() -> bool:
                return hosts[1].taken.total() >= 2

            await until(at_work)
        assert await house.pool.fetchval("select count(*) from queue where leased_until > now()") == 0
        assert 0 < len(await house.final()) < 60
        for host in hosts:
            host.seconds = 0
        async with working(house, net):
            assert await all_final(house, 60) == dict.fromkeys(keys, ("sent", None))
    first = hosts[0].taken + hosts[2].taken
    assert len(first) == 60
    assert set(first.values()) == {1}
    assert hosts[1].taken == {"cc@two.test": 20}
