"""The recipient is refused and the cc is not: nobody gets a mail that its recipient did not get."""

from __future__ import annotations

import pytest
from tests.scenarios.smtp.mailroom import BODY, Parcel, mailroom
from tests.scenarios.smtp.peer import HELLO, MAIL, Peer

from postroom.delivery.outcome import Attempt, Deferred, Refused, Sent


@pytest.mark.parametrize(("answer", "kind"), [("550 5.1.1 nobody", Refused), ("450 4.2.1 busy", Deferred)])
async def test_the_first_recipient_decides(answer: str, kind: type[Attempt]) -> None:
    script = f"C~ MAIL\nC~ RCPT\nC~ RCPT\nS: 250 sender\nS: {answer}\nS: 250 cc\nC: RSET\nS: 250 reset\n"
    async with (
        Peer(HELLO + script + MAIL + "S: 250 queued\nSILENCE") as peer,
        mailroom(peer.port) as room,
    ):
        first, second = await room.deliver(Parcel(("ann@example.com", "boss@example.com")), Parcel())
        assert isinstance(first, kind)
        assert (first.text, first.stage) == (answer, "rcpt")
        assert isinstance(second, Sent)
    assert peer.bodies == [BODY + b".\r\n"]
