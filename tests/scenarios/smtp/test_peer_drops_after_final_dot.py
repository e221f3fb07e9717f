"""The peer takes the whole message and vanishes before it answers: nobody knows whether it has it."""

from __future__ import annotations

import pytest
from tests.scenarios.smtp.mailroom import BODY, Parcel, mailroom
from tests.scenarios.smtp.peer import HELLO, MAIL, Peer

from postroom.delivery.outcome import Deferred, Unknown


@pytest.mark.parametrize("ending", ["CLOSE", "RESET", "S-: 250 2.0.0 queu\nCLOSE", "S: Ok, thanks!\nSILENCE"])
async def test_the_outcome_is_unknown(ending: str) -> None:
    async with Peer(HELLO + MAIL + ending) as peer, mailroom(peer.port) as room:
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Unknown)
        assert outcome.stage == "final"
        assert outcome.address == f"127.0.0.1:{peer.port}"
    assert peer.bodies == [BODY + b".\r\n"]


async def test_before_the_message_was_asked_for_it_is_only_deferred() -> None:
    script = HELLO + "C~ MAIL\nC~ RCPT\nC: DATA\nS: 250 sender\nS: 250 recipient\nCLOSE"
    async with Peer(script) as peer, mailroom(peer.port) as room:
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Deferred)
        assert outcome.stage == "data"


async def test_a_large_message_that_never_left_whole_is_deferred() -> None:
    huge = BODY + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 700_000
    script = HELLO + MAIL.replace("BODY", "C~ From:") + "RESET"
    async with Peer(script) as peer, mailroom(peer.port) as room:
        (outcome,) = await room.deliver(Parcel(data=huge))
        assert isinstance(outcome, Deferred)
        assert outcome.stage == "body"
