"""A peer that wants one command at a time, and one that knows HELO only."""

from __future__ import annotations

import pytest
from tests.scenarios.smtp.mailroom import BODY, Parcel, mailroom
from tests.scenarios.smtp.peer import Peer

from postroom.delivery.outcome import Refused, Sent

STEPS = """\
C: MAIL FROM:<bounce@shop.example.com>
S: 250 a
C: RCPT TO:<ann@example.com>
S: 250 b
C: DATA
S: 354 c
BODY
S: 250 2.0.0 queued
"""


@pytest.mark.parametrize(
    "hello",
    [
        "S: 220 hi\nC: EHLO me.example.com\nS: 250 peer\n",
        "S: 220 hi\nC~ EHLO\nS: 502 what\nC: HELO me.example.com\nS: 250 hi\n",
    ],
)
async def test_step_by_step(hello: str) -> None:
    async with Peer(hello + STEPS + STEPS + "SILENCE") as peer, mailroom(peer.port) as room:
        outcomes = await room.deliver(Parcel(), Parcel())
        assert [type(outcome) for outcome in outcomes] == [Sent, Sent]
    assert peer.bodies == [BODY + b".\r\n"] * 2


async def test_a_refusal_is_reset_and_the_connection_used_again() -> None:
    refusal = "C~ MAIL\nS: 250 a\nC~ RCPT\nS: 550 5.1.1 no such user\nC: RSET\nS: 250 c\n"
    script = "S: 220 hi\nC~ EHLO\nS: 250 peer\n" + refusal + STEPS + "SILENCE"
    async with Peer(script) as peer, mailroom(peer.port) as room:
        first, second = await room.deliver(Parcel(), Parcel())
        assert isinstance(first, Refused)
        assert first.text == "550 5.1.1 no such user"
        assert isinstance(second, Sent)
