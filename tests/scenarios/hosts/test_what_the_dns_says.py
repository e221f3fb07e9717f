"""Addresses that mail may go to, and DNS servers that are far away, small or not there: over a real network."""

from ipaddress import ip_address
from pathlib import Path

from tests.conformance.house import House
from tests.scenarios.delivery.workers import all_final, until
from tests.scenarios.hosts.internet import PORT, Internet, MailMachine, internet, sending

PRIVATE = ("10.1.2.3", "fd00::1:2:3")


async def within(net: Internet) -> MailMachine:
    """A host that has private addresses only, and can be reached by them from the office."""
    host = await net.host("mx.within.test", families=())
    for address in PRIVATE:
        length = ip_address(address).max_prefixlen
        host.machine.ip(f"address add {address}/{length} dev eth0{' nodad' if ':' in address else ''}")
        net.office.ip(f"route add {address}/{length} dev eth0")
        await host.serve(host.machine.listener(address, PORT))
    host.machine.ip(f"route add {net.office.ipv4}/32 dev eth0", f"route add {net.office.ipv6}/128 dev eth0")
    net.dns.zone[host.name, "A"], net.dns.zone[host.name, "AAAA"] = [[address] for address in PRIVATE]
    net.domain("within.test", host)
    return host


async def test_attack_mx_within_our_network_is_refused_unless_allowed(house: House, tmp_path: Path) -> None:
    async with internet() as net:
        host = await within(net)
        public = await net.host("mx.half.test")
        net.dns.zone[public.name, "A"].append(PRIVATE[0])
        net.dns.zone[public.name, "AAAA"] = [PRIVATE[1]]
        net.domain("half.test", public)
        async with sending(house, net, tmp_path) as office:
            refused, taken = await office.send(["a@within.test", "b@half.test"])
            assert await all_final(house, 2) == {refused: ("not_sent", 101), taken: ("sent", None)}
            told = await house.pool.fetchval("select detail from event where kind = 'not_sent'")
            assert "which is not on the public internet (POSTROOM_MX_PRIVATE_ADDRESSES=allow takes it)" in told
        assert host.callers.total() == 0
        assert public.callers == {net.office.ipv4: 1}, "of its addresses only the public one"

        async with sending(house, net, tmp_path, mx_private_addresses="allow") as office:
            (key,) = await office.send(["c@within.test"])
            assert (await all_final(house, 3))[key] == ("sent", None)
        assert host.callers == {net.office.ipv6: 1}


async def test_a_dns_server_that_is_away_puts_mail_off_and_long_answers_come_by_tcp(
    house: House, tmp_path: Path
) -> None:
    async with internet() as net:
        host = await net.host("mx.many.test")
        names = [f"{'x' * 50}-{n}.many.test" for n in range(40)]
        net.dns.zone["many.test", "MX"] = [f"10 {host.name}.", *(f"20 {name}." for name in names)]
        async with sending(house, net, tmp_path) as office:
            net.dns_machine.unplug()
            (key,) = await office.send(["a@many.test"])

            async def deferred() -> bool:
                told = await house.pool.fetchval("select detail from event where kind = 'deferred' limit 1")
                return told is not None and "no answer from the DNS for MX of many.test" in told

            await until(deferred)
            net.dns_machine.plug()
            assert await all_final(house, 1) == {key: ("sent", None)}
        assert net.dns.by_tcp >= 1
        assert net.dns.asked["many.test", "MX"] >= 2, "first by UDP, where there was not room enough"
    assert host.taken == {"a@many.test": 1}
