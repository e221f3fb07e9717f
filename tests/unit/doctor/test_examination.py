"""A healthy sender, and one thing at a time that is wrong with it."""

import asyncio
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Literal

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.unit.doctor.zone import TROUBLE, Table, Zone

from postroom.delivery.routing.sts_fetch import NoPolicy
from postroom.delivery.routing.sts_policy import StsPolicy
from postroom.doctor.examination import Instruments, counts, examine, lines
from postroom.doctor.finding import Check, Finding, Severity
from postroom.doctor.incoming import Looks
from postroom.doctor.mail_hosts import HostTls
from postroom.doctor.sender import Mailing, Sender, SendingAddress
from postroom.tenancy.sender_domains import DomainKey, KeyAlgorithm

NOW = datetime(2026, 11, 23, tzinfo=UTC)
OUT = "93.184.215.14"
OUT6 = "2606:2800:21f:cb07::25"


@cache
def rsa(bits: int) -> str:
    der = generate_private_key(65537, bits).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b64encode(der).decode()


def key(
    selector: str = "s1", algorithm: KeyAlgorithm = "rsa", public: str | None = None, *, waits: bool = False
) -> DomainKey:
    text = public or (rsa(2048) if algorithm == "rsa" else b64encode(bytes(32)).decode())
    return DomainKey(selector, algorithm, text, NOW, None if waits else NOW, None)


def record(made: DomainKey, more: str = "") -> list[str]:
    return [f"v=DKIM1; k={made.algorithm};{more} p={made.public_key}"]


SENDER = Sender(
    domain="example.com",
    keys=(key(),),
    return_domain="bounces.example.com",
    own_host="out.example.com",
    mode="mx",
    addresses=(SendingAddress(OUT, "out.example.com"),),
    mailings=(Mailing("receipt", commercial=False, list_unsubscribe=False),),
    tracking_url="https://links.example.com",
)

TABLE: Table = {
    ("example.com", "MX"): ["10 mx.example.com"],
    ("mx.example.com", "A"): ["93.184.215.20"],
    ("bounces.example.com", "MX"): ["10 out.example.com"],
    ("bounces.example.com", "TXT"): ["v=spf1 a:out.example.com ~all"],
    ("s1._domainkey.example.com", "TXT"): record(SENDER.keys[0]),
    ("_dmarc.example.com", "TXT"): ["v=DMARC1; p=none; rua=mailto:dmarc@example.com"],
    (OUT, "PTR"): ["out.example.com"],
    ("out.example.com", "A"): [OUT],
}


GOOD_TLS = HostTls(offered=True)
GOOD_POLICY = StsPolicy("enforce", ("mx.example.com",), 86400)


def organisation(name: str) -> str:
    return ".".join(name.split(".")[-2:])


async def examined(
    sender: Sender = SENDER,
    table: Table | None = None,
    *,
    tls: HostTls = GOOD_TLS,
    policy: StsPolicy | NoPolicy = GOOD_POLICY,
    tracking: str = "",
) -> list[Finding]:
    async def host(_host: str, _address: str) -> HostTls:
        return tls

    async def fetch(_domain: str) -> StsPolicy | NoPolicy:
        return policy

    async def look() -> str:
        return tracking

    return await examine(sender, Instruments(Zone(TABLE | (table or {})), Looks(host, fetch), look, organisation))


async def never(_host: str, _address: str) -> HostTls:
    await asyncio.Event().wait()
    return GOOD_TLS


async def test_checks_are_made_together_and_what_takes_too_long_is_not_checked() -> None:
    async def fetch(_domain: str) -> StsPolicy | NoPolicy:
        return GOOD_POLICY

    async def look() -> str:
        return ""

    waiting: list[list[Check]] = []
    instruments = Instruments(Zone(TABLE), Looks(never, fetch), look, organisation)
    findings = await examine(SENDER, instruments, seconds=0.2, tell=lambda names: waiting.append(list(names)))
    late = [each for each in findings if each.severity != "ok"]
    assert [(each.severity, each.check, each.text) for each in late] == [
        ("not checked", "tls", "nothing was known when the time was over")
    ]
    assert waiting[0] == ["address", "dkim", "spf", "dmarc", "from", "return path", "tls", "tracking"]
    assert waiting[-2:] == [["tls"], []]


async def test_a_dns_that_answers_nothing_is_no_good_news() -> None:
    silent: Table = dict.fromkeys([*TABLE, ("out.example.com", "AAAA"), ("mx.example.com", "AAAA")], TROUBLE)
    silent |= {(f"{name}.example.com", "TXT"): TROUBLE for name in ("_mta-sts", "_smtp._tls")}
    findings = await examined(table=silent)
    assert [each.check for each in findings if each.severity == "fails"] == ["dns"]
    assert told(findings, "fails", "dns", "no question to the DNS was answered")


