"""Postfix as a relay that wants a login, with Cyrus SASL behind it: PLAIN, LOGIN and CRAM-MD5, over TLS.

XOAUTH2, which none of Debian's SASL modules has, is told by test_dovecot_knows_who_may_send.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.conformance.house import House, people
from tests.scenarios.authority import Authority
from tests.scenarios.delivery.relay import Relay
from tests.scenarios.delivery.workers import all_final, deliver_process, until, working
from tests.scenarios.peers.postfix import guarded_postfix, log_of
from tests.scenarios.smtp.mailroom import Parcel, mailroom

from postroom.cli.demo_postfix import PrivatePostfix
from postroom.delivery.outcome import Deferred, Refused, Sent
from postroom.delivery.smtp.target import TlsMode, parse_relay_url

USER = "shop+orders"
# What has to be quoted in an URL, and what is more than one byte.
PASSWORD = "p@ss:w/örd %?#"
WRONG = "wr0ng-s3cret"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def relay(authority: Authority) -> Iterator[PrivatePostfix]:
    with guarded_postfix(authority.issue("127.0.0.1"), USER, PASSWORD, "PLAIN", "LOGIN", "CRAM-MD5") as started:
        yield started


def url(relay: PrivatePostfix, password: str, query: str = "tls=verify") -> str:
    return f"smtp://{quote(USER, safe='')}:{quote(password, safe='')}@127.0.0.1:{relay.port}?{query}"


@pytest.mark.parametrize("choice", ["plain", "login", "cram-md5", ""])
async def test_each_way_lets_us_in_and_a_wrong_password_does_not(
    relay: PrivatePostfix, authority: Authority, choice: str
) -> None:
    query = f"tls=verify&auth={choice}" if choice else "tls=verify"
    used = (choice or "cram-md5").upper()
    right, wrong = (parse_relay_url(url(relay, password, query)) for password in (PASSWORD, WRONG))
    for target in (right, wrong):
        assert (target.tls, target.cleartext_auth) == (TlsMode.VERIFY, True)
    before = len(log_of(relay))
    async with mailroom(replace(right, cleartext_auth=False), context=authority.trusting()) as room:
        outcomes = await room.deliver(Parcel(), Parcel(), Parcel())
        assert all(isinstance(outcome, Sent) for outcome in outcomes), outcomes
        assert room.failures == []
    assert f"sasl_method={used}, sasl_username={USER}" in log_of(relay)[before:]
    async with mailroom(wrong, context=authority.trusting()) as room:
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Deferred)
        assert (outcome.code, outcome.enhanced, outcome.stage) == (535, "5.7.8", "connect")
        ((failure, retry_in),) = room.failures
        assert failure.stage == "auth"
        assert failure.text.startswith("535 5.7.8 Error: authentication failed")
        assert retry_in > 0
        assert not room.pool.available
    told = f"{outcome!r} {failure!r} {wrong!r} {wrong}"
    for secret in (PASSWORD, WRONG, quote(WRONG), quote(PASSWORD, safe="")):
        assert secret not in told
        assert secret not in log_of(relay)


async def test_without_a_login_nothing_is_taken(relay: PrivatePostfix, authority: Authority) -> None:
    target = parse_relay_url(f"smtp://127.0.0.1:{relay.port}?tls=verify")
    async with mailroom(target, context=authority.trusting()) as room:
        (outcome,) = await room.deliver(Parcel())
    assert isinstance(outcome, Refused)
    assert outcome.text.endswith("[127.0.0.1]>: Client host rejected: Access denied")
    assert outcome.stage == "rcpt"


async def test_a_wrong_password_costs_no_message_and_the_operator_is_told(
    house: House, relay: PrivatePostfix, tmp_path: Path
) -> None:
    keys = house.keys(3)
    await house.accept(people(keys, {}))
    before = relay.delivered()
    async with deliver_process(house, Relay(), tmp_path, relay=url(relay, WRONG, "tls=required")) as process:

        async def told() -> bool:
            return process.log.read_text().count("relay_unavailable") >= 2

        await process.running(until(told))
        assert await house.count("event") == 0, "no message pays for it"
        await process.stop()
    said = process.log.read_text()
    (line, *_) = [line for line in said.splitlines() if "relay_unavailable" in line]
    assert "535 5.7.8 Error: authentication failed" in line
    assert f"{USER}:***@127.0.0.1:{relay.port}" in line
    assert "stage" in line
    for secret in (WRONG, quote(WRONG)):
        assert secret not in said
        assert secret not in log_of(relay)
    async with working(house, Relay(), relay=url(relay, PASSWORD, "tls=required")):
        assert await all_final(house, 3) == dict.fromkeys(keys, ("sent", None))

    async def delivered() -> bool:
        return relay.delivered() == before + 3

    await until(delivered)


async def test_a_relay_that_refuses_the_login_is_passed_by(
    house: House, relay: PrivatePostfix, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "routes.toml"
    first = url(relay, WRONG, "tls=required")
    second = url(relay, PASSWORD, "tls=required").replace("127.0.0.1", "localhost")
    table.write_text(
        f'[[rule]]\nroute = "both"\n[route.both]\nrelays = ["{first}", {{url = "{second}", priority = 2}}]\n'
    )
    keys = house.keys(20)
    async with working(house, Relay(), delivery="routes", relay="", routes=table) as office:
        await office.send(keys)
        assert await all_final(house, 20) == dict.fromkeys(keys, ("sent", None))
    for key in keys:
        assert await house.kinds(key) == ["sent"], "a login that is refused is no attempt"
    said = capsys.readouterr()
    told = said.out + said.err
    assert "535 5.7.8 Error: authentication failed" in told
    assert WRONG not in told
