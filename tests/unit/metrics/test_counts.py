"""Counts on their way into the database."""

import asyncio
from typing import Any, cast

import pytest

from postroom.metrics import counts as module
from postroom.metrics.counts import counting
from postroom.metrics.declared import OUTCOMES
from postroom.store.database import Pool


class SlowPool:
    """Takes what is written when it is told to; a statement that is cut off has added nothing."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.written: list[int] = []

    async def execute(self, _statement: str, *arguments: Any) -> None:
        self.begun.set()
        await self.go_on.wait()
        self.written += arguments[2]


async def test_what_is_being_written_at_the_end_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.001)
    pool = SlowPool()
    async with counting(cast(Pool, pool)) as counts:
        counts.add(OUTCOMES, "sent", by=3)
        await pool.begun.wait()
        counts.add(OUTCOMES, "sent", by=4)
        asyncio.get_running_loop().call_soon(pool.go_on.set)
    assert pool.written == [3, 4]
