"""``localhost`` has an IPv6 and an IPv4 address and the relay listens on one of them."""

from __future__ import annotations

from tests.scenarios.smtp.mailroom import Parcel, mailroom
from tests.scenarios.smtp.peer import HELLO, Peer

from postroom.delivery.outcome import Sent
from postroom.delivery.smtp.target import SmtpTarget


async def test_the_address_that_answers_is_used() -> None:
    async with Peer(HELLO + "SERVE") as peer, mailroom(SmtpTarget("localhost", peer.port)) as room:
        (outcome,) = await room.deliver(Parcel())
        assert isinstance(outcome, Sent)
        assert (outcome.host, outcome.address) == ("localhost", f"127.0.0.1:{peer.port}")
