"""A peer takes two recipients at a time: the others get the same mail right after, also over another connection."""

from __future__ import annotations

from tests.scenarios.smtp.mailroom import BODY, Parcel, mailroom
from tests.scenarios.smtp.peer import GOODBYE, HELLO, Peer

from postroom.delivery.outcome import Sent

PEOPLE = tuple(f"{name}@example.com" for name in ("ann", "ben", "cat", "dan", "eve"))
FIRST = """\
C~ MAIL
C: RCPT TO:<ann@example.com>
C: RCPT TO:<ben@example.com>
C: RCPT TO:<cat@example.com>
C: RCPT TO:<dan@example.com>
C: RCPT TO:<eve@example.com>
S: 250 2.1.0 sender
S: 250 2.1.5 ann
S: 250 2.1.5 ben
S: 452 4.5.3 too many recipients
S: 552 too many recipients
S: 452 4.5.3 too many recipients
C: DATA
S: 354 go
BODY
S: 250 2.0.0 queued as 1
"""
SECOND = """\
C~ MAIL
C: RCPT TO:<cat@example.com>
C: RCPT TO:<dan@example.com>
C: RCPT TO:<eve@example.com>
S: 250 2.1.0 sender
S: 550 5.1.1 no cat here
S: 250 2.1.5 dan
S: 452 4.5.3 too many recipients
C: DATA
S: 354 go
BODY
S: 250 2.0.0 queued as 2
"""
THIRD = """\
C~ MAIL
C: RCPT TO:<eve@example.com>
C: DATA
S: 250 2.1.0 sender
S: 250 2.1.5 eve
S: 354 go
BODY
S: 250 2.0.0 queued as 3
"""


async def test_each_gets_the_same_bytes_and_the_mail_one_outcome() -> None:
    async with (
        Peer(HELLO + FIRST + SECOND + GOODBYE, HELLO + THIRD + GOODBYE) as peer,
        mailroom(peer.port, max_messages=2, idle_seconds=0.2) as room,
    ):
        (outcome,) = await room.deliver(Parcel(PEOPLE))
        assert isinstance(outcome, Sent)
        assert outcome.text == "250 2.0.0 queued as 1"
        assert outcome.refused_recipients == (("cat@example.com", "550 5.1.1 no cat here"),)
        await room.pool.close(5)
    assert peer.bodies == [BODY + b".\r\n"] * 3


async def test_the_peer_is_gone_before_the_rest_and_is_sent_the_rest_when_it_is_back() -> None:
    second = SECOND.replace("452 4.5.3 too many", "550 5.1.1 no eve,")
    async with Peer(HELLO + FIRST + "CLOSE", HELLO + second) as peer, mailroom(peer.port) as room:
        (outcome,) = await room.deliver(Parcel(PEOPLE))
        assert isinstance(outcome, Sent)
        assert [recipient for recipient, _ in outcome.refused_recipients] == [PEOPLE[2], PEOPLE[4]]


async def test_the_rest_that_can_not_be_sent_any_more_is_told() -> None:
    async with Peer(HELLO + FIRST + "C~ MAIL\nHOLD") as peer, mailroom(peer.port) as room:
        parcel = Parcel(PEOPLE)
        room.send(parcel)
        await peer.held.wait()
        await room.pool.close(0.05)
        outcome = await parcel.outcome()
        assert isinstance(outcome, Sent)
        told = dict(outcome.refused_recipients)
        assert told.keys() == set(PEOPLE[2:])
        assert "stopping" in told[PEOPLE[2]]
