"""DANE and MTA-STS with hosts that others wrote: Postfix (OpenSSL) and Exim (GnuTLS), and nginx with the policy."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.conformance.house import House
from tests.scenarios.authority import Authority, Identity
from tests.scenarios.mx.internet import Internet, working
from tests.scenarios.mx.internet import internet as empty_internet
from tests.scenarios.mx.test_dane import verified
from tests.scenarios.mx.test_hosts_that_cannot_be_reached import LATER
from tests.scenarios.mx.test_mta_sts import options, outcome
from tests.scenarios.peers.exim import HOST as EXIM
from tests.scenarios.peers.exim import PrivateExim, exim
from tests.scenarios.peers.nginx import PrivateNginx, nginx
from tests.scenarios.peers.postfix import log_of, postfix

from postroom.cli.demo_postfix import PrivatePostfix

POSTFIX = "mx.postfix.test"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def identities(authority: Authority) -> dict[str, Identity]:
    """What each host shows: its certificate and its authority's."""
    return {name: authority.issue(name, sends_authority=True) for name in (POSTFIX, EXIM)}


@pytest.fixture(scope="module")
def real_postfix(identities: dict[str, Identity]) -> Iterator[PrivatePostfix]:
    with postfix(identities[POSTFIX]) as started:
        yield started


@pytest.fixture(scope="module")
def real_exim(identities: dict[str, Identity]) -> Iterator[PrivateExim]:
    with exim(identities[EXIM]) as started:
        yield started


@pytest.fixture(scope="module")
def policy_host(authority: Authority) -> Iterator[PrivateNginx]:
    with nginx(authority.issue("mta-sts.postfix.test")) as started:
        yield started


@asynccontextmanager
async def internet(name: str, address: str, port: int) -> AsyncIterator[Internet]:
    """A domain in the signed DNS with this host: postfix.test for mx.postfix.test."""
    async with empty_internet() as net:
        net.port = port
        net.dns.zone[name, "A"] = [address]
        domain = name.removeprefix("mx.")
        net.domain(domain, name)
        net.dns.signed = {domain}
        yield net


async def attempt(house: House, net: Internet, to: str, trusted: Authority, sts_port: int = 443) -> dict[str, Any]:
    """What becomes of one mail, and its detail."""
    async with working(house, net, schedule=LATER, options=options(net, trusted, sts_port)) as office:
        (key,) = await office.send([to])
        return await outcome(house, key)


@pytest.mark.parametrize("usage", [3, 2])
@pytest.mark.parametrize("agrees", [True, False])
async def test_the_tlsa_record_decides_over_postfix(
    house: House,
    real_postfix: PrivatePostfix,
    authority: Authority,
    identities: dict[str, Identity],
    usage: int,
    agrees: bool,
) -> None:
    own = identities[POSTFIX] if usage == 3 else authority.identity
    record = own if agrees else Authority("Other").issue(POSTFIX)
    before = log_of(real_postfix).count("message-id=")
    async with internet(POSTFIX, "127.0.0.1", real_postfix.port) as net:
        net.dns.zone[f"_{net.port}._tcp.{POSTFIX}", "TLSA"] = [record.tlsa(usage)]
        detail = await attempt(house, net, "ann@postfix.test", Authority("Public"))
    if agrees:
        assert (detail["kind"], verified(detail)) == ("sent", "dane")
        assert detail["reply"].startswith("250 2.0.0 Ok: queued as ")
    else:
        assert (detail["kind"], detail["stage"]) == ("deferred", "connect")
        assert "agrees with none of 1 TLSA records" in detail["reply"]
        assert log_of(real_postfix).count("message-id=") == before


@pytest.mark.parametrize("agrees", [True, False])
async def test_the_tlsa_record_decides_over_exim(
    house: House, real_exim: PrivateExim, authority: Authority, identities: dict[str, Identity], agrees: bool
) -> None:
    record = identities[EXIM] if agrees else authority.issue(EXIM)
    name = f"dane-{agrees}@exim.test".lower()
    async with internet(EXIM, real_exim.address, real_exim.port) as net:
        net.dns.zone[f"_{net.port}._tcp.{EXIM}", "TLSA"] = [record.tlsa(3, 0, 2)]
        detail = await attempt(house, net, name, Authority("Public"))
    if agrees:
        assert (detail["kind"], verified(detail)) == ("sent", "dane")
        (line,) = real_exim.arrivals(name)
        assert " X=TLS1.3:" in line
    else:
        assert detail["kind"] == "deferred"
        assert "agrees with none of 1 TLSA records" in detail["reply"]
        assert real_exim.arrivals(name) == []


POLICY = ".well-known/mta-sts.txt"


@pytest.mark.parametrize(
    ("policy", "kind", "proof"),
    [
        (f"version: STSv1\nmode: enforce\nmx: {POSTFIX}\nmax_age: 86400\n", "sent", "sts"),
        ("version: STSv1\r\nmode: enforce\r\nmx: *.elsewhere.test\r\nmax_age: 86400\r\n", "deferred", ""),
        ("<html>Not found</html>", "sent", "none"),
    ],
)
async def test_the_policy_that_nginx_serves_is_kept_to(
    house: House,
    real_postfix: PrivatePostfix,
    policy_host: PrivateNginx,
    authority: Authority,
    policy: str,
    kind: str,
    proof: str,
) -> None:
    policy_host.put(POLICY, policy)
    asked = len(policy_host.asked())
    before = log_of(real_postfix).count("message-id=")
    async with internet(POSTFIX, "127.0.0.1", real_postfix.port) as net:
        net.dns.zone["mta-sts.postfix.test", "A"] = ["127.0.0.1"]
        net.dns.zone["_mta-sts.postfix.test", "TXT"] = ['"v=STSv1; id=1;"']
        detail = await attempt(house, net, "ann@postfix.test", authority, policy_host.port)
    assert detail["kind"] == kind
    (line,) = policy_host.asked()[asked:]
    assert f'"GET /{POLICY} HTTP/1.1" 200 ' in line
    if kind == "sent":
        assert verified(detail) == proof
    else:
        assert f"names none of its MX hosts ({POSTFIX})" in detail["reply"]
        assert log_of(real_postfix).count("message-id=") == before
