"""TLS sessions are counted by recipient domain, and `postroom tls-report` tells of them."""

import asyncio
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.conformance.house import House
from tests.scenarios.authority import Authority
from tests.scenarios.mx.internet import internet, working
from tests.scenarios.mx.policy_host import policy_host
from tests.scenarios.mx.test_hosts_that_cannot_be_reached import LATER
from tests.scenarios.mx.test_mta_sts import options, outcome

from postroom.delivery.routing.tls_counts import counts_of_day
from postroom.delivery.routing.tls_report import tls_report
from postroom.store.pool import connect

HOST = "mx.one.test"


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Whom the worker trusts."""
    return Authority()


@dataclass(frozen=True)
class Told:
    """One policy of a report."""

    kind: str
    policy: list[str]
    good: int
    bad: dict[str, int]


async def report(house: House, domain: str = "one.test") -> list[Told]:
    """The policies in the report about a domain and today."""
    today = datetime.now(UTC).date()
    connection = await connect(house.dsn, application_name="test")
    counts = await counts_of_day(connection, domain, today)
    await connection.close()
    made = tls_report(domain, today, counts, organization="here", contact="me@here.test", submitter="here.test")
    return [_told(each) for each in made["policies"]]


def _told(policy: dict[str, Any]) -> Told:
    failures = policy.get("failure-details", [])
    summary = policy["summary"]
    assert summary["total-failure-session-count"] == sum(each["failed-session-count"] for each in failures)
    return Told(
        policy["policy"]["policy-type"],
        policy["policy"].get("policy-string", []),
        summary["total-successful-session-count"],
        {each["result-type"]: each["failed-session-count"] for each in failures},
    )


async def test_a_session_counts_once_however_many_mails_it_carries(house: House, authority: Authority) -> None:
    async with internet() as net, policy_host(net, "one.test", authority.issue("mta-sts.one.test").server()) as policy:
        host = await net.host(HOST, tls=authority.issue(HOST).server())
        net.domain("one.test", HOST)
        policy.serve("mode: enforce", f"mx: {HOST}")
        for mails in (3, 2):
            async with working(house, net, options=options(net, authority, policy.port)) as office:
                for number in range(mails):
                    (key,) = await office.send([f"{number}@one.test"])
                    assert (await outcome(house, key))["kind"] == "sent"
    lines = ["version: STSv1", "mode: enforce", f"mx: {HOST}", "max_age: 86400"]
    assert await report(house) == [Told("sts", lines, host.secured, {})]
    assert host.secured == 2
    assert await report(house, "other.test") == []
    printed = await _printed(house, "ONE.test")
    assert [_told(each) for each in printed["policies"]] == await report(house)
    assert printed["report-id"].endswith("Z_one.test@127.0.0.1")


async def _printed(house: House, domain: str) -> dict[str, Any]:
    """What the command says about today."""
    today = datetime.now(UTC).date().isoformat()
    command = (sys.executable, "-m", "postroom.cli.main", "tls-report", domain, "--day", today, "--json")
    process = await asyncio.create_subprocess_exec(
        *command, "--database-url", house.dsn, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    read: dict[str, Any] = json.loads(printed)
    return read


@pytest.mark.parametrize(
    ("mode", "names", "failure"),
    [
        ("enforce", ("mx.other.test",), "certificate-host-mismatch"),
        ("testing", ("mx.other.test",), "certificate-host-mismatch"),
        ("testing", None, "starttls-not-supported"),
        ("enforce", None, "starttls-not-supported"),
    ],
)
async def test_failures_are_told_by_kind(
    house: House, authority: Authority, mode: str, names: tuple[str, ...] | None, failure: str
) -> None:
    async with internet() as net, policy_host(net, "one.test", authority.issue("mta-sts.one.test").server()) as policy:
        await net.host(HOST, tls=None if names is None else authority.issue(*names).server())
        net.domain("one.test", HOST)
        policy.serve(f"mode: {mode}", f"mx: {HOST}")
        async with working(house, net, schedule=LATER, options=options(net, authority, policy.port)) as office:
            (key,) = await office.send(["a@one.test"])
            detail = await outcome(house, key)
    assert detail["kind"] == ("deferred" if mode == "enforce" else "sent")
    (told,) = await report(house)
    assert (told.kind, told.good, told.bad) == ("sts", 0, {failure: 1})


async def test_dane_and_no_policy(house: House, authority: Authority) -> None:
    own = authority.issue(HOST)
    async with internet() as net:
        await net.host(HOST, tls=own.server())
        await net.host("mx.two.test", tls=own.server())
        net.domain("one.test", HOST)
        net.domain("two.test", "mx.two.test")
        net.dns.signed = {"one.test"}
        net.dns.zone[f"_{net.port}._tcp.{HOST}", "TLSA"] = [own.tlsa(3)]
        async with working(house, net, schedule=LATER, options=options(net, authority, 443)) as office:
            for address in ("a@one.test", "a@two.test"):
                (key,) = await office.send([address])
                assert (await outcome(house, key))["kind"] == "sent"
    assert await report(house) == [Told("tlsa", [own.tlsa(3)], 1, {})]
    assert await report(house, "two.test") == [Told("no-policy-found", [], 1, {})]


async def test_a_policy_that_cannot_be_had_is_told(house: House, authority: Authority) -> None:
    async with internet() as net, policy_host(net, "one.test", authority.issue("other.test").server()) as policy:
        await net.host(HOST, tls=authority.issue(HOST).server())
        net.domain("one.test", HOST)
        async with working(house, net, schedule=LATER, options=options(net, authority, policy.port)) as office:
            (key,) = await office.send(["a@one.test"])
            assert (await outcome(house, key))["kind"] == "sent"
    told = await report(house)
    assert {(each.kind, each.good, *each.bad) for each in told} == {
        ("no-policy-found", 1),
        ("sts", 0, "sts-webpki-invalid"),
    }
