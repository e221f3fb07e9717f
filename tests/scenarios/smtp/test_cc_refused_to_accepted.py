"""The cc is refused and the recipient is not: the mail is sent, and who was left out is recorded."""

from __future__ import annotations

from tests.scenarios.smtp.mailroom import BODY, Parcel, mailroom
from tests.scenarios.smtp.peer import HELLO, Peer

from postroom.delivery.outcome import Sent

SCRIPT = (
    HELLO
    + """\
C~ MAIL
C: RCPT TO:<ann@example.com>
C: RCPT TO:<boss@example.com>
C: RCPT TO:<archive@example.com>
S: 250 2.1.0 sender
S: 250 2.1.5 ann
S: 550 5.1.1 no boss here
S: 250 2.1.5 archive
C: DATA
S: 354 go
BODY
S: 250 2.0.0 queued
SILENCE
"""
)


async def test_the_mail_is_sent_to_the_others() -> None:
    async with Peer(SCRIPT) as peer, mailroom(peer.port) as room:
        people = ("ann@example.com", "boss@example.com", "archive@example.com")
        (outcome,) = await room.deliver(Parcel(people))
        assert isinstance(outcome, Sent)
        assert outcome.refused_recipients == (("boss@example.com", "550 5.1.1 no boss here"),)
    assert peer.bodies == [BODY + b".\r\n"]
