"""The mailbox keeps the newest mails within its limits, and its totals are true."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.scenarios.sandbox.conftest import running

from postroom.inbound.smtp_grammar import Arrival
from postroom.sandbox.mailbox import Incoming, Limits, Mailbox, MailFilter
from postroom.store.pool import Pool


def mails(*sizes: int) -> list[Incoming]:
    return [Incoming(Arrival("", ("b@example.com",), b"x" * size), datetime.now(UTC)) for size in sizes]


async def kept(mailbox: Mailbox, pool: Pool) -> list[int]:
    """The ids that are there, oldest first; the totals must agree."""
    row = await pool.fetchrow("select count(*) as messages, coalesce(sum(size), 0)::bigint as bytes from captured_mail")
    assert row is not None
    total = await mailbox.total()
    assert (total.messages, total.bytes) == (row["messages"], row["bytes"])
    return [entry.capture_id for entry in reversed(await mailbox.find(MailFilter(), limit=10_000))]


async def test_the_oldest_go_first_when_there_are_too_many(pool: Pool) -> None:
    mailbox = Mailbox(pool, Limits(messages=5))
    ids = await mailbox.store(mails(*[10] * 4))
    assert await kept(mailbox, pool) == ids
    ids += await mailbox.store(mails(10, 10, 10))
    assert await kept(mailbox, pool) == ids[-5:]
    ids += await mailbox.store(mails(*[10] * 12))
    assert await kept(mailbox, pool) == ids[-5:]


async def test_the_oldest_go_first_when_they_are_too_large(pool: Pool) -> None:
    mailbox = Mailbox(pool, Limits(bytes=1000))
    ids = await mailbox.store(mails(400, 300, 300))
    assert await kept(mailbox, pool) == ids
    ids += await mailbox.store(mails(1))
    assert await kept(mailbox, pool) == ids[1:]
    ids += await mailbox.store(mails(1000))
    assert await kept(mailbox, pool) == ids[-1:]


async def test_lowered_limits_take_effect_with_the_next_mail(pool: Pool) -> None:
    await Mailbox(pool, Limits()).store(mails(*[1] * 2500))
    mailbox = Mailbox(pool, Limits(messages=10))
    (last,) = await mailbox.store(mails(1))
    assert await kept(mailbox, pool) == list(range(last - 9, last + 1))


async def test_deleting_keeps_the_totals_true(pool: Pool) -> None:
    mailbox = Mailbox(pool, Limits())
    first, second, third = await mailbox.store(mails(10, 20, 30))
    assert await mailbox.delete(second)
    assert not await mailbox.delete(second)
    assert await kept(mailbox, pool) == [first, third]
    assert await mailbox.delete_all() == 2
    assert await mailbox.delete_all() == 0
    assert await kept(mailbox, pool) == []


async def test_a_mail_there_is_no_room_for_is_answered_552(pool: Pool) -> None:
    for limits in (Limits(message_bytes=1000), Limits(bytes=1000)):
        async with running(Mailbox(pool, limits)) as sandbox:
            answer = await sandbox.dialogue(
                b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n", b"x" * 1001 + b"\r\n.\r\nQUIT\r\n"
            )
            assert b"\r\n552 5.3.4 " in answer
            assert (await sandbox.mailbox.total()).messages == 0


def test_limits_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="must be 1 or more"):
        Limits(messages=0)
