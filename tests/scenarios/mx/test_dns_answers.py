"""The resolver against a real DNS server: what is right, what fails, and what means harm."""

import pytest
from tests.scenarios.mx.nameserver import GARBAGE, SERVFAIL, SILENT, nameserver

from postroom.delivery.routing.mx import MxHost, NoRoute, Route, find_route
from postroom.delivery.routing.records import AddressesFound, MxFound, MxRecord, Nothing, Trouble
from postroom.delivery.routing.resolver import MOST_RECORDS, Resolver

ZONE = {
    ("example.com", "MX"): ["10 MX1.example.net.", "20 mx2.example.net."],
    ("mx1.example.net", "A"): ["8.8.8.8"],
    ("mx1.example.net", "AAAA"): ["2a00::1"],
    ("mx2.example.net", "A"): ["9.9.9.9"],
    ("null.example", "MX"): ["0 ."],
    ("plain.example", "A"): ["8.8.4.4"],
    ("alias.example", "CNAME"): ["example.com."],
}


async def test_a_route_is_found() -> None:
    async with nameserver(ZONE) as server:
        route = await find_route("example.com", Resolver((server.address,)), rand=lambda: 0.5)
    assert isinstance(route, Route)
    assert route.hosts == (MxHost("mx1.example.net", ("2a00::1", "8.8.8.8")), MxHost("mx2.example.net", ("9.9.9.9",)))


async def test_an_alias_is_followed() -> None:
    async with nameserver(ZONE) as server:
        answer = await Resolver((server.address,)).mx("alias.example")
    assert isinstance(answer, MxFound)
    assert answer.records == (MxRecord(10, "mx1.example.net"), MxRecord(20, "mx2.example.net"))


async def test_null_mx_nothing_and_no_such_name_are_told_apart() -> None:
    async with nameserver(ZONE) as server:
        resolver = Resolver((server.address,))
        null = await resolver.mx("null.example")
        assert isinstance(null, MxFound)
        assert null.records == (MxRecord(0, ""),)
        nothing = await resolver.mx("plain.example")
        assert isinstance(nothing, Nothing)
        assert nothing.exists
        gone = await resolver.mx("gone.example")
        assert isinstance(gone, Nothing)
        assert not gone.exists


@pytest.mark.parametrize("fault", [SILENT, SERVFAIL, GARBAGE])
async def test_a_server_that_fails_is_trouble_and_defers(fault: str) -> None:
    async with nameserver({}, {"example.com": fault}) as server:
        resolver = Resolver((server.address,), seconds=0.3)
        assert isinstance(await resolver.mx("example.com"), Trouble)
        route = await find_route("example.com", resolver, rand=lambda: 0.5)
    assert isinstance(route, NoRoute)
    assert not route.permanent


async def test_attack_aliases_in_a_circle() -> None:
    circle = {("a.example", "CNAME"): ["b.example."], ("b.example", "CNAME"): ["a.example."]}
    async with nameserver(circle) as server:
        answer = await Resolver((server.address,), seconds=1).mx("a.example")
    assert not isinstance(answer, MxFound)


async def test_attack_huge_answers() -> None:
    zone = {
        ("huge.example", "MX"): [f"{number} h{number}.some.long.name.example.net." for number in range(1500)],
        ("huge.example", "A"): [f"8.{number // 250}.{number % 250}.1" for number in range(3000)],
    }
    async with nameserver(zone) as server:
        resolver = Resolver((server.address,))
        hosts, addresses = await resolver.mx("huge.example"), await resolver.ipv4("huge.example")
        assert server.by_tcp == 2
    assert isinstance(hosts, MxFound)
    assert [record.preference for record in hosts.records] == list(range(MOST_RECORDS))
    assert isinstance(addresses, AddressesFound)
    assert len(addresses.addresses) == MOST_RECORDS


async def test_attack_host_names_with_odd_characters() -> None:
    zone = {("odd.example", "MX"): ["1 a\\013\\010RCPT\\032b.example.", "2 <script>.example.", "3 mx.example.net."]}
    zone["mx.example.net", "A"] = ["8.8.8.8"]
    async with nameserver(zone) as server:
        route = await find_route("odd.example", Resolver((server.address,)), rand=lambda: 0.5)
    assert isinstance(route, Route)
    assert [host.name for host in route.hosts] == ["mx.example.net"]
