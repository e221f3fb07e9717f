"""Mail to several domains arrives at the hosts that the DNS names, and what has no host is told apart."""

from tests.conformance.house import House
from tests.scenarios.delivery.workers import all_final, until
from tests.scenarios.mx.internet import internet, working


async def test_each_domain_at_its_hosts_and_domains_with_the_same_hosts_together(house: House) -> None:
    async with internet() as net:
        first = await net.host("mx.one.test")
        second = await net.host("mx.two.test")
        net.domain("one.test", "mx.one.test")
        net.domain("also-one.test", "mx.one.test")
        net.domain("two.test", "mx.two.test")
        async with working(house, net) as office:
            keys = await office.send(
                f"p{number}@{domain}" for number in range(30) for domain in ("one.test", "also-one.test", "two.test")
            )
            assert await all_final(house, 90) == dict.fromkeys(keys, ("sent", None))
    assert first.taken.total() == 60
    assert second.taken.total() == 30
    assert {count for host in (first, second) for count in host.taken.values()} == {1}
    assert first.connections <= 5, "the domains share one site and its connections"


async def test_a_domain_without_mail_is_refused_and_one_without_answer_waits(house: House) -> None:
    async with internet() as net:
        good = await net.host("good.test")
        net.dns.zone["null.test", "MX"] = ["0 ."]
        net.dns.faults["silent.test"] = "servfail"
        async with working(house, net) as office:
            keys = await office.send(["a@good.test", "b@gone.test", "c@null.test"])
            assert await all_final(house, 3) == {
                keys[0]: ("sent", None),
                keys[1]: ("not_sent", 101),
                keys[2]: ("not_sent", 101),
            }
            (late,) = await office.send(["d@silent.test"])

            async def tried() -> bool:
                return bool(await house.kinds(late))

            await until(tried)
            assert set(await house.kinds(late)) == {"deferred"}
    assert good.taken == {"a@good.test": 1}
