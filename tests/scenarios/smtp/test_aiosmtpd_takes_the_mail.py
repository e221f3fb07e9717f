"""A real SMTP server that is not ours takes what we send, byte for byte."""

from __future__ import annotations

import asyncio
from typing import Any

from aiosmtpd.smtp import SMTP
from tests.scenarios.smtp.mailroom import BODY, Parcel, mailroom

from postroom.delivery.outcome import Refused, Sent


class Inbox:
    """Keeps what comes; refuses one address."""

    def __init__(self) -> None:
        self.letters: list[tuple[str, list[str], bytes]] = []

    async def handle_RCPT(  # noqa: N802
        self, server: object, session: object, envelope: Any, address: str, options: object
    ) -> str:
        """Named by aiosmtpd."""
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802
        """Named by aiosmtpd."""
        self.letters.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 2.0.0 taken"


async def test_every_kind_of_mail_arrives_as_it_was() -> None:
    inbox = Inbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(inbox, hostname="peer", loop=loop), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    dotted = BODY + b".\r\n..\r\n.hidden\r\n"
    async with mailroom(port, size=3) as room:
        parcels = [Parcel((f"person{number}@example.com",)) for number in range(40)]
        parcels.append(Parcel(("ann@example.com", "nobody@example.com", '"b c"@example.com')))
        parcels.append(Parcel(("dots@example.com",), dotted))
        refused = Parcel(("nobody@example.com",))
        outcomes = await room.deliver(*parcels, refused)
        assert isinstance(outcomes.pop(), Refused)
        assert all(isinstance(outcome, Sent) for outcome in outcomes)
        assert outcomes[40].refused_recipients == (("nobody@example.com", "550 5.1.1 no such user"),)
    server.close()
    await server.wait_closed()
    assert len(inbox.letters) == 42
    bodies = {tuple(people): content for _, people, content in inbox.letters}
    assert bodies[("dots@example.com",)] == dotted
    assert bodies[("person7@example.com",)] == BODY
    assert {sender for sender, _, _ in inbox.letters} == {"bounce@shop.example.com"}
