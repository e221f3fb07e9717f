"""What certificates may be like, what is kept of them, and that no handshake holds the others up."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta

import pytest
from tests.scenarios.authority import DAY, Authority, Identity
from tests.scenarios.smtp.mailroom import Parcel, mailroom
from tests.scenarios.smtp.peer import MAIL, Peer

from postroom.delivery.outcome import Certificate, Deferred, Sent
from postroom.delivery.smtp.target import SmtpTarget, TlsMode
from postroom.delivery.smtp.timeouts import Timeouts

OFFER = "S: 220 hi\nC~ EHLO\nS: 250-peer\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\n"
INSIDE = "TLS\nC~ EHLO\nS: 250-peer\nS: 250 PIPELINING\n" + MAIL + "S: 250 2.0.0 queued\nSILENCE"


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Whom the client trusts."""
    return Authority()


async def test_the_facts_of_a_certificate_are_in_the_outcome(authority: Authority) -> None:
    identity = authority.issue("127.0.0.1", common_name="mx.example.com")
    async with (
        Peer(OFFER + INSIDE, tls=identity.server()) as peer,
        mailroom(SmtpTarget("127.0.0.1", peer.port, TlsMode.VERIFY), context=authority.trusting()) as room,
    ):
        (outcome,) = await room.deliver(Parcel())
    assert isinstance(outcome, Sent)
    assert outcome.certificate == Certificate(
        "webpki",
        hashlib.sha256(identity.der).hexdigest(),
        "CN=mx.example.com",
        "CN=Test Authority",
        identity.certificate.not_valid_after_utc.date().isoformat(),
    )


async def test_a_certificate_that_was_not_verified_says_so(authority: Authority) -> None:
    async with (
        Peer(OFFER + INSIDE, tls=authority.issue("elsewhere.test").server()) as peer,
        mailroom(SmtpTarget("127.0.0.1", peer.port, TlsMode.REQUIRED)) as room,
    ):
        (outcome,) = await room.deliver(Parcel())
    assert isinstance(outcome, Sent)
    assert outcome.certificate is not None
    assert outcome.certificate.verified == "none"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [("expired", "expired"), ("early", "not yet valid"), ("host", "mismatch"), ("stranger", "unable to get local")],
)
async def test_a_certificate_that_is_wrong_gets_no_mail_where_it_is_verified(
    authority: Authority, wrong: str, reason: str
) -> None:
    identity: Identity = {
        "expired": lambda: authority.issue("127.0.0.1", valid=(-DAY, timedelta(hours=-1))),
        "early": lambda: authority.issue("127.0.0.1", valid=(timedelta(hours=1), DAY)),
        "host": lambda: authority.issue("127.0.0.2", "mx.example.com"),
        "stranger": lambda: Authority("Stranger").issue("127.0.0.1"),
    }[wrong]()
    async with (
        Peer(OFFER + "TLS\n", tls=identity.server(), repeat=True) as peer,
        mailroom(SmtpTarget("127.0.0.1", peer.port, TlsMode.VERIFY), context=authority.trusting()) as room,
    ):
        (outcome,) = await room.deliver(Parcel())
    assert isinstance(outcome, Deferred)
    assert reason in outcome.text
    assert peer.bodies == []


HOSTILE = [
    "\r\n250 ok\r\nMAIL FROM:<evil@example.com>",
    "mx.example.com\0.evil.test",
    "\x1b[31mred\u202egnp.exe",
    "'; drop table event; --",
    "\ud83d\ude00 ünïcödé " * 3,
]


@pytest.mark.parametrize("name", HOSTILE)
async def test_attack_hostile_names_in_a_certificate_are_kept_printable_and_short(
    authority: Authority, name: str
) -> None:
    name = name.encode("utf-16", "surrogatepass").decode("utf-16")[:64]
    async with (
        Peer(OFFER + INSIDE, tls=authority.issue("*.test", common_name=name).server()) as peer,
        mailroom(SmtpTarget("127.0.0.1", peer.port)) as room,
    ):
        (outcome,) = await room.deliver(Parcel())
    assert isinstance(outcome, Sent)
    assert outcome.certificate is not None
    assert outcome.certificate.subject.isprintable()
    assert 0 < len(outcome.certificate.subject) <= 200


async def test_attack_a_null_byte_in_a_name_does_not_pass_for_the_name_before_it(authority: Authority) -> None:
    identity = authority.issue("127.0.0.1\0.evil.test", common_name="127.0.0.1")
    async with (
        Peer(OFFER + "TLS\n", tls=identity.server(), repeat=True) as peer,
        mailroom(SmtpTarget("127.0.0.1", peer.port, TlsMode.VERIFY), context=authority.trusting()) as room,
    ):
        (outcome,) = await room.deliver(Parcel())
    assert isinstance(outcome, Deferred)
    assert peer.bodies == []


async def test_attack_a_handshake_that_never_ends_is_given_up(authority: Authority) -> None:
    async with (
        Peer(OFFER + "READ\nSILENCE", repeat=True) as peer,
        mailroom(SmtpTarget("127.0.0.1", peer.port, TlsMode.REQUIRED), timeouts=Timeouts(tls=0.3)) as room,
    ):
        async with asyncio.timeout(5):
            (outcome,) = await room.deliver(Parcel())
    assert isinstance(outcome, Deferred)
    assert room.failures[0][0].stage == "starttls"


async def test_attack_garbage_in_place_of_a_handshake(authority: Authority) -> None:
    async with (
        Peer(OFFER + "READ\nS: \x16\x03\x01\x02\nCLOSE", repeat=True) as peer,
        mailroom(SmtpTarget("127.0.0.1", peer.port, TlsMode.REQUIRED)) as room,
    ):
        (outcome,) = await room.deliver(Parcel())
    assert isinstance(outcome, Deferred)
    assert "TLS failed" in outcome.text
