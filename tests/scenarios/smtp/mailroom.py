"""A pool with its jobs, as the claim loop would run it, for tests."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from postroom.delivery.outcome import Deferred, Outcome
from postroom.delivery.smtp.pool import SmtpPool
from postroom.delivery.smtp.target import SmtpTarget
from postroom.delivery.smtp.timeouts import Timeouts

BODY = b"From: shop@example.com\r\nSubject: Your order\r\n\r\nIt is on its way.\r\n"


class Parcel:
    """One job; remembers every outcome it was given."""

    def __init__(self, recipients: Sequence[str] = ("ann@example.com",), data: bytes = BODY) -> None:
        self.sender = "bounce@shop.example.com"
        self.recipients = recipients
        self.data = data
        self.smtputf8 = False
        self.first_decides = True
        self.outcomes: list[Outcome] = []
        self._done = asyncio.Event()

    def finish(self, outcome: Outcome) -> None:
        """Remember it."""
        self.outcomes.append(outcome)
        self._done.set()

    async def outcome(self) -> Outcome:
        """Wait for the outcome."""
        await asyncio.wait_for(self._done.wait(), 20)
        return self.outcomes[0]


class Mailroom:
    """The waiting parcels, and what the pool has said about its target."""

    def __init__(self) -> None:
        self.waiting: deque[Parcel] = deque()
        self.taken: list[Parcel] = []
        self.failures: list[tuple[Deferred, float]] = []
        self.unavailable = asyncio.Event()
        self.available = asyncio.Event()
        self.pool: SmtpPool

    def take(self) -> Parcel | None:
        """The next parcel."""
        if not self.waiting:
            return None
        parcel = self.waiting.popleft()
        self.taken.append(parcel)
        return parcel

    def send(self, *parcels: Parcel) -> None:
        """Add parcels and say so."""
        self.waiting.extend(parcels)
        self.pool.wake()

    async def deliver(self, *parcels: Parcel) -> list[Outcome]:
        """Send and wait for all outcomes."""
        self.send(*parcels)
        return [await parcel.outcome() for parcel in parcels]

    def on_unavailable(self, outcome: Deferred, retry_in: float) -> None:
        """Remember it."""
        self.failures.append((outcome, retry_in))
        self.unavailable.set()

    def on_available(self) -> None:
        """Remember it."""
        self.available.set()


@asynccontextmanager
async def mailroom(
    target: SmtpTarget | int,
    *,
    size: int = 1,
    timeouts: Timeouts | None = None,
    idle_seconds: float = 10,
    max_messages: int = 1000,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[Mailroom]:
    """A running pool for the target (a number is a port of this machine).

    At the end: every parcel taken has exactly one outcome, and no connection is left.
    """
    room = Mailroom()
    room.pool = SmtpPool(
        target if isinstance(target, SmtpTarget) else SmtpTarget("127.0.0.1", target),
        size=size,
        take=room.take,
        helo="me.example.com",
        on_unavailable=room.on_unavailable,
        on_available=room.on_available,
        idle_seconds=idle_seconds,
        max_messages_per_connection=max_messages,
        timeouts=timeouts,
        context=context,
        rand=lambda: 0.5,
    )
    try:
        yield room
    finally:
        await asyncio.wait_for(room.pool.close(0.05), 10)
    assert room.pool.connections == 0
    assert [len(parcel.outcomes) for parcel in room.taken] == [1] * len(room.taken)