def told(findings: list[Finding], severity: Severity, check: Check, part: str) -> bool:
    """Whether it is among them, and has a fix if it is one that needs it."""
    return any(
        each.severity == severity
        and each.check == check
        and part in each.text
        and (each.fix != "" or severity in ("ok", "not checked"))
        for each in findings
    )


async def test_a_healthy_sender_has_nothing_to_do() -> None:
    findings = await examined()
    assert [each for each in findings if each.severity != "ok"] == []
    assert {each.check for each in findings} == {
        "delivery", "address", "helo", "dkim", "spf", "dmarc", "from", "return path", "tls", "unsubscribe", "tracking"
    }  # fmt: skip
    assert not any(each.fix for each in findings)
    shown = lines(findings)
    assert shown[-1] == f"{len(findings)} ok"
    assert "ok          address     93.184.215.14 is out.example.com, and that leads back to it" in shown


SPF = ("bounces.example.com", "TXT")
DMARC = ("_dmarc.example.com", "TXT")
S1 = ("s1._domainkey.example.com", "TXT")
MX = ("example.com", "MX")


@pytest.mark.parametrize(
    ("table", "severity", "check", "part"),
    [
        ({SPF: []}, "fails", "spf", "has no SPF record"),
        ({SPF: ["v=spf1 -all", "v=spf1 ~all"]}, "fails", "spf", "has 2 SPF records"),
        ({SPF: ["v=spf1 ipv4:93.184.215.14 -all"]}, "fails", "spf", "no mechanism"),
        ({SPF: ["v=spf1 ip4:93.184.215.15 -all"]}, "fails", "spf", "93.184.215.14 may not send"),
        ({SPF: ["v=spf1 " + "a:out.example.com " * 11 + "~all"]}, "fails", "spf", "ask the DNS 11 times"),
        ({SPF: ["v=spf1 +all"]}, "fails", "spf", "whole internet"),
        ({SPF: ["v=spf1 a:out.example.com ?all"]}, "warns", "spf", "says nothing of those"),
        ({SPF: ["v=spf1 a:out.example.com"]}, "warns", "spf", "says nothing of those"),
        ({SPF: ["v=spf1 ptr:example.com ~all"]}, "warns", "spf", "has ptr"),
        ({SPF: TROUBLE}, "not checked", "spf", "servers fail"),
        ({SPF: []}, "warns", "dmarc", "passes DMARC by DKIM alone"),
        ({DMARC: []}, "fails", "dmarc", "has no DMARC record"),
        ({DMARC: ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}, "fails", "dmarc", "count as none"),
        ({DMARC: ["v=DMARC1; p=block"]}, "fails", "dmarc", '"block"'),
        ({DMARC: ["v=DMARC1; p=none"]}, "warns", "dmarc", "(rua)"),
        ({DMARC: ["v=DMARC1; p=none; aspf=s; rua=mailto:a@b"]}, "warns", "dmarc", "aspf=s"),
        ({DMARC: ["v=DMARC1; p=reject; rua=mailto:a@b"]}, "ok", "dmarc", "p=reject"),
        ({DMARC: TROUBLE}, "not checked", "dmarc", "servers fail"),
        ({S1: []}, "fails", "dkim", "is not published"),
        ({S1: []}, "warns", "dmarc", "passes DMARC by SPF alone"),
        ({S1: [], SPF: []}, "fails", "dmarc", "does not pass DMARC"),
        ({S1: ["v=DKIM1; k=rsa; p="]}, "fails", "dkim", "revoked"),
        ({S1: record(key(public=rsa(1024)))}, "fails", "dkim", "another key"),
        ({S1: record(key()) * 2}, "fails", "dkim", "beside 1 other"),
        ({S1: record(key(), " h=sha1;")}, "fails", "dkim", "h=sha1"),
        ({S1: record(key(), " s=tlsrpt;")}, "fails", "dkim", "not for mail"),
        ({S1: record(key(), " t=y:s;")}, "warns", "dkim", "t=y"),
        ({S1: TROUBLE}, "not checked", "dkim", "servers fail"),
        ({(OUT, "PTR"): []}, "fails", "address", "no reverse DNS name"),
        ({(OUT, "PTR"): TROUBLE}, "not checked", "address", "servers fail"),
        ({(OUT, "PTR"): ["elsewhere.example"]}, "fails", "address", "does not lead back"),
        (
            {(OUT, "PTR"): ["host-93-184-215-14.isp.example"], ("host-93-184-215-14.isp.example", "A"): [OUT]},
            "warns",
            "address",
            "home or rented machine",
        ),
        ({("out.example.com", "A"): []}, "fails", "helo", "without an address"),
        ({("out.example.com", "A"): ["93.184.215.99"]}, "warns", "helo", "does not lead there"),
        ({("out.example.com", "A"): TROUBLE}, "not checked", "helo", "servers fail"),
        ({MX: ["0 "]}, "fails", "from", "null MX"),
        ({MX: [], ("example.com", "A"): [OUT]}, "warns", "from", "no MX record"),
        ({MX: []}, "warns", "from", "can't take replies"),
        ({MX: TROUBLE}, "not checked", "from", "servers fail"),
        ({("mx.example.com", "A"): ["10.0.0.1"]}, "fails", "from", "not on the public internet"),
        ({("bounces.example.com", "MX"): []}, "fails", "return path", "no MX record"),
        ({("bounces.example.com", "MX"): ["0 "]}, "fails", "return path", "null MX"),
        ({("bounces.example.com", "MX"): ["10 other.example"]}, "warns", "return path", "go to other.example"),
        ({("bounces.example.com", "MX"): TROUBLE}, "not checked", "return path", "servers fail"),
        ({("_mta-sts.example.com", "TXT"): ["v=STSv1; id=1;"]}, "ok", "tls", "mode enforce"),
        ({("_mta-sts.example.com", "TXT"): TROUBLE}, "not checked", "tls", "servers fail"),
        ({("_smtp._tls.example.com", "TXT"): ["v=TLSRPTv1; rua=mailto:a@b"]}, "ok", "tls", "asks for TLS reports"),
        ({("_25._tcp.mx.example.com", "TLSA"): [f"3 1 1 {'00' * 32}"]}, "ok", "tls", "DANE"),
        ({("_25._tcp.mx.example.com", "TLSA"): [f"1 1 1 {'00' * 32}"]}, "warns", "tls", "of no use"),
    ],
)
async def test_dns(table: Table, severity: Severity, check: Check, part: str) -> None:
    findings = await examined(table=table)
    assert told(findings, severity, check, part), "\n".join(lines(findings))


