"""Statuses that are read together are those that each would get alone."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.conformance.house import ACCOUNT, Hand, House, people

from postroom.delivery.outcome import Sent
from postroom.events import status_reads
from postroom.events.status import message_status, message_statuses
from postroom.events.status_reads import StatusReads


def now() -> datetime:
    return datetime.now(UTC)


async def test_each_gets_its_own_answer_in_its_place(house: House) -> None:
    await house.accept(people(["a", "b"]))
    await Hand(house, "hand").work(lambda message: Sent())
    await house.accept(people(["c"]))
    found = await message_statuses(house.pool, ACCOUNT, ["C", "none", "a", "b", "a"], since_hours=72, now=now())
    assert [status and (status.message_key, status.kind) for status in found] == [
        ("c", "queued"),
        None,
        ("a", "sent"),
        ("b", "sent"),
        ("a", "sent"),
    ]
    assert found[2] == await message_status(house.pool, ACCOUNT, "a", since_hours=72, now=now())
    assert await message_statuses(house.pool, ACCOUNT, [], since_hours=72, now=now()) == []


async def test_many_at_a_time_share_few_queries(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = await house.accept_many(300)
    sizes: list[int] = []

    async def counted(pool: Any, account_id: int, message_keys: Sequence[str], **more: Any) -> Any:
        sizes.append(len(message_keys))
        return await message_statuses(pool, account_id, message_keys, **more)

    monkeypatch.setattr(status_reads, "message_statuses", counted)
    reads = StatusReads(house.pool, since_hours=72, now=now)
    found = await asyncio.gather(*(reads.status(ACCOUNT, key) for key in keys), reads.status(200, keys[0]))
    assert [status and status.message_key for status in found] == [*keys, None]
    assert sum(sizes) == 301
    assert len(sizes) <= 8


async def test_a_reader_that_goes_away_disturbs_nobody(house: House) -> None:
    (key,) = await house.accept_many(1)
    reads = StatusReads(house.pool, since_hours=72, now=now)
    gone = asyncio.create_task(reads.status(ACCOUNT, key))
    stays = asyncio.create_task(reads.status(ACCOUNT, key))
    await asyncio.sleep(0)
    gone.cancel()
    status = await stays
    assert status is not None
    assert status.kind == "queued"


async def test_an_error_reaches_all_and_the_next_read_tries_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key,) = await house.accept_many(1)
    reads = StatusReads(house.pool, since_hours=72, now=now)

    async def away(*_: Any, **__: Any) -> Any:
        raise OSError("away")

    with monkeypatch.context() as broken:
        broken.setattr(status_reads, "message_statuses", away)
        found = await asyncio.gather(*(reads.status(ACCOUNT, key) for _ in range(5)), return_exceptions=True)
    assert [str(error) for error in found] == ["away"] * 5
    assert await reads.status(ACCOUNT, key) is not None
