"""The group commit between SMTP connections and the mailbox.

While one batch is being committed the next one gathers, so the more connections are busy the more mails share a
commit. Each mail's answer is given after its commit and tells the truth about it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from postroom.inbound.smtp_grammar import Arrival
from postroom.sandbox.mailbox import Incoming, Mailbox
from postroom.store.isolation import apart
from postroom.store.trouble import DATABASE_TROUBLE, tell_trouble

BATCH_MESSAGES = 1000
BATCH_BYTES = 32 << 20

_log = structlog.get_logger(__name__)


class Capture:
    """Collects arrivals and commits them in batches until `run` is told to stop."""

    def __init__(self, mailbox: Mailbox, *, now: Callable[[], datetime]) -> None:
        self._mailbox = mailbox
        self._now = now
        self._waiting: deque[tuple[Incoming, Callable[[int | None], None]]] = deque()
        self._arrived = asyncio.Event()
        self._stopping = False

    @property
    def waiting(self) -> int:
        """Mails that have arrived and are in no batch yet."""
        return len(self._waiting)

    def submit(self, arrival: Arrival, done: Callable[[int | None], None]) -> None:
        """Takes a mail. `done` is called once: with its id when it is committed, with None when it is not stored."""
        self._waiting.append((Incoming(arrival, self._now()), done))
        self._arrived.set()

    def stop(self) -> None:
        """Lets `run` return once everything submitted so far is answered."""
        self._stopping = True
        self._arrived.set()

    async def run(self) -> None:
        """Commits what arrives; to be run as one task."""
        while not (self._stopping and not self._waiting):
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            batch = self._take()
            for number, (_, done) in zip(await self._commit([mail for mail, _ in batch]), batch, strict=True):
                done(number)

    def _take(self) -> list[tuple[Incoming, Callable[[int | None], None]]]:
        batch = [self._waiting.popleft()]
        size = batch[0][0].size
        while self._waiting and len(batch) < BATCH_MESSAGES and size + self._waiting[0][0].size <= BATCH_BYTES:
            batch.append(self._waiting.popleft())
            size += batch[-1][0].size
        return batch

    async def _commit(self, mails: list[Incoming]) -> list[int | None]:
        numbers: dict[int, int] = {}

        async def store(places: Sequence[int]) -> None:
            numbers.update(zip(places, await self._mailbox.store([mails[place] for place in places]), strict=True))

        try:
            for refused in await apart(range(len(mails)), store):
                tell_trouble(
                    _log, "captured mail not stored", refused.error, sender=mails[refused.place].arrival.sender
                )
        except DATABASE_TROUBLE as problem:
            tell_trouble(_log, "captured mails not stored", problem, mails=len(mails) - len(numbers))
        return [numbers.get(place) for place in range(len(mails))]
