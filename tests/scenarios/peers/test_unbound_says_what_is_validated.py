"""DANE with what a real validating resolver says: Unbound over signed zones, and Postfix behind them.

Right and wrong TLSA records, a record that was forged after the signing, and a zone that nobody signed.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.conformance.house import House
from tests.scenarios.authority import Authority, Identity
from tests.scenarios.mx.internet import internet, working
from tests.scenarios.mx.test_dane import verified
from tests.scenarios.mx.test_hosts_that_cannot_be_reached import LATER
from tests.scenarios.mx.test_mta_sts import options, outcome
from tests.scenarios.peers.postfix import log_of, postfix
from tests.scenarios.peers.unbound import Zone, unbound

from postroom.cli.demo_postfix import PrivatePostfix


@pytest.fixture(scope="module")
def identity() -> Identity:
    return Authority().issue("mx.example.com")


@pytest.fixture(scope="module")
def host(identity: Identity) -> Iterator[PrivatePostfix]:
    with postfix(identity) as started:
        yield started


@pytest.fixture(scope="module")
def resolver(host: PrivatePostfix, identity: Identity) -> Iterator[tuple[str, int]]:
    def records(tlsa: str) -> str:
        return f"@ 60 IN MX 10 mx\nmx 60 IN A 127.0.0.1\n_{host.port}._tcp.mx 60 IN TLSA {tlsa}\n"

    right, wrong = identity.tlsa(3), Authority("Other").issue("mx.example.com").tlsa(3)
    with unbound(
        Zone("right.test", records(right)),
        Zone("wrong.test", records(wrong)),
        Zone("forged-tlsa.test", records(wrong), forged=(wrong, right)),
        Zone("forged-mx.test", records(right), forged=("MX 10 mx.", "MX 20 mx.")),
        Zone("unsigned.test", records(wrong), signed=False),
    ) as place:
        yield place


@pytest.mark.parametrize(
    ("domain", "proof", "trouble"),
    [
        ("right.test", "dane", ""),
        ("unsigned.test", "none", ""),
        ("wrong.test", "", "the certificate agrees with none of 1 TLSA records"),
        ("forged-tlsa.test", "", "TLSA"),
        ("forged-mx.test", "", "the DNS servers fail for MX of forged-mx.test"),
    ],
)
async def test_only_what_is_validated_binds_the_host(
    house: House, host: PrivatePostfix, resolver: tuple[str, int], domain: str, proof: str, trouble: str
) -> None:
    before = log_of(host).count("message-id=")
    async with internet() as net:
        net.port = host.port
        with_unbound = replace(options(net, Authority("Public"), 443), dns_servers=(resolver,))
        async with working(house, net, schedule=LATER, options=with_unbound) as office:
            (key,) = await office.send([f"ann@{domain}"])
            detail = await outcome(house, key)
    if proof:
        assert (detail["kind"], verified(detail)) == ("sent", proof)
    else:
        assert (detail["kind"], detail["stage"]) == ("deferred", "connect")
        assert trouble in str(detail["reply"])
        assert log_of(host).count("message-id=") == before
