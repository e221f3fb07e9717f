"""Hosts with addresses that lead nowhere, and hosts that are away for a while: mail finds the way that there is."""

import time
from collections.abc import Awaitable, Callable
from ipaddress import IPv6Address
from pathlib import Path
from socket import socket

from tests.conformance.house import House
from tests.scenarios.delivery.workers import PATIENCE, all_final, until
from tests.scenarios.hosts.internet import Internet, internet, sending

ONE_EACH = "[default]\nconnections = 1\nmessages = 1\n"
_TCP = 6


def ports_that_called(frames: socket, address: str) -> set[int]:
    """The ports from which a connection to an IPv6 address was tried, of the frames that came since the last look."""
    ports = set[int]()
    while True:
        try:
            frame = frames.recv(2048)
        except BlockingIOError:
            return ports
        if frame[12:14] == b"\x86\xdd" and frame[20] == _TCP and frame[38:54] == IPv6Address(address).packed:
            ports.add(int.from_bytes(frame[54:56], "big"))


async def repeatedly(send: Callable[[], Awaitable[None]], until_so: Callable[[], bool]) -> None:
    """Send one mail after the other until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not until_so():
        assert time.monotonic() < deadline
        await send()


async def two_hosts(net: Internet) -> None:
    """A domain with two hosts, the first preferred."""
    net.domain("pair.test", *[await net.host(f"mx{n}.pair.test", families=["A"]) for n in (1, 2)])


async def test_ipv4_is_used_where_ipv6_leads_nowhere(house: House, tmp_path: Path) -> None:
    shaping = tmp_path / "shaping.toml"
    shaping.write_text(ONE_EACH)
    async with internet() as net:
        lost, unrouted, healthy = [await net.host(f"mx.{name}.test") for name in ("lost", "unrouted", "healthy")]
        for host in net.hosts:
            net.domain(host.name.removeprefix("mx."), host)
        net.office.loses(lost.machine.ipv6)
        net.office.ip(f"route add unreachable {unrouted.machine.ipv6}")
        with net.dns_machine.watch() as frames:
            async with sending(house, net, tmp_path, shaping=shaping) as office:
                keys = await office.send(
                    f"p{n}@{host}.test" for host in ("lost", "unrouted", "healthy") for n in range(5)
                )
                assert await all_final(house, 15) == dict.fromkeys(keys, ("sent", None))
                for key in keys:
                    assert await house.kinds(key) == ["sent"]
            tried = ports_that_called(frames, lost.machine.ipv6)
    assert len(tried) == 1, "the address was waited for once, not five times"
    for host in (lost, unrouted):
        assert host.callers == {net.office.ipv4: 5}
    assert healthy.callers == {net.office.ipv6: 5}


async def test_the_next_host_is_used_and_the_preferred_one_again_when_it_is_back(house: House, tmp_path: Path) -> None:
    async with internet() as net:
        await two_hosts(net)
        first, second = net.hosts
        sent = 0

        async def send() -> None:
            nonlocal sent
            sent += 1
            await office.send([f"p{sent}@pair.test"])
            await all_final(house, sent)

        async with sending(house, net, tmp_path) as office:
            first.machine.unplug()
            await send()
            assert (first.taken.total(), second.taken.total()) == (0, 1)
            first.machine.plug()
            await repeatedly(send, lambda: first.taken.total() > 0)
        assert {kind for kind, _ in (await house.final()).values()} == {"sent"}
        assert await house.pool.fetchval("select count(*) from event where kind <> 'sent'") == 0


async def test_a_site_of_which_no_host_answers_gets_its_mail_when_one_is_back(house: House, tmp_path: Path) -> None:
    async with internet() as net:
        await two_hosts(net)
        first, second = net.hosts
        other = await net.host("mx.other.test")
        net.domain("other.test", other)
        async with sending(house, net, tmp_path) as office:
            for host in (first, second):
                host.machine.unplug()
            waiting = await office.send(f"p{n}@pair.test" for n in range(10))

            async def all_deferred() -> bool:
                number: int = await house.pool.fetchval("select count(distinct position) from event")
                return number == 10

            await until(all_deferred)
            (through,) = await office.send(["a@other.test"])

            async def got_through() -> bool:
                return through in await house.final()

            await until(got_through)
            second.machine.plug()
            assert await all_final(house, 11) == dict.fromkeys([*waiting, through], ("sent", None))
    assert second.taken == dict.fromkeys((f"p{n}@pair.test" for n in range(10)), 1)
