"""Recipients' domains are told of yesterday's TLS sessions, by mail and by HTTPS, once and by one process."""

import asyncio
import gzip
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from tests.conformance.house import House
from tests.scenarios.authority import Authority
from tests.scenarios.dkim.domains import make_domain, published, verified
from tests.scenarios.mx.internet import Internet, internet
from typer.testing import CliRunner

from postroom.cli.main import app
from postroom.content.address import parse_address
from postroom.delivery.routing.options import MxOptions
from postroom.delivery.routing.tls_counts import TlsCounts
from postroom.delivery.routing.tls_rule import RuleKind, TlsRule
from postroom.delivery.smtp.trust import TlsSession
from postroom.delivery.tls_reporting.report_log import Row, recent_reports
from postroom.delivery.tls_reporting.reporter import ReportingOptions, TlsReporter

SENDER = "tls@here.test"
YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Whom reporters trust."""
    return Authority()


class ReportHost:
    """Takes reports by HTTPS, answering each with ``status``."""

    def __init__(self) -> None:
        self.status = 200
        self.heads: list[str] = []
        self.bodies: list[bytes] = []

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(head.lower().partition("content-length:")[2].split()[0])
            self.bodies.append(await reader.readexactly(length))
            self.heads.append(head)
            writer.write(f"HTTP/1.1 {self.status} x\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()


@asynccontextmanager
async def report_host(net: Internet, authority: Authority, name: str) -> AsyncIterator[tuple[ReportHost, str]]:
    """A host for reports and its URL."""
    made = ReportHost()
    tls = authority.issue(name).server()
    server = await asyncio.start_server(made.converse, "127.0.0.1", 0, ssl=tls)
    net.dns.zone[name, "A"] = ["127.0.0.1"]
    try:
        yield made, f"https://{name}:{server.sockets[0].getsockname()[1]}/v1/tlsrpt"
    finally:
        server.close()
        await server.wait_closed()


async def count(house: House, domain: str, day: date = YESTERDAY) -> None:
    """One good session and one that failed."""
    counts = TlsCounts(house.pool, today=lambda: day)
    rule = TlsRule(RuleKind.OPPORTUNISTIC)
    counts.session(domain, rule, TlsSession("mx.one.test", "192.0.2.1:25", None))
    counts.session(domain, rule, TlsSession("mx.one.test", "192.0.2.1:25", "certificate-expired", "it is over"))
    await counts.close()


def asks(net: Internet, domain: str, *uris: str) -> None:
    """What the domain publishes."""
    net.dns.zone[f"_smtp._tls.{domain}", "TXT"] = [f'"v=TLSRPTv1; rua={",".join(uris)}"']


def reporter(house: House, net: Internet, authority: Authority, *, private: bool = True) -> TlsReporter:
    """One process's reporter, some hours after midnight."""
    sender = parse_address(SENDER)
    assert sender is not None
    mx = MxOptions(
        dns_servers=(net.dns.address,),
        port=net.port,
        allow_private=private,
        verifying=authority.trusting(),
    )
    options = ReportingOptions(sender, "The shop", "postmaster@here.test", "here.test", mx, jitter=timedelta(0))
    now = max(datetime.now(UTC), datetime.now(UTC).replace(hour=6))
    return TlsReporter(house.pool, options, now=lambda: now, rand=lambda: 0.5)


async def rows(house: House) -> dict[str, Row]:
    """What became of each domain's report."""
    return {row.domain: row for row in await recent_reports(house.pool, day=None, limit=100)}


@pytest.fixture
async def house(house: House) -> House:
    """Midnight is long over, whatever the clock says."""
    await house.pool.execute("delete from tls_session_count; delete from tls_report")
    return house


async def due_now(house: House) -> None:
    """Whatever waits is due."""
    await house.pool.execute("update tls_report set due_at = now() - interval '1 second' where outcome = ''")


