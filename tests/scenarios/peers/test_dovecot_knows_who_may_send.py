"""Postfix as a relay with Dovecot behind its logins: XOAUTH2 with tokens of an issuer, and the password ways."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from tests.scenarios.authority import Authority
from tests.scenarios.peers.dovecot import Issuer, PrivateDovecot, dovecot, issuer
from tests.scenarios.peers.postfix import log_of, postfix_that_asks
from tests.scenarios.smtp.mailroom import Parcel, mailroom

from postroom.cli.demo_postfix import PrivatePostfix
from postroom.delivery.outcome import Deferred, Sent
from postroom.delivery.smtp.target import parse_relay_url

USER = "shop@example.com"
PASSWORD = "p@ss w/örd"
TOKEN = "ya29.a0Af/H6SM+token=="
EXPIRED = "ya29.0ld-token"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def tokens() -> Iterator[Issuer]:
    with issuer({TOKEN: USER}) as made:
        yield made


@pytest.fixture(scope="module")
def logins(tokens: Issuer) -> Iterator[PrivateDovecot]:
    with dovecot(USER, PASSWORD, tokens) as started:
        yield started


@pytest.fixture(scope="module")
def relay(authority: Authority, logins: PrivateDovecot) -> Iterator[PrivatePostfix]:
    with postfix_that_asks(authority.issue("127.0.0.1"), logins.port) as started:
        yield started


def url(relay: PrivatePostfix, secret: str, auth: str) -> str:
    return (
        f"smtp://{quote(USER, safe='')}:{quote(secret, safe='')}@127.0.0.1:{relay.port}?tls=verify"
        + f"&auth={auth}" * bool(auth)
    )


async def test_a_good_token_lets_us_in(
    relay: PrivatePostfix, authority: Authority, tokens: Issuer, logins: PrivateDovecot
) -> None:
    before = len(log_of(relay))
    async with mailroom(parse_relay_url(url(relay, TOKEN, "xoauth2")), context=authority.trusting()) as room:
        outcomes = await room.deliver(Parcel(), Parcel(), Parcel())
        assert all(isinstance(outcome, Sent) for outcome in outcomes), outcomes
        assert room.failures == []
    assert TOKEN in tokens.asked
    assert f"sasl_method=XOAUTH2, sasl_username={USER}" in log_of(relay)[before:], logins.log()


async def test_a_token_that_is_no_longer_good_defers_with_what_dovecot_says(
    relay: PrivatePostfix, authority: Authority, tokens: Issuer
) -> None:
    async with mailroom(parse_relay_url(url(relay, EXPIRED, "xoauth2")), context=authority.trusting()) as room:
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Deferred)
        assert (outcome.code, outcome.stage) == (535, "connect")
        ((failure, retry_in),) = room.failures
        assert failure.stage == "auth"
        assert '"status":"401"' in failure.text
        assert retry_in > 0
    assert EXPIRED in tokens.asked
    assert EXPIRED not in f"{outcome!r} {failure!r}"


@pytest.mark.parametrize("auth", ["", "plain", "login"])
async def test_a_password_goes_by_the_strongest_way_and_never_as_a_token(
    relay: PrivatePostfix, authority: Authority, tokens: Issuer, auth: str
) -> None:
    asked = len(tokens.asked)
    before = len(log_of(relay))
    async with mailroom(parse_relay_url(url(relay, PASSWORD, auth)), context=authority.trusting()) as room:
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Sent), outcome
    assert f"sasl_method={(auth or 'cram-md5').upper()}, sasl_username={USER}" in log_of(relay)[before:]
    assert len(tokens.asked) == asked
