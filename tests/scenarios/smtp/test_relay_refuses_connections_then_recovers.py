"""The relay is down, or does not want us: nothing is taken until a probe gets through."""

from __future__ import annotations

import socket

import pytest
from tests.scenarios.smtp.mailroom import Mailroom, Parcel, mailroom
from tests.scenarios.smtp.peer import HELLO, MAIL, Peer

from postroom.delivery.outcome import Deferred, Sent
from postroom.delivery.smtp.pool import FIRST_BACKOFF
from postroom.delivery.smtp.target import Credentials, SmtpTarget, TlsMode
from postroom.delivery.smtp.timeouts import Timeouts

GOOD = HELLO + MAIL + "S: 250 2.0.0 queued\nSILENCE"


async def expect_unavailable(room: Mailroom, stage: str) -> tuple[Deferred, Parcel]:
    """The parcel taken is deferred, through no fault of its own; the next is not taken (and returned)."""
    first, second = Parcel(), Parcel()
    room.send(first)
    outcome = await first.outcome()
    assert isinstance(outcome, Deferred)
    assert outcome.stage == "connect"
    assert not room.pool.available
    assert room.pool.retry_at is not None
    failure, retry_in = room.failures[0]
    assert failure.stage == stage
    assert retry_in == FIRST_BACKOFF
    room.send(second)
    assert second not in room.taken
    return failure, second


async def test_nothing_listens_and_then_it_does() -> None:
    peer = Peer(GOOD)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        peer.port = free.getsockname()[1]
    async with mailroom(peer.port, size=4) as room:
        failure, second = await expect_unavailable(room, "connect")
        assert failure.code is None
        assert f"127.0.0.1 port {peer.port}" in failure.text
        await peer.listen()
        await room.available.wait()
        assert isinstance(await second.outcome(), Sent)
        assert room.pool.available
        assert room.pool.retry_at is None
    await peer.stop()
    assert peer.faults == []


@pytest.mark.parametrize(
    ("script", "stage", "code"),
    [
        ("S: 421 4.3.2 too busy", "greeting", 421),
        ("S: 554 5.7.1 you are not welcome", "greeting", 554),
        ("S: 220 hi\nC~ EHLO\nS: 450 not now", "ehlo", 450),
        ("S: 220 hi\nC~ EHLO\nS: 502 what?\nC~ HELO\nS: 550 no", "ehlo", 550),
        ("CLOSE", "greeting", None),
        ("S: SSH-2.0-OpenSSH_9.2\nSILENCE", "greeting", None),
        ("SILENCE", "greeting", None),
    ],
)
async def test_a_handshake_that_fails(script: str, stage: str, code: int | None) -> None:
    async with (
        Peer(script, GOOD) as peer,
        mailroom(peer.port, timeouts=Timeouts(greeting=0.3)) as room,
    ):
        failure, second = await expect_unavailable(room, stage)
        assert failure.code == code
        await room.available.wait()
        assert isinstance(await second.outcome(), Sent)


async def test_a_refused_login() -> None:
    script = "S: 220 hi\nC~ EHLO\nS: 250-peer\nS: 250 AUTH PLAIN\nC~ AUTH PLAIN\nS: 535 5.7.8 no"
    async with Peer(script, repeat=True) as peer:
        target = SmtpTarget(
            "127.0.0.1", peer.port, TlsMode.OFF, credentials=Credentials("ann", "wrong"), cleartext_auth=True
        )
        async with mailroom(target) as room:
            failure, _ = await expect_unavailable(room, "auth")
            assert (failure.code, failure.enhanced) == (535, "5.7.8")


async def test_a_name_that_does_not_resolve() -> None:
    async with mailroom(SmtpTarget("no-such-host.invalid", 25)) as room:
        failure, _ = await expect_unavailable(room, "connect")
        assert "no-such-host.invalid" in failure.text


async def test_probes_come_one_at_a_time_and_further_and_further_apart() -> None:
    async with Peer("S: 421 busy", "S: 421 busy", GOOD) as peer, mailroom(peer.port, size=8) as room:
        await expect_unavailable(room, "greeting")
        await room.available.wait()
        assert [retry_in for _, retry_in in room.failures] == [0.5, 1.0]
        assert peer.connections == 3
