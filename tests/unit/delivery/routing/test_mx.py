"""Finding the hosts of a domain: RFC 5321 §5.1, RFC 7505, and zones that mean harm."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.delivery.routing.zone import Zone

from postroom.delivery.routing.mx import (
    MOST_ADDRESSES,
    MOST_HOSTS,
    MxHost,
    NoRoute,
    Route,
    RouteAnswer,
    by_preference,
    find_route,
    is_public,
)
from postroom.delivery.routing.records import MxRecord


async def look(zone: Zone, domain: str = "example.com", *, allow_private: bool = False) -> RouteAnswer:
    return await find_route(domain, zone, rand=lambda: 0.5, allow_private=allow_private)


async def test_hosts_come_by_preference_with_ipv6_before_ipv4() -> None:
    zone = Zone(
        mx_of={"example.com": [(20, "b.example.net"), (10, "a.example.net")]},
        a={"a.example.net": ["8.8.8.8"], "b.example.net": ["9.9.9.9"]},
        aaaa={"a.example.net": ["2a00::1"]},
    )
    route = await look(zone)
    assert isinstance(route, Route)
    assert route.hosts == (MxHost("a.example.net", ("2a00::1", "8.8.8.8")), MxHost("b.example.net", ("9.9.9.9",)))
    assert {name for name, _ in route.site} == {"a.example.net", "b.example.net"}
    assert route.ttl == 60.0, "the shortest of the answers, that there is no AAAA included"


def test_equal_preferences_share_the_load() -> None:
    records = [MxRecord(10, "a.example"), MxRecord(10, "b.example"), MxRecord(5, "first.example")]
    numbers = random.Random(1)
    orders = {tuple(by_preference(records, numbers.random)) for _ in range(50)}
    assert orders == {("first.example", *pair) for pair in itertools.permutations(["a.example", "b.example"])}


@given(
    st.lists(st.builds(MxRecord, st.integers(0, 65535), st.sampled_from(["a.example", "b.example", "c d", "1.2.3.4"]))),
    st.integers(),
)
def test_each_host_once_never_after_a_less_preferred_one(records: list[MxRecord], seed: int) -> None:
    hosts = by_preference(records, random.Random(seed).random)
    best = [min(record.preference for record in records if record.host == host) for host in hosts]
    assert best == sorted(best)
    assert set(hosts) == {record.host for record in records} - {"c d", "1.2.3.4"}
    assert len(set(hosts)) == len(hosts)


async def test_without_mx_the_domain_itself_is_the_host() -> None:
    route = await look(Zone(a={"example.com": ["8.8.8.8"]}))
    assert isinstance(route, Route)
    assert route.hosts == (MxHost("example.com", ("8.8.8.8",)),)


@pytest.mark.parametrize(
    ("zone", "enhanced", "words"),
    [
        (Zone(), "5.1.2", "does not exist"),
        (Zone(mx_of={"example.com": [(0, "")]}), "5.1.10", "null MX"),
        (Zone(mx_of={"example.com": [(5, "gone.example.net")]}), "5.4.4", "has an address"),
        (Zone(mx_of={"example.com": [(5, "odd\\032name\\013.example")]}), "5.4.4", "usable host"),
        (Zone(mx_of={"example.com": [(5, "8.8.8.8")]}), "5.4.4", "usable host"),
        (Zone(mx_of={"example.com": []}), "5.4.4", "has an address"),
    ],
)
async def test_domains_that_take_no_mail_are_refused(zone: Zone, enhanced: str, words: str) -> None:
    answer = await look(zone)
    assert isinstance(answer, NoRoute)
    assert answer.permanent
    assert answer.enhanced == enhanced
    assert words in answer.text


@pytest.mark.parametrize(
    "domain", ["[192.0.2.1]", "[IPv6:2001:db8::1]", "192.0.2.1", "a b", "-a.com", "a..com", "x" * 300]
)
async def test_what_is_no_domain_is_refused_without_a_question(domain: str) -> None:
    zone = Zone()
    answer = await look(zone, domain)
    assert isinstance(answer, NoRoute)
    assert answer.permanent
    assert not zone.asked


async def test_trouble_with_the_mx_question_defers() -> None:
    answer = await look(Zone(broken={"example.com"}))
    assert answer == NoRoute(False, "4.4.3", "no answer for example.com")


async def test_trouble_with_one_host_leaves_the_others_and_with_all_defers() -> None:
    zone = Zone(
        mx_of={"example.com": [(1, "slow.example.net"), (2, "good.example.net")]},
        a={"good.example.net": ["8.8.8.8"]},
        broken={"slow.example.net"},
    )
    route = await look(zone)
    assert isinstance(route, Route)
    assert [host.name for host in route.hosts] == ["good.example.net"]
    zone.a.clear()
    answer = await look(zone)
    assert isinstance(answer, NoRoute)
    assert not answer.permanent


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
    ],
)
async def test_attack_mx_that_points_into_our_network(address: str) -> None:
    zone = Zone(mx_of={"example.com": [(1, "mx.example.com")]}, a={"mx.example.com": [address]})
    answer = await look(zone)
    assert isinstance(answer, NoRoute)
    assert answer.permanent
    assert address in answer.text
    assert isinstance(await look(zone, allow_private=True), Route)


@pytest.mark.parametrize(
    "address",
    [
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fec0::1",
        "::ffff:10.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
    ],
)
def test_attack_private_address_in_the_clothes_of_ipv6(address: str) -> None:
    assert not is_public(address)


def test_public_addresses_are_public() -> None:
    assert is_public("8.8.8.8")
    assert is_public("2a00:1450:4001::1a")


async def test_attack_one_private_address_among_public_ones_is_left_out() -> None:
    zone = Zone(mx_of={"example.com": [(1, "mx.example.com")]}, a={"mx.example.com": ["10.0.0.1", "8.8.8.8"]})
    route = await look(zone)
    assert isinstance(route, Route)
    assert route.hosts[0].addresses == ("8.8.8.8",)


async def test_attack_a_thousand_hosts_cost_a_bounded_number_of_questions() -> None:
    names = [f"h{number}.example.net" for number in range(1000)]
    zone = Zone(
        mx_of={"example.com": [(1, name) for name in names]},
        a={name: [f"8.8.{number}.8" for number in range(200)] for name in names},
    )
    route = await look(zone)
    assert isinstance(route, Route)
    assert zone.asked.total() == 1 + 2 * MOST_HOSTS
    assert all(len(host.addresses) == MOST_ADDRESSES for host in route.hosts)
