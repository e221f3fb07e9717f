"""Source pools over IPv4 and IPv6: by weight, each with its own name, and without those that a site does not take."""

import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from tests.conformance.house import House
from tests.scenarios.delivery.workers import PATIENCE, all_final, until
from tests.scenarios.hosts.internet import REFUSED_SECONDS, Internet, MailMachine, Sending, internet, sending

TABLE = """
[[rule]]
domain = "*.slow.test"
route = "warming"

[[rule]]
route = "internet"

[route.internet]
mx = true
source = "pool"

[route.warming]
mx = true
source = "new"

[source.pool]
addresses = [
    {{ip = "{pairs[0][0]}", helo = "one.example.com", weight = 3}},
    {{ip = "{pairs[1][0]}", helo = "two.example.com"}},
    {{ip = "{pairs[0][1]}", helo = "one.example.com", weight = 3}},
    {{ip = "{pairs[1][1]}", helo = "two.example.com"}},
]

[source.new]
addresses = ["{pairs[2][0]}", "{pairs[2][1]}"]
warm_up = {{since = {today}, per_day = [5, 100000]}}
overflow = "pool"
"""
ONE_EACH = "[default]\nconnections = 1\nmessages = 1\n"


def table(net: Internet, folder: Path) -> tuple[list[tuple[str, str]], dict[str, object]]:
    """Pairs of addresses that the machine of delivery gets, and the settings under which it uses them."""
    pairs = [net.office.address() for _ in range(3)]
    routes, shaping = folder / "routes.toml", folder / "shaping.toml"
    routes.write_text(TABLE.format(pairs=pairs, today=datetime.now(UTC).date()))
    shaping.write_text(ONE_EACH)
    return pairs, {"delivery": "routes", "routes": routes, "shaping": shaping}


async def test_each_address_gets_its_share_in_either_family_and_says_its_name(house: House, tmp_path: Path) -> None:
    await house.pool.execute("delete from warm_up_count")
    async with internet() as net:
        (one, two, new), settings = table(net, tmp_path)
        hosts = {family: await net.host(f"mx.{family}.test".lower(), families=[family]) for family in ("A", "AAAA")}
        hosts |= {name: await net.host(f"mx.{name}.slow.test") for name in ("left", "right")}
        net.domain("a.test", hosts["A"])
        net.domain("aaaa.test", hosts["AAAA"])
        net.domain("left.slow.test", hosts["left"])
        net.domain("right.slow.test", hosts["right"])
        async with sending(house, net, tmp_path, **settings) as office:
            # In turn, so that neither family has a round to itself.
            keys = await office.send(f"p{n}@{'aaaa' if n % 2 else 'a'}.test" for n in range(32))
            assert await all_final(house, 32) == dict.fromkeys(keys, ("sent", None))
            assert hosts["A"].peers == {one[0]: 12, two[0]: 4}
            assert hosts["AAAA"].peers == {one[1]: 12, two[1]: 4}

            keys += await office.send(f"p{n}@{'left' if n % 2 else 'right'}.slow.test" for n in range(16))
            assert await all_final(house, 48) == dict.fromkeys(keys, ("sent", None))
    for position, family in enumerate(("A", "AAAA")):
        names = {(one[position], "one.example.com"), (two[position], "two.example.com")}
        assert hosts[family].names == names
    for name in ("left", "right"):
        assert hosts[name].peers[new[1]] == 5, "each site has its own count, IPv6 first"
        assert hosts[name].peers.total() == 8
    rows = await house.pool.fetch("select detail::jsonb ->> 'source' as source, count(*) from event group by 1")
    seen = sum((host.peers for host in hosts.values()), Counter[str]())
    assert {row["source"]: row["count"] for row in rows} == seen


async def test_a_site_that_refuses_an_address_is_served_from_the_others(house: House, tmp_path: Path) -> None:
    async with internet() as net:
        (one, two, _), settings = table(net, tmp_path)
        picky, easy = await net.host("mx.picky.test", families=["A"]), await net.host("mx.easy.test", families=["A"])
        both, closed = await net.host("mx.both.test"), await net.host("mx.closed.test", families=["A"])
        for host in (picky, easy, both, closed):
            net.domain(host.name.removeprefix("mx."), host)
        picky.unwanted = {one[0]: "554 5.7.1 your address is on a list"}
        both.unwanted = dict.fromkeys((one[1], two[1]), "421 4.7.0 not from there")
        closed.unwanted = dict.fromkeys((one[0], two[0]), "554 5.7.1 not from you")
        began = time.monotonic()
        async with sending(house, net, tmp_path, **settings) as office:
            keys = await office.send(f"p{n}@{'easy' if n % 2 else 'picky'}.test" for n in range(32))
            keys += await office.send(f"p{n}@both.test" for n in range(4))
            assert await all_final(house, 36) == dict.fromkeys(keys, ("sent", None))
            for key in keys:
                assert await house.kinds(key) == ["sent"], "an address that was refused is no attempt"
            assert picky.peers == {two[0]: 16}
            assert picky.callers[one[0]] <= 1 + (time.monotonic() - began) / (REFUSED_SECONDS * 0.8)
            assert easy.peers == {one[0]: 12, two[0]: 4}, "no other site notices"
            assert both.peers.keys() <= {one[0], two[0]}, "where all of IPv6 are refused, IPv4 is used"
            assert both.callers[one[1]] >= 1 <= both.callers[two[1]]
            told = {(line["source"], line["reply"]) for line in office.log if line["event"] == "source_address_refused"}
            assert (one[0], "554 5.7.1 your address is on a list") in told

            # Once its time is over one connection finds out that it is welcome again.
            picky.unwanted = {}
            await used_again(house, office, picky, one[0], keys)

            await office.send(["nobody@closed.test"])

            async def deferred() -> bool:
                row = "select detail::jsonb ->> 'reply' from event where kind = 'deferred' limit 1"
                reply: str | None = await house.pool.fetchval(row)
                return reply == "554 5.7.1 not from you"

            await until(deferred)


async def test_an_address_that_the_machine_loses_is_left_out(house: House, tmp_path: Path) -> None:
    async with internet() as net:
        (one, two, _), settings = table(net, tmp_path)
        host = await net.host("mx.one.test", families=["A"])
        net.domain("one.test", host)
        async with sending(house, net, tmp_path, **settings) as office:
            keys = await office.send(["first@one.test"])
            await all_final(house, 1)
            net.office.ip(f"address delete {one[0]}/16 dev eth0")
            keys += await office.send(f"p{n}@one.test" for n in range(8))
            assert await all_final(house, 9) == dict.fromkeys(keys, ("sent", None))
            for key in keys:
                assert await house.kinds(key) == ["sent"]
            assert host.peers == {one[0]: 1, two[0]: 8}
            assert [line for line in office.log if line["event"] == "mx_host_unavailable"] == []

            net.office.ip(f"address add {one[0]}/16 dev eth0")
            await used_again(house, office, host, one[0], keys)


async def used_again(house: House, office: Sending, host: MailMachine, address: str, keys: list[str]) -> None:
    """Send one mail after the other until one comes from this address."""
    before = host.peers[address]
    deadline = time.monotonic() + PATIENCE
    while host.peers[address] == before:
        assert time.monotonic() < deadline
        keys += await office.send([f"again@{host.name.removeprefix('mx.')}"])
        await all_final(house, len(keys))
