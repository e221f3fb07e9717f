"""The capture mailbox as a listening SMTP server: 250 after the mail is committed, 451 when it could not be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from postroom.inbound.smtp_grammar import Arrival, Manner, Session
from postroom.inbound.smtp_server import MailServer, ServerLimits, run_server
from postroom.sandbox.capture import Capture
from postroom.sandbox.mailbox import Mailbox

MANNER = Manner(
    greeting="Postroom sandbox: mail is captured, nothing leaves",
    about="Postroom sandbox: every mail is captured, see the web page",
    auth=True,
)


class CaptureDesk:
    """Says what became of each mail."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self.run = capture.run
        self.stop = capture.stop

    def submit(self, arrival: Arrival, done: Callable[[str], None]) -> None:
        """As `inbound.smtp_server.Desk`."""

        def stored(capture_id: int | None) -> None:
            if capture_id is None:
                done("451 4.3.0 Not stored: the database is not available. Try again later")
            else:
                done(f"250 2.0.0 Ok: captured as {capture_id}")

        self._capture.submit(arrival, stored)


async def run_mailbox(
    host: str,
    port: int,
    mailbox: Mailbox,
    stop: asyncio.Event,
    *,
    hostname: str = "postroom.localhost",
    limits: ServerLimits | None = None,
    listening: Callable[[str, int], None] | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Captures mail on `host`:`port` until `stop` is set; returns after the last commit is answered.

    `listening` is called with the bound address once connections are taken (port 0 takes a free port).
    Raises OSError when the address cannot be bound.
    """
    server = MailServer(
        CaptureDesk(Capture(mailbox, now=now)),
        lambda: Session(hostname, MANNER, max_message_bytes=mailbox.max_message_bytes),
        limits or ServerLimits(),
    )
    await run_server(host, port, server, stop, listening=listening)
