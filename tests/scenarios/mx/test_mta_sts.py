"""MTA-STS: mail goes only where the policy of the recipient's domain wants it, also after a restart."""

from dataclasses import replace

import msgspec
import pytest
from tests.conformance.house import House
from tests.scenarios.authority import Authority
from tests.scenarios.delivery.workers import all_final, until
from tests.scenarios.mx.internet import Internet, MailHost, internet, working
from tests.scenarios.mx.policy_host import PolicyHost, policy_host
from tests.scenarios.mx.test_hosts_that_cannot_be_reached import LATER

from postroom.delivery.routing.options import MxOptions
from postroom.delivery.routing.resolver import Resolver
from postroom.delivery.routing.sts_fetch import NoPolicy, PolicyFetcher
from postroom.delivery.routing.sts_policy import StsPolicy


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Whom the worker trusts."""
    return Authority()


def options(net: Internet, authority: Authority, port: int) -> MxOptions:
    """As the settings make them, with the test's authority and its port of policy hosts."""
    return MxOptions(
        dns_servers=(net.dns.address,),
        port=net.port,
        allow_private=True,
        verifying=authority.trusting(),
        sts_port=port,
    )


async def one_host(net: Internet, authority: Authority, *names: str) -> MailHost:
    """The domain one.test with one host, whose certificate is for these names."""
    host = await net.host("mx.one.test", tls=authority.issue(*names).server())
    net.domain("one.test", "mx.one.test")
    return host


async def outcome(house: House, key: str) -> dict[str, object]:
    """The detail of the only event of a message, once it is there, and its kind."""

    async def settled() -> bool:
        return bool(await house.kinds(key))

    await until(settled)
    (kind,) = await house.kinds(key)
    row = await house.pool.fetchval("select detail from event order by occurred_at desc limit 1")
    return {"kind": kind, **msgspec.json.decode(row)}


