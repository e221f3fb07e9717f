"""The group commit: arrivals during a commit share the next one, and every answer is true."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

import pytest

from postroom.inbound.smtp_grammar import Arrival
from postroom.sandbox import capture
from postroom.sandbox.capture import Capture
from postroom.sandbox.mailbox import Incoming, Mailbox

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


class SlowMailbox:
    """Commits when it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.begun = asyncio.Event()
        self.outcomes: asyncio.Queue[Exception | None] = asyncio.Queue()
        self._next = 1

    async def store(self, mails: Sequence[Incoming]) -> list[int]:
        self.batches.append([mail.arrival.raw for mail in mails])
        self.begun.set()
        outcome = await self.outcomes.get()
        if outcome is not None:
            raise outcome
        first, self._next = self._next, self._next + len(mails)
        return list(range(first, self._next))


async def started(mailbox: SlowMailbox) -> tuple[Capture, asyncio.Task[None]]:
    taking = Capture(cast(Mailbox, mailbox), now=lambda: NOW)
    return taking, asyncio.create_task(taking.run())


def mail(raw: bytes) -> Arrival:
    return Arrival("a@example.com", ("b@example.com",), raw)


async def test_arrivals_during_a_commit_are_committed_together() -> None:
    mailbox = SlowMailbox()
    taking, task = await started(mailbox)
    answers: list[int | None] = []
    taking.submit(mail(b"1"), answers.append)
    await mailbox.begun.wait()
    for raw in (b"2", b"3", b"4"):
        taking.submit(mail(raw), answers.append)
    assert taking.waiting == 3
    assert answers == []
    mailbox.outcomes.put_nowait(None)
    mailbox.outcomes.put_nowait(None)
    taking.stop()
    await task
    assert mailbox.batches == [[b"1"], [b"2", b"3", b"4"]]
    assert answers == [1, 2, 3, 4]


async def test_a_failed_commit_is_answered_as_not_stored_and_the_next_goes_on() -> None:
    mailbox = SlowMailbox()
    taking, task = await started(mailbox)
    answers: list[int | None] = []
    taking.submit(mail(b"1"), answers.append)
    await mailbox.begun.wait()
    taking.submit(mail(b"2"), answers.append)
    mailbox.outcomes.put_nowait(ConnectionRefusedError("database away"))
    mailbox.outcomes.put_nowait(None)
    taking.stop()
    await task
    assert answers == [None, 1]


async def test_a_batch_is_bounded_in_bytes_and_mails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "BATCH_BYTES", 10)
    monkeypatch.setattr(capture, "BATCH_MESSAGES", 3)
    mailbox = SlowMailbox()
    taking = Capture(cast(Mailbox, mailbox), now=lambda: NOW)
    answers: list[int | None] = []
    for raw in (b"x" * 20, b"x" * 6, b"x" * 6, b"1", b"2", b"3", b"4"):
        taking.submit(mail(raw), answers.append)
        mailbox.outcomes.put_nowait(None)
    taking.stop()
    await taking.run()
    assert [len(batch) for batch in mailbox.batches] == [1, 1, 3, 2]
    assert len(answers) == 7