ADVERT = Mailing("advert", commercial=True, list_unsubscribe=False)
CLICK = Mailing("news", commercial=True, list_unsubscribe=True)


@pytest.mark.parametrize(
    ("sender", "severity", "check", "part"),
    [
        (replace(SENDER, mode="sandbox"), "warns", "delivery", "no mail leaves"),
        (replace(SENDER, keys=()), "fails", "dkim", "is not signed; Gmail"),
        (replace(SENDER, keys=(key(waits=True),)), "fails", "dkim", "is not signed; Gmail"),
        (replace(SENDER, keys=(key(), key("s2", waits=True))), "warns", "dkim", "new key at s2"),
        (replace(SENDER, mode="relay", relays=("relay.example",), keys=()), "warns", "dkim", "unless the relay"),
        (
            replace(SENDER, mode="relay", relays=("relay.example",), addresses=()),
            "not checked",
            "spf",
            "lets relay.example send",
        ),
        (
            replace(SENDER, mode="relay", relays=("relay.example",), addresses=()),
            "not checked",
            "address",
            "provider answers",
        ),
        (replace(SENDER, addresses=()), "not checked", "address", "no public address"),
        (replace(SENDER, addresses=()), "not checked", "spf", "not known"),
        (replace(SENDER, addresses=(), keys=()), "not checked", "dmarc", "SPF could not be checked"),
        (
            replace(SENDER, addresses=(SendingAddress("10.0.0.5", "out.example.com"),)),
            "not checked",
            "address",
            "10.0.0.5 is not on the public internet",
        ),
        (replace(SENDER, addresses=(SendingAddress("127.0.0.1", "localhost"),)), "fails", "helo", "itself localhost"),
        (replace(SENDER, addresses=(SendingAddress(OUT6, "out.example.com"),)), "fails", "address", "no reverse DNS"),
        (
            replace(SENDER, addresses=(SendingAddress(OUT6, "out.example.com"),)),
            "fails",
            "spf",
            f"{OUT6} may not send",
        ),
        (replace(SENDER, return_domain="example.com"), "warns", "return path", "can't count them"),
        (replace(SENDER, return_domain="bounces.example.net"), "warns", "dmarc", "different organisations"),
        (replace(SENDER, mailings=(ADVERT, CLICK)), "fails", "unsubscribe", "(List-Unsubscribe): advert"),
        (replace(SENDER, mailings=(CLICK,)), "ok", "unsubscribe", "1 commercial, all with"),
        (
            replace(SENDER, mailings=(CLICK,), tracking_url="http://links.example.com"),
            "fails",
            "unsubscribe",
            "only follow https",
        ),
        (replace(SENDER, tracking_url="http://links.example.com"), "warns", "tracking", "is not https"),
        (replace(SENDER, tracking_url="https://links.example.net"), "warns", "tracking", "not below example.com"),
        (replace(SENDER, tracking_url="https://93.184.215.14"), "warns", "tracking", "not below example.com"),
    ],
)
async def test_senders(sender: Sender, severity: Severity, check: Check, part: str) -> None:
    findings = await examined(sender)
    assert told(findings, severity, check, part), "\n".join(lines(findings))


