"""TLS to MX hosts whose domains say nothing about it: as POSTROOM_MX_TLS has it."""

import ssl
from dataclasses import replace

import msgspec
import pytest
from tests.conformance.house import House
from tests.scenarios.authority import Authority
from tests.scenarios.delivery.workers import all_final, until
from tests.scenarios.mx.internet import Internet, internet, working
from tests.scenarios.mx.test_hosts_that_cannot_be_reached import LATER

from postroom.delivery.outcome import Certificate
from postroom.delivery.routing.options import MxOptions
from postroom.delivery.routing.tls_rule import RuleKind


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Whom the worker trusts."""
    return Authority()


def options(net: Internet, authority: Authority, tls: RuleKind) -> MxOptions:
    """As the settings make them, with the test's authority."""
    return replace(
        MxOptions(dns_servers=(net.dns.address,), port=net.port, allow_private=True),
        tls=tls,
        verifying=authority.trusting(),
    )


async def why(house: House, kind: str) -> str:
    """The reply in the event of this kind."""
    found: str = await house.pool.fetchval("select detail::json ->> 'reply' from event where kind = $1 limit 1", kind)
    return found


async def test_the_certificate_is_in_the_event(house: House, authority: Authority) -> None:
    async with internet() as net:
        await net.host("mx.one.test", tls=authority.issue("mx.one.test").server())
        net.domain("one.test", "mx.one.test")
        async with working(house, net, options=options(net, authority, RuleKind.VERIFY)) as office:
            await office.send(["a@one.test"])
            await all_final(house, 1)
    detail = msgspec.json.decode(await house.pool.fetchval("select detail from event where kind = 'sent'"))
    certificate = msgspec.convert(detail["certificate"], Certificate)
    assert certificate.verified == "webpki"
    assert certificate.subject == "CN=mail host"
    assert detail["tls"].startswith("TLSv1.3 ")


async def test_required_gives_nothing_to_a_host_without_tls_and_goes_to_the_next(
    house: House, authority: Authority
) -> None:
    async with internet() as net:
        plain = await net.host("plain.one.test")
        secure = await net.host("secure.one.test", tls=Authority("Stranger").issue("other.test").server())
        net.domain("one.test", "plain.one.test", "secure.one.test")
        net.domain("two.test", "plain.one.test")
        async with working(house, net, schedule=LATER, options=options(net, authority, RuleKind.REQUIRED)) as office:
            (key,) = await office.send(["a@one.test"])
            assert await all_final(house, 1) == {key: ("sent", None)}
            (other,) = await office.send(["a@two.test"])

            async def deferred() -> bool:
                return await house.kinds(other) == ["deferred"]

            await until(deferred)
    assert "STARTTLS" in await why(house, "deferred")
    assert plain.bodies == []
    assert secure.taken.total() == 1


async def test_verify_gives_nothing_to_a_host_with_the_certificate_of_another(
    house: House, authority: Authority
) -> None:
    async with internet() as net:
        wrong = await net.host("mx.one.test", tls=authority.issue("mx.other.test").server())
        net.domain("one.test", "mx.one.test")
        async with working(house, net, schedule=LATER, options=options(net, authority, RuleKind.VERIFY)) as office:
            (key,) = await office.send(["a@one.test"])

            async def deferred() -> bool:
                return await house.kinds(key) == ["deferred"]

            await until(deferred)
    assert "mismatch" in await why(house, "deferred")
    assert wrong.bodies == []


async def test_broken_tls_gives_way_to_clear_text_where_it_is_opportunistic(house: House, authority: Authority) -> None:
    async with internet() as net:
        # A server context without a certificate: every handshake fails.
        broken = await net.host("mx.one.test", tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        net.domain("one.test", "mx.one.test")
        async with working(
            house, net, schedule=LATER, options=options(net, authority, RuleKind.OPPORTUNISTIC)
        ) as office:
            keys = await office.send(f"p{number}@one.test" for number in range(5))
            assert await all_final(house, 5) == dict.fromkeys(keys, ("sent", None))
            for key in keys:
                assert await house.kinds(key) == ["sent"], "a handshake that failed is no attempt"
    assert broken.taken.total() == 5
    assert broken.secured == 0