async def test_enforced_and_kept_to(house: House, authority: Authority) -> None:
    async with internet() as net, policy_host(net, "one.test", authority.issue("mta-sts.one.test").server()) as policy:
        await one_host(net, authority, "mx.one.test")
        policy.serve("mode: enforce", "mx: *.one.test")
        async with working(house, net, options=options(net, authority, policy.port)) as office:
            (key,) = await office.send(["a@one.test"])
            assert await all_final(house, 1) == {key: ("sent", None)}
            detail = await outcome(house, key)
    assert msgspec.convert(detail["certificate"], dict[str, str])["verified"] == "sts"
    assert policy.asked[0].startswith(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.one.test")


@pytest.mark.parametrize(
    ("patterns", "names", "reason"),
    [
        ("mx: mx.other.test", ("mx.one.test",), "names none of its MX hosts (mx.one.test)"),
        ("mx: mx.one.test", ("mx.other.test",), "mismatch"),
        ("mx: mx.one.test", (), "mismatch"),
    ],
)
async def test_man_in_the_middle_attack_gets_nothing_where_it_is_enforced(
    house: House, authority: Authority, patterns: str, names: tuple[str, ...], reason: str
) -> None:
    async with internet() as net, policy_host(net, "one.test", authority.issue("mta-sts.one.test").server()) as policy:
        host = await one_host(net, authority, *names)
        policy.serve("mode: enforce", patterns)
        async with working(house, net, schedule=LATER, options=options(net, authority, policy.port)) as office:
            (key,) = await office.send(["a@one.test"])
            detail = await outcome(house, key)
    assert detail["kind"] == "deferred"
    assert reason in str(detail["reply"])
    assert host.bodies == []


async def test_starttls_stripping_attack_gets_nothing_where_it_is_enforced(house: House, authority: Authority) -> None:
    async with internet() as net, policy_host(net, "one.test", authority.issue("mta-sts.one.test").server()) as policy:
        host = await net.host("mx.one.test")
        net.domain("one.test", "mx.one.test")
        policy.serve("mode: enforce", "mx: mx.one.test")
        async with working(house, net, schedule=LATER, options=options(net, authority, policy.port)) as office:
            (key,) = await office.send(["a@one.test"])
            detail = await outcome(house, key)
    assert "STARTTLS" in str(detail["reply"])
    assert host.bodies == []


async def test_a_host_that_the_policy_does_not_name_is_passed_by(house: House, authority: Authority) -> None:
    async with internet() as net, policy_host(net, "one.test", authority.issue("mta-sts.one.test").server()) as policy:
        other = await net.host("mx.evil.test", tls=authority.issue("mx.evil.test").server())
        named = await net.host("mx.one.test", tls=authority.issue("mx.one.test").server())
        net.domain("one.test", "mx.evil.test", "mx.one.test")
        policy.serve("mode: enforce", "mx: mx.one.test")
        async with working(house, net, options=options(net, authority, policy.port)) as office:
            await office.send(["a@one.test"])
            await all_final(house, 1)
    assert other.connections == 0
    assert named.taken.total() == 1


@pytest.mark.parametrize(
    ("mode", "names", "verified"),
    [("testing", ("mx.one.test",), "sts"), ("testing", ("mx.other.test",), "none"), ("none", (), "none")],
)
async def test_testing_and_none_let_everything_through(
    house: House, authority: Authority, mode: str, names: tuple[str, ...], verified: str
) -> None:
    async with internet() as net, policy_host(net, "one.test", authority.issue("mta-sts.one.test").server()) as policy:
        await one_host(net, authority, *names)
        policy.serve(f"mode: {mode}", "mx: mx.one.test")
        async with working(house, net, schedule=LATER, options=options(net, authority, policy.port)) as office:
            (key,) = await office.send(["a@one.test"])
            detail = await outcome(house, key)
    assert detail["kind"] == "sent"
    assert msgspec.convert(detail["certificate"], dict[str, str])["verified"] == verified


async def test_attack_after_a_restart_a_suppressed_policy_still_holds(house: House, authority: Authority) -> None:
    async with internet() as net, policy_host(net, "one.test", authority.issue("mta-sts.one.test").server()) as policy:
        host = await one_host(net, authority, "mx.one.test")
        policy.serve("mode: enforce", "mx: mx.one.test")
        chosen = options(net, authority, policy.port)
        async with working(house, net, options=chosen) as office:
            await office.send(["a@one.test"])
            await all_final(house, 1)
        del net.dns.zone["_mta-sts.one.test", "TXT"], net.dns.zone["mta-sts.one.test", "A"]
        evil = await net.host("mx.evil.test", tls=authority.issue("mx.evil.test").server())
        net.domain("one.test", "mx.evil.test")
        async with working(house, net, schedule=LATER, options=replace(chosen, port=net.port)) as office:
            (key,) = await office.send(["b@one.test"])
            detail = await outcome(house, key)
    assert detail["kind"] == "deferred"
    assert "MTA-STS policy" in str(detail["reply"])
    assert (evil.connections, host.taken.total()) == (0, 1)


HUGE = b"HTTP/1.1 200 OK\r\n\r\nversion: STSv1\r\nmode: none\r\nmax_age: 1\r\n" + b"x: y\r\n" * 20_000


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: https://mta-sts.one.test/other\r\nContent-Length: 0\r\n\r\n", "fetch-error"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "fetch-error"),
        (HUGE, "fetch-error"),
        (b"\x00\xff not http", "fetch-error"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "invalid"),
    ],
)
async def test_attack_hostile_policy_hosts(authority: Authority, answer: bytes, failure: str) -> None:
    async with internet() as net, policy_host(net, "one.test", authority.issue("mta-sts.one.test").server()) as policy:
        policy.answer = answer
        found = await _fetch(net, authority, policy)
    assert isinstance(found, NoPolicy)
    assert found.failure == f"sts-policy-{failure}"


@pytest.mark.parametrize("names", [("mta-sts.other.test",), ("one.test",)])
async def test_a_policy_host_needs_a_certificate_for_its_name(authority: Authority, names: tuple[str, ...]) -> None:
    async with internet() as net, policy_host(net, "one.test", authority.issue(*names).server()) as policy:
        policy.serve("mode: none")
        found = await _fetch(net, authority, policy)
    assert isinstance(found, NoPolicy)
    assert found.failure == "sts-webpki-invalid"
    assert policy.asked == []


async def test_attack_a_policy_host_within_our_network_is_not_asked(authority: Authority) -> None:
    async with internet() as net, policy_host(net, "one.test", authority.issue("mta-sts.one.test").server()) as policy:
        policy.serve("mode: none")
        resolver = Resolver((net.dns.address,))
        found = await PolicyFetcher(resolver, verifying=authority.trusting(), port=policy.port).fetch("one.test")
    assert isinstance(found, NoPolicy)
    assert "not public" in found.reason
    assert policy.asked == []


async def _fetch(net: Internet, authority: Authority, policy: PolicyHost) -> StsPolicy | NoPolicy:
    resolver = Resolver((net.dns.address,))
    fetcher = PolicyFetcher(resolver, verifying=authority.trusting(), port=policy.port, allow_private=True)
    return await fetcher.fetch("one.test")