@pytest.mark.parametrize(
    ("bits", "severity"), [(1024, "warns"), (2048, "ok")], ids=["1024 bits warns", "2048 bits is ok"]
)
async def test_length_of_the_key(bits: int, severity: Severity) -> None:
    made = key(public=rsa(bits))
    findings = await examined(replace(SENDER, keys=(made,)), {S1: record(made)})
    assert told(findings, severity, "dkim", f"{bits} bits")


async def test_a_key_that_many_receivers_do_not_know() -> None:
    made = key(algorithm="ed25519")
    findings = await examined(replace(SENDER, keys=(made,)), {S1: record(made)})
    assert told(findings, "warns", "dkim", "Ed25519, which many")


async def test_the_policy_of_the_organisation_counts_below_it() -> None:
    sender = replace(SENDER, domain="shop.example.com", keys=(), return_domain="shop.example.com")
    inherited: Table = {DMARC: ["v=DMARC1; p=reject; sp=quarantine; rua=mailto:a@b"]}
    inherited["shop.example.com", "TXT"] = [f"v=spf1 ip4:{OUT} -all"]
    findings = await examined(sender, inherited)
    assert told(findings, "ok", "dmarc", "_dmarc.example.com asks receivers for p=quarantine")
    assert told(findings, "warns", "dmarc", "passes DMARC by SPF alone")


@pytest.mark.parametrize(
    ("tls", "severity", "part"),
    [
        (HostTls(), "warns", "offers no TLS"),
        (HostTls(offered=True, certificate="certificate has expired"), "warns", "certificate has expired"),
        (HostTls(unreachable="refused"), "not checked", "can't be reached from here (refused)"),
    ],
)
async def test_tls_of_the_hosts_that_take_replies(tls: HostTls, severity: Literal["warns"], part: str) -> None:
    assert told(await examined(tls=tls), severity, "tls", part)


@pytest.mark.parametrize(
    ("policy", "part"),
    [
        (NoPolicy("sts-policy-fetch-error", "no answer"), "can't be had: no answer"),
        (StsPolicy("testing", ("other.example.com",), 60), "does not name mx.example.com"),
    ],
)
async def test_mta_sts_of_the_domain(policy: StsPolicy | NoPolicy, part: str) -> None:
    announced: Table = {("_mta-sts.example.com", "TXT"): ["v=STSv1; id=1;"]}
    assert told(await examined(table=announced, policy=policy), "warns", "tls", part)


async def test_the_tracking_domain_is_looked_at() -> None:
    findings = await examined(tracking="the certificate of links.example.com is not good: expired")
    assert told(findings, "warns", "tracking", "not good: expired")
    assert counts(findings)["warns"] == 1


async def test_attack_hosts_in_private_networks_are_not_looked_at() -> None:
    async def host(_host: str, address: str) -> HostTls:
        raise AssertionError(f"connected to {address}")

    async def fetch(_domain: str) -> StsPolicy | NoPolicy:
        raise AssertionError

    async def look() -> str:
        return ""

    zone = Zone(TABLE | {("mx.example.com", "A"): ["127.0.0.1"]})
    findings = await examine(SENDER, Instruments(zone, Looks(host, fetch), look, organisation))
    assert told(findings, "not checked", "tls", "not on the public internet")


async def test_each_question_is_asked_once() -> None:
    class Strict(Zone):
        """Counts by question."""

        def _find(self, name: str, kind: str) -> object:  # type: ignore[override]
            assert (name, kind) not in seen
            seen.add((name, kind))
            return super()._find(name, kind)

    seen: set[tuple[str, str]] = set()

    async def host(_host: str, _address: str) -> HostTls:
        return HostTls(offered=True)

    async def fetch(_domain: str) -> StsPolicy | NoPolicy:
        return NoPolicy("sts-policy-fetch-error", "")

    async def look() -> str:
        return ""

    await examine(SENDER, Instruments(Strict(TABLE), Looks(host, fetch), look, organisation))
    assert (OUT, "PTR") in seen


async def test_attack_records_that_speak_to_the_terminal() -> None:
    findings = await examined(
        table={SPF: ["v=spf1 \x1b]0;owned\x07\x1b[2J -all"], DMARC: ["v=DMARC1; p=\x1b[2J" + "x" * 9999]}
    )
    shown = lines(findings)
    assert any("owned" in line for line in shown)
    assert all(line.isprintable() for line in shown)
    assert max(map(len, shown)) < 700
