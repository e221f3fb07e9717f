"""DANE: what the signed DNS says of a host's certificate decides, whatever authorities say."""

import ssl
from dataclasses import replace

import msgspec
import pytest
from tests.conformance.house import House
from tests.scenarios.authority import Authority, Identity
from tests.scenarios.mx.internet import Internet, MailHost, internet, working
from tests.scenarios.mx.nameserver import SERVFAIL, SILENT
from tests.scenarios.mx.policy_host import policy_host
from tests.scenarios.mx.test_hosts_that_cannot_be_reached import LATER
from tests.scenarios.mx.test_mta_sts import options, outcome

from postroom.delivery.routing.options import MxOptions

HOST = "mx.one.test"


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Whom nobody trusts but through the DNS."""
    return Authority()


def trusting(net: Internet) -> MxOptions:
    """As the settings make them for a DNS server on this machine."""
    return options(net, Authority("Public"), 443)


async def signed_host(
    net: Internet, *records: str, tls: ssl.SSLContext | None = None, name: str = HOST, domain: str = "one.test"
) -> MailHost:
    """A domain in the signed DNS with one host, and TLSA records for it."""
    host = await net.host(name, tls=tls)
    net.domain(domain, name)
    net.dns.signed |= {domain}
    if records:
        net.dns.zone[f"_{net.port}._tcp.{name}", "TLSA"] = list(records)
    return host


async def attempt(house: House, net: Internet, chosen: MxOptions | None = None) -> dict[str, object]:
    """What becomes of one mail, and its detail."""
    async with working(house, net, schedule=LATER, options=chosen or trusting(net)) as office:
        (key,) = await office.send(["a@one.test"])
        return await outcome(house, key)


def verified(detail: dict[str, object]) -> str:
    """How the certificate was verified."""
    return msgspec.convert(detail["certificate"], dict[str, str])["verified"]


@pytest.mark.parametrize(("usage", "selector", "matching"), [(3, 1, 1), (3, 0, 2), (2, 0, 1), (2, 1, 0)])
async def test_a_certificate_that_agrees_takes_the_mail(
    house: House, authority: Authority, usage: int, selector: int, matching: int
) -> None:
    own = authority.issue(HOST, sends_authority=True)
    record = (own if usage == 3 else authority.identity).tlsa(usage, selector, matching)
    async with internet() as net:
        await signed_host(net, record, tls=own.server())
        detail = await attempt(house, net)
    assert (detail["kind"], verified(detail)) == ("sent", "dane")


@pytest.mark.parametrize("usage", [2, 3])
async def test_man_in_the_middle_attack_with_another_certificate(
    house: House, authority: Authority, usage: int
) -> None:
    own = authority.issue(HOST)
    record = (own if usage == 3 else authority.identity).tlsa(usage)
    evil = Authority("Evil").issue(HOST, sends_authority=True)
    async with internet() as net:
        host = await signed_host(net, record, tls=evil.server())
        detail = await attempt(house, net)
    assert detail["kind"] == "deferred"
    assert "agrees with none of 1 TLSA records" in str(detail["reply"])
    assert host.bodies == []


async def test_starttls_stripping_attack(house: House, authority: Authority) -> None:
    async with internet() as net:
        host = await signed_host(net, authority.issue(HOST).tlsa(3))
        detail = await attempt(house, net)
    assert "STARTTLS" in str(detail["reply"])
    assert host.bodies == []


async def test_attack_suppressed_tlsa_records_are_no_absence(house: House, authority: Authority) -> None:
    async with internet() as net:
        host = await signed_host(net, tls=authority.issue(HOST).server())
        net.dns.faults[f"_{net.port}._tcp.{HOST}"] = SERVFAIL
        detail = await attempt(house, net)
    assert (detail["kind"], detail["enhanced"]) == ("deferred", "4.7.5")
    assert "TLSA" in str(detail["reply"])
    assert host.connections == 0


async def test_the_next_host_is_used_when_the_records_of_one_cannot_be_had(house: House, authority: Authority) -> None:
    own = authority.issue("mx2.one.test")
    async with internet() as net:
        first = await signed_host(net, tls=authority.issue(HOST).server())
        second = await net.host("mx2.one.test", tls=own.server())
        net.domain("one.test", HOST, "mx2.one.test")
        net.dns.faults[f"_{net.port}._tcp.{HOST}"] = SERVFAIL
        net.dns.zone[f"_{net.port}._tcp.mx2.one.test", "TLSA"] = [own.tlsa(3)]
        detail = await attempt(house, net)
    assert (detail["kind"], verified(detail)) == ("sent", "dane")
    assert (first.connections, second.taken.total()) == (0, 1)


async def test_unusable_records_want_tls_with_any_certificate(house: House, authority: Authority) -> None:
    record = authority.issue(HOST).tlsa(1)
    async with internet() as net:
        await signed_host(net, record, tls=Authority("Other").issue("other.test").server())
        detail = await attempt(house, net)
        assert (detail["kind"], verified(detail)) == ("sent", "none")
        net.hosts[HOST].tls = None
        async with working(house, net, schedule=LATER, options=trusting(net)) as office:
            (key,) = await office.send(["b@one.test"])
            assert (await outcome(house, key))["kind"] == "deferred"


@pytest.mark.parametrize("unsigned", ["domain", "host", "resolver"])
async def test_records_that_are_not_validated_count_for_nothing(
    house: House, authority: Authority, unsigned: str
) -> None:
    async with internet() as net:
        await signed_host(
            net, authority.issue(HOST).tlsa(3), tls=Authority("Other").issue("other.test").server(), name="mx.host.test"
        )
        net.dns.signed = {"domain": {"host.test"}, "host": {"one.test"}, "resolver": {"test"}}[unsigned]
        # Broken name servers in unsigned zones must not hold mail up: they are not even asked.
        net.dns.faults[f"_{net.port}._tcp.mx.host.test"] = SILENT
        detail = await attempt(house, net, replace(trusting(net), dane=False) if unsigned == "resolver" else None)
        assert not any(kind == "TLSA" for _, kind in net.dns.asked)
    assert (detail["kind"], verified(detail)) == ("sent", "none")


async def test_a_host_that_is_an_alias_has_the_records_of_what_it_stands_for(
    house: House, authority: Authority
) -> None:
    own: Identity = authority.issue("real.one.test", sends_authority=True)
    async with internet() as net:
        host = await signed_host(net, tls=own.server(), name="real.one.test")
        net.dns.zone[HOST, "CNAME"] = ["real.one.test."]
        net.domain("one.test", HOST)
        net.dns.zone[f"_{net.port}._tcp.real.one.test", "TLSA"] = [authority.identity.tlsa(2)]
        detail = await attempt(house, net)
    assert (detail["kind"], verified(detail)) == ("sent", "dane")
    assert host.taken.total() == 1


async def test_a_domain_without_mx_records_is_its_own_host(house: House, authority: Authority) -> None:
    own = authority.issue("one.test")
    async with internet() as net:
        await signed_host(net, own.tlsa(3), tls=own.server(), name="one.test")
        del net.dns.zone["one.test", "MX"]
        detail = await attempt(house, net)
    assert (detail["kind"], verified(detail)) == ("sent", "dane")


@pytest.mark.parametrize("agrees", [True, False])
async def test_dane_wins_over_mta_sts(house: House, authority: Authority, agrees: bool) -> None:
    public = Authority("Public")
    own = public.issue(HOST)
    record = own.tlsa(3) if agrees else authority.issue(HOST).tlsa(3)
    async with internet() as net, policy_host(net, "one.test", public.issue("mta-sts.one.test").server()) as policy:
        await signed_host(net, record, tls=own.server())
        policy.serve("mode: enforce", "mx: elsewhere.test" if agrees else f"mx: {HOST}")
        detail = await attempt(house, net, options(net, public, policy.port))
    assert detail["kind"] == ("sent" if agrees else "deferred")
    if agrees:
        assert verified(detail) == "dane"
