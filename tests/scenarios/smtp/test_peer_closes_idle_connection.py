"""The peer closes a connection that lies idle; the next message must not pay for it."""

from __future__ import annotations

import pytest
from tests.scenarios.smtp.mailroom import Parcel, mailroom
from tests.scenarios.smtp.peer import GOODBYE, HELLO, MAIL, Peer

from postroom.delivery.outcome import Deferred, Sent
from postroom.delivery.smtp.timeouts import Timeouts

ONE = HELLO + MAIL + "S: 250 2.0.0 queued\n"


@pytest.mark.parametrize(
    "second_mail",
    [
        "C~ MAIL\nCLOSE",
        "C~ MAIL\nRESET",
        "C~ MAIL\nS: 421 4.4.2 you were idle for too long\nCLOSE",
        "C~ MAIL\nSILENCE",
    ],
)
async def test_the_message_goes_out_on_a_fresh_connection(second_mail: str) -> None:
    timeouts = Timeouts(mail=0.3)
    async with (
        Peer(ONE + second_mail, ONE + GOODBYE) as peer,
        mailroom(peer.port, timeouts=timeouts) as room,
    ):
        await room.deliver(Parcel())
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Sent)
    assert peer.connections == 2


async def test_it_is_put_back_once_only() -> None:
    async with (
        Peer(ONE + "C~ MAIL\nCLOSE", HELLO + "C~ MAIL\nCLOSE") as peer,
        mailroom(peer.port) as room,
    ):
        await room.deliver(Parcel())
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Deferred)
        assert outcome.stage == "mail"


async def test_a_fresh_connection_that_drops_the_first_message_has_had_its_attempt() -> None:
    async with Peer(HELLO + "C~ MAIL\nCLOSE") as peer, mailroom(peer.port) as room:
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Deferred)


async def test_once_an_answer_came_it_was_an_attempt() -> None:
    script = ONE + "C~ MAIL\nS: 250 sender\nCLOSE"
    async with Peer(script) as peer, mailroom(peer.port) as room:
        await room.deliver(Parcel())
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Deferred)
        assert outcome.stage == "rcpt"


async def test_an_idle_connection_is_ended_politely() -> None:
    async with Peer(ONE + GOODBYE, ONE + GOODBYE) as peer, mailroom(peer.port, idle_seconds=0.05) as room:
        await room.deliver(Parcel())
        await peer.ended.wait()
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Sent)
    assert peer.lines[0][-1] == "QUIT"
    assert peer.connections == 2


async def test_a_connection_is_renewed_after_its_number_of_messages() -> None:
    async with (
        Peer(ONE + MAIL + "S: 250 two\n" + GOODBYE, repeat=True) as peer,
        mailroom(peer.port, max_messages=2) as room,
    ):
        outcomes = await room.deliver(*(Parcel() for _ in range(6)))
        assert all(isinstance(outcome, Sent) for outcome in outcomes)
    assert peer.connections == 3
