"""STARTTLS: used when offered, verified when asked for, and nothing said before it counts afterwards."""

from __future__ import annotations

import ssl

import pytest
from tests.scenarios.smtp.mailroom import BODY, Parcel, mailroom
from tests.scenarios.smtp.peer import HELLO, MAIL, Peer

from postroom.delivery.outcome import Deferred, Sent
from postroom.delivery.smtp.target import Credentials, SmtpTarget, TlsMode

OFFER = "S: 220 hi\nC~ EHLO\nS: 250-peer\nS: 250 STARTTLS\nC: STARTTLS\n"
INSIDE = "C~ EHLO\nS: 250-peer\nS: 250 PIPELINING\n" + MAIL + "S: 250 2.0.0 queued\nSILENCE"


def target(peer: Peer, tls: TlsMode, credentials: Credentials | None = None) -> SmtpTarget:
    """The peer with this rule."""
    return SmtpTarget("127.0.0.1", peer.port, tls, credentials=credentials)


@pytest.mark.parametrize("tls", [TlsMode.OPPORTUNISTIC, TlsMode.REQUIRED])
async def test_a_self_made_certificate_will_do_unless_it_is_to_be_verified(
    tls: TlsMode, server_tls: ssl.SSLContext
) -> None:
    async with (
        Peer(OFFER + "S: 220 go\nTLS\n" + INSIDE, tls=server_tls) as peer,
        mailroom(target(peer, tls)) as room,
    ):
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Sent)
        assert outcome.tls.startswith("TLSv1.3 TLS_")
    assert peer.bodies == [BODY + b".\r\n"]


async def test_a_certificate_that_is_trusted_passes_verification(
    server_tls: ssl.SSLContext, trusting_tls: ssl.SSLContext
) -> None:
    async with (
        Peer(OFFER + "S: 220 go\nTLS\n" + INSIDE, tls=server_tls) as peer,
        mailroom(target(peer, TlsMode.VERIFY), context=trusting_tls) as room,
    ):
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Sent)


async def test_man_in_the_middle_attack_fails_verification(server_tls: ssl.SSLContext) -> None:
    async with (
        Peer(OFFER + "S: 220 go\nTLS\n", tls=server_tls, repeat=True) as peer,
        mailroom(target(peer, TlsMode.VERIFY, Credentials("ann", "secret"))) as room,
    ):
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Deferred)
        assert "certificate verify failed" in outcome.text
        assert room.failures[0][0].stage == "starttls"
    assert not any("AUTH" in line for lines in peer.lines for line in lines)


async def test_starttls_injection_attack_is_dropped(server_tls: ssl.SSLContext) -> None:
    # The forged answers would say: pipelining, no login, and everything accepted.
    forged = "S: 220 go\nS: 250-evil\nS: 250 PIPELINING\nS: 250 ok\nS: 250 ok\nS: 354 ok\nS: 250 ok\n"
    script = OFFER + forged + "TLS\n" + "C~ EHLO\nS: 250 peer\nC~ MAIL\nS: 550 5.7.1 the true answer\nSILENCE"
    async with (
        Peer(script, tls=server_tls) as peer,
        mailroom(target(peer, TlsMode.OPPORTUNISTIC)) as room,
    ):
        (outcome,) = await room.deliver(Parcel())
        assert outcome.text == "550 5.7.1 the true answer"
        assert outcome.tls
    assert peer.bodies == []


async def test_starttls_stripping_attack_gets_no_mail() -> None:
    async with (
        Peer(HELLO, repeat=True) as peer,
        mailroom(target(peer, TlsMode.REQUIRED)) as room,
    ):
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Deferred)
        assert "STARTTLS" in outcome.text


async def test_broken_tls_gives_way_to_clear_text_where_that_was_allowed() -> None:
    async with (
        Peer(OFFER + "S: 220 go\nREAD\nS: this is not TLS\nSILENCE", HELLO + MAIL + "S: 250 queued\nSILENCE") as peer,
        mailroom(target(peer, TlsMode.OPPORTUNISTIC)) as room,
    ):
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Sent)
        assert outcome.tls == ""
        assert room.failures == [], "the same host took it: nothing was unavailable"


async def test_tls_from_the_first_byte(server_tls: ssl.SSLContext) -> None:
    async with (
        Peer(HELLO + MAIL + "S: 250 queued\nSILENCE", tls=server_tls, implicit=True) as peer,
        mailroom(SmtpTarget("127.0.0.1", peer.port, implicit_tls=True)) as room,
    ):
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Sent)
        assert outcome.tls.startswith("TLSv1.3")


async def test_a_large_message_passes_back_pressure_over_tls(server_tls: ssl.SSLContext) -> None:
    huge = BODY + (b"y" * 70 + b"\r\n") * 50_000
    async with (
        Peer(OFFER + "S: 220 go\nTLS\n" + INSIDE, tls=server_tls) as peer,
        mailroom(target(peer, TlsMode.REQUIRED)) as room,
    ):
        (outcome,) = await room.deliver(Parcel(data=huge))
        assert isinstance(outcome, Sent)
    assert peer.bodies == [huge + b".\r\n"]
