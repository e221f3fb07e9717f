"""421 may come at any time: the message is deferred, the connection is given up, the next one is fine."""

from __future__ import annotations

import pytest
from tests.scenarios.smtp.mailroom import Parcel, mailroom
from tests.scenarios.smtp.peer import HELLO, MAIL, Peer

from postroom.delivery.outcome import Deferred, Sent

GOOD = HELLO + MAIL + "S: 250 2.0.0 queued\nSILENCE"
BYE = "S: 421 4.3.2 shutting down\n"
ENVELOPE = HELLO + "C~ MAIL\nC~ RCPT\nC: DATA\n"


@pytest.mark.parametrize(
    ("script", "stage"),
    [
        (ENVELOPE + BYE, "mail"),
        (ENVELOPE + "S: 250 a\n" + BYE, "rcpt"),
        (ENVELOPE + "S: 250 a\nS: 250 b\n" + BYE, "data"),
        (HELLO + MAIL + BYE, "final"),
    ],
)
async def test_the_message_is_deferred_and_the_next_goes_out_on_a_new_connection(script: str, stage: str) -> None:
    async with Peer(script, GOOD) as peer, mailroom(peer.port) as room:
        first, second = await room.deliver(Parcel(), Parcel())
        assert isinstance(first, Deferred)
        assert (first.code, first.enhanced, first.stage) == (421, "4.3.2", stage)
        assert isinstance(second, Sent)
        assert room.pool.available


async def test_said_to_an_idle_connection_it_costs_nothing() -> None:
    idle = HELLO + MAIL + "S: 250 queued\n" + BYE
    async with Peer(idle, GOOD) as peer, mailroom(peer.port) as room:
        await room.deliver(Parcel())
        await peer.ended.wait()
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Sent)
