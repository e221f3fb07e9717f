"""A peer that stops in the middle of a reply, or dribbles it for ever, holds a message for its time-out only."""

from __future__ import annotations

import pytest
from tests.scenarios.smtp.mailroom import BODY, Parcel, mailroom
from tests.scenarios.smtp.peer import HELLO, MAIL, Peer

from postroom.delivery.outcome import Deferred, Sent, Unknown
from postroom.delivery.smtp.timeouts import Timeouts

SHORT = Timeouts(mail=0.2, rcpt=0.2, data=0.2, final=0.2, reset=0.2, block=0.2, quit=0.2)
ENVELOPE = HELLO + "C~ MAIL\nC~ RCPT\nC: DATA\n"


@pytest.mark.parametrize(
    ("script", "stage"),
    [
        (ENVELOPE + "S-: 25\nSILENCE", "mail"),
        (ENVELOPE + "S: 250 a\nS-: 250-b\nSILENCE", "rcpt"),
        (ENVELOPE + "S: 250 a\nS: 250 b\nS: 354-go\nSILENCE", "data"),
    ],
)
async def test_before_the_final_dot_it_is_deferred(script: str, stage: str) -> None:
    async with Peer(script) as peer, mailroom(peer.port, timeouts=SHORT) as room:
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Deferred)
        assert outcome.stage == stage
        assert "no answer in time (0.2 s)" in outcome.text


async def test_after_the_final_dot_it_is_unknown() -> None:
    async with Peer(HELLO + MAIL + "S-: 250 2.0\nSILENCE") as peer, mailroom(peer.port, timeouts=SHORT) as room:
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Unknown)


async def test_slowloris_attack_of_endless_reply_lines_gains_no_time() -> None:
    dribble = "S: 250-and so on\nWAIT\n" * 40
    async with (
        Peer(HELLO + MAIL + dribble + "S: 250 at last") as peer,
        mailroom(peer.port, timeouts=SHORT) as room,
    ):
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Unknown)


async def test_a_peer_that_reads_nothing_more_of_a_large_message_is_given_up() -> None:
    huge = BODY + (b"y" * 70 + b"\r\n") * 300_000
    script = HELLO + MAIL.replace("BODY", "HOLD")
    async with Peer(script) as peer, mailroom(peer.port, timeouts=SHORT) as room:
        (outcome,) = await room.deliver(Parcel(data=huge))
        assert isinstance(outcome, Deferred)
        assert outcome.stage == "body"


async def test_a_slow_reader_of_a_large_message_is_waited_for_while_it_reads() -> None:
    huge = BODY + (b"y" * 70 + b"\r\n") * 200_000
    script = HELLO + MAIL.replace("BODY", "SLOWLY") + "S: 250 queued\nSILENCE"
    async with Peer(script) as peer, mailroom(peer.port, timeouts=Timeouts(block=0.5)) as room:
        (outcome,) = await room.deliver(Parcel(data=huge))
        assert isinstance(outcome, Sent)
    assert peer.bodies == [huge + b".\r\n"]


async def test_a_reset_that_is_never_answered_holds_nothing_up() -> None:
    refusing = HELLO + "C~ MAIL\nC~ RCPT\nC: DATA\nS: 250 a\nS: 550 b\nS: 503 c\nC: RSET\nSILENCE"
    async with (
        Peer(refusing, HELLO + MAIL + "S: 250 queued\nSILENCE") as peer,
        mailroom(peer.port, timeouts=SHORT) as room,
    ):
        _, second = await room.deliver(Parcel(), Parcel())
        assert isinstance(second, Sent)