async def test_each_domain_is_told_once_where_it_asks_to_be_and_by_one_of_two_processes(
    house: House, authority: Authority
) -> None:
    await make_domain(house, "here.test")
    async with internet() as net, report_host(net, authority, "reports.one.test") as (web, url):
        mail = await net.host("mx.reports.test", tls=authority.issue("mx.reports.test").server())
        net.domain("reports.test", "mx.reports.test")
        asks(net, "one.test", "mailto:tls@reports.test", url)
        for domain in ("one.test", "silent.test"):
            await count(house, domain)
        await count(house, "today.test", YESTERDAY + timedelta(days=1))
        two = [reporter(house, net, authority) for _ in range(2)]
        await asyncio.gather(*(each.turn() for each in two))
        await due_now(house)
        await asyncio.gather(*(each.turn() for each in two))
    assert {name: row.outcome for name, row in (await rows(house)).items()} == {
        "one.test": "sent",
        "silent.test": "not-asked",
    }
    printed = await asyncio.to_thread(CliRunner().invoke, app, ["tls-report", "--database-url", house.dsn])
    names, row, silent = (line.split(maxsplit=5) for line in printed.stdout.splitlines())
    assert names == ["DAY", "DOMAIN", "GOOD", "BAD", "REPORT"]
    assert row[:5] == [str(YESTERDAY), "one.test", "1", "1", "sent"]
    assert row[5].endswith(f" to mailto:tls@reports.test, {url}")
    assert " ".join(silent) == f"{YESTERDAY} silent.test 1 1 none asked for"
    assert mail.transactions == [("tls@reports.test",)]
    assert mail.secured == 1
    (body,) = mail.bodies
    assert verified(body, await published(house))
    assert "tls-report-domain" in body.decode().partition("h=")[2].partition(";")[0]
    message = message_from_bytes(body.removesuffix(b".\r\n"), policy=default)
    attached = list(message.iter_parts())[1]
    assert isinstance(attached, EmailMessage)
    report = json.loads(gzip.decompress(attached.get_content()))
    assert (report["organization-name"], report["contact-info"]) == ("The shop", "postmaster@here.test")
    (policy,) = report["policies"]
    assert policy["summary"] == {"total-successful-session-count": 1, "total-failure-session-count": 1}
    (head,) = web.heads
    assert head.startswith("POST /v1/tlsrpt HTTP/1.1\r\n")
    assert "Content-Type: application/tlsrpt+gzip\r\n" in head
    assert json.loads(gzip.decompress(web.bodies[0])) == report


async def test_what_fails_is_tried_again_alone_and_given_up_after_a_day(house: House, authority: Authority) -> None:
    await make_domain(house, "here.test")
    async with internet() as net, report_host(net, authority, "reports.one.test") as (web, url):
        mail = await net.host("mx.reports.test")
        net.domain("reports.test", "mx.reports.test")
        asks(net, "one.test", url, "mailto:tls@reports.test")
        await count(house, "one.test")
        web.status = 503
        ours = reporter(house, net, authority)
        await ours.turn()
        await due_now(house)
        await ours.turn()
        waiting = (await rows(house))["one.test"]
        assert (waiting.outcome, waiting.told) == ("", ("mailto:tls@reports.test",))
        assert waiting.last_error == f"{url}: reports.one.test answers with status 503"
        assert waiting.due_at > datetime.now(UTC) + timedelta(minutes=4)
        await due_now(house)
        web.status = 200
        await ours.turn()
        assert (await rows(house))["one.test"].outcome == "sent"
        assert len(mail.bodies) == 1
        assert len(web.bodies) > 1
        assert len(set(web.bodies)) == 1
        web.status = 503
        await house.pool.execute("update tls_report set outcome = '', told = '{}', first_at = now() - interval '24 h'")
        await due_now(house)
        await ours.turn()
        assert (await rows(house))["one.test"].outcome == "failed"


async def test_reports_do_not_reach_into_our_own_network_and_go_by_mail_only_signed(
    house: House, authority: Authority
) -> None:
    async with internet() as net, report_host(net, authority, "reports.one.test") as (web, url):
        mail = await net.host("mx.reports.test")
        net.domain("reports.test", "mx.reports.test")
        asks(net, "inside.test", url)
        asks(net, "unsigned.test", "mailto:tls@reports.test")
        for domain in ("inside.test", "unsigned.test"):
            await count(house, domain)
        ours = reporter(house, net, authority, private=False)
        await ours.turn()
        await due_now(house)
        await ours.turn()
        found = await rows(house)
        assert "has an address that is not public" in found["inside.test"].last_error
        assert "postroom domain create here.test" in found["unsigned.test"].last_error
    assert web.heads == []
    assert mail.connections == 0
