"""The capture mailbox as a listening SMTP server: 250 after the mail is committed, 451 when it could not be.

Recipients in the simulator's domain get what they stand for instead (`simulator`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from postroom.inbound.smtp_grammar import Arrival, Manner, Session
from postroom.inbound.smtp_server import MailServer, ServerLimits, run_server
from postroom.sandbox.capture import Capture
from postroom.sandbox.later_reports import LaterReports
from postroom.sandbox.mailbox import Mailbox
from postroom.sandbox.simulator import Behaviour, Simulator

MANNER = Manner(
    greeting="Postroom sandbox: mail is captured, nothing leaves",
    about="Postroom sandbox: every mail is captured, see the web page",
    auth=True,
)

_NOT_STORED = "451 4.3.0 Not stored: the database is not available. Try again later"


class CaptureDesk:
    """Says what became of each mail. ``reports`` is told of each that was taken."""

    def __init__(self, capture: Capture, simulator: Simulator, reports: LaterReports | None = None) -> None:
        self._capture = capture
        self._simulator = simulator
        self._reports = reports
        self._slow: dict[asyncio.TimerHandle, Callable[[], None]] = {}
        self._stopping = False

    def submit(self, arrival: Arrival, done: Callable[[str], None]) -> None:
        """As `inbound.smtp_server.Desk`."""
        behaviour = self._simulator.final(arrival.recipients)
        if behaviour is not None and behaviour.final is not None:
            refusal = behaviour.final
            asyncio.get_running_loop().call_soon(lambda: done(refusal))
            return

        def stored(capture_id: int | None) -> None:
            if capture_id is None:
                done(_NOT_STORED)
                return
            if self._reports is not None:
                self._reports.about(arrival)
            self._answer(behaviour, f"250 2.0.0 Ok: captured as {capture_id}", done)

        self._capture.submit(arrival, stored)

    def stop(self) -> None:
        """As `inbound.smtp_server.Desk`; who was to wait for an answer gets it now."""
        self._stopping = True
        slow, self._slow = self._slow, {}
        for timer, answer in slow.items():
            timer.cancel()
            answer()
        self._capture.stop()

    async def run(self) -> None:
        """As `inbound.smtp_server.Desk`."""
        await self._capture.run()

    def _answer(self, behaviour: Behaviour | None, reply: str, done: Callable[[str], None]) -> None:
        if behaviour is not None and behaviour.cut:
            done("")
        elif behaviour is None or not behaviour.seconds or self._stopping:
            done(reply)
        else:

            def answer() -> None:
                self._slow.pop(timer, None)
                done(reply)

            timer = asyncio.get_running_loop().call_later(behaviour.seconds, answer)
            self._slow[timer] = answer


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
    reports: LaterReports | None = None,
) -> None:
    """Captures mail on `host`:`port` until `stop` is set; returns after the last commit is answered.

    `listening` is called with the bound address once connections are taken (port 0 takes a free port). `reports`
    lets bounces and complaints come back; it is run and stopped here.
    Raises OSError when the address cannot be bound.
    """
    simulator = Simulator()
    manner = replace(MANNER, refusal=simulator.refusal)
    server = MailServer(
        CaptureDesk(Capture(mailbox, now=now), simulator, reports),
        lambda: Session(hostname, manner, max_message_bytes=mailbox.max_message_bytes),
        limits or ServerLimits(),
    )
    reporting = None if reports is None else asyncio.create_task(reports.run(), name="later-reports")
    try:
        await run_server(host, port, server, stop, listening=listening)
    finally:
        if reports is not None and reporting is not None:
            reports.stop()
            await reporting
