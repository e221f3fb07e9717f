"""Whether a process can accept: asked of the database once a second, however many ask."""

import asyncio
from typing import Any, cast

import pytest

from postroom.api import health
from postroom.api.health import Health
from postroom.store.database import Pool


class Database:
    """Counts what it is asked; answers, refuses or says nothing."""

    def __init__(self) -> None:
        self.asked = 0
        self.manner = "answers"

    async def execute(self, _statement: str) -> str:
        self.asked += 1
        await asyncio.sleep(60 if self.manner == "hangs" else 0)
        if self.manner == "refuses":
            raise ConnectionRefusedError
        return "SELECT 1"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def statuses(asked: Health, count: int) -> set[int]:
    replies = await asyncio.gather(*(asked.answer(cast(Any, None)) for _ in range(count)))
    return {reply.status for reply in replies}


async def test_a_thousand_questions_are_one_for_the_database() -> None:
    database, clock = Database(), Clock()
    asked = Health(cast(Pool, database), clock=clock)
    assert await statuses(asked, 1000) == {200}
    assert database.asked == 1
    clock.now = 1.0
    assert await statuses(asked, 10) == {200}
    assert database.asked == 2


@pytest.mark.parametrize("manner", ["refuses", "hangs"])
async def test_a_database_that_does_not_answer_is_a_503_until_it_does(
    manner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 0.01)
    database, clock = Database(), Clock()
    asked = Health(cast(Pool, database), clock=clock)
    database.manner = manner
    assert await statuses(asked, 3) == {503}
    database.manner = "answers"
    assert await statuses(asked, 1) == {503}
    clock.now = 1.0
    assert await statuses(asked, 1) == {200}
