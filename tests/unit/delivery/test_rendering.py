import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import cast

import asyncpg
from tests.unit.delivery.queue_rows import make_message, make_slice

from postroom.content.model import NotComposed
from postroom.delivery.composer import Composer
from postroom.delivery.rendering import Renderer
from postroom.delivery.slices import Message
from postroom.delivery.versions import Versions
from postroom.events.put_offs import PutOff
from postroom.store.pool import Pool

MADE = NotComposed(1, "made")


class FakeComposer:
    """Messages of even positions wait, each as long as ``compose`` does."""

    def __init__(self, compose: Callable[[Message], Awaitable[NotComposed | None]]) -> None:
        self._compose = compose

    def waits(self, message: Message) -> bool:
        return message.position % 2 == 0

    def copies(self, _message: Message) -> tuple[str, ...]:
        return ()

    async def compose_async(self, message: Message, _data: object, _blocks: object) -> NotComposed | None:
        return await self._compose(message)


class FakeVersions:
    """Counts how often a version is loaded."""

    def __init__(self) -> None:
        self.loaded: list[tuple[int, int]] = []

    async def version(self, account_id: int, version_id: int) -> None:
        self.loaded.append((account_id, version_id))


class Stage:
    """A renderer with everything around it."""

    def __init__(self, compose: Callable[[Message], Awaitable[NotComposed | None]]) -> None:
        self.ready: list[Message] = []
        self.later: list[int] = []
        self._came = asyncio.Event()
        self.versions = FakeVersions()
        self.slice = make_slice()
        self.messages = [make_message(self.slice, position) for position in range(6)]
        self.renderer = Renderer(
            cast(Pool, None),
            cast(Versions, self.versions),
            cast(Composer, FakeComposer(compose)),
            rendered=self._rendered,
            postponed=self._postponed,
        )

    @property
    def positions(self) -> list[int]:
        return [message.position for message in self.ready]

    async def over(self) -> None:
        async with asyncio.timeout(10):
            while self.renderer.waiting(self.slice.key):
                self._came.clear()
                await self._came.wait()

    def _postponed(self, message: Message, _seconds: float, _why: PutOff) -> None:
        self.later.append(message.position)
        self._came.set()

    def _rendered(self, messages: list[Message]) -> None:
        self.ready += messages
        self._came.set()


async def test_each_message_is_handed_over_when_it_is_ready_and_counts_until_then() -> None:
    slow = asyncio.Event()

    async def compose(message: Message) -> NotComposed:
        if message.position == 2:
            await slow.wait()
        return MADE

    on = Stage(compose)
    assert [message.position for message in on.renderer.take(on.messages)] == [1, 3, 5]
    assert on.renderer.waiting(on.slice.key) == 3
    for _ in range(10):
        await asyncio.sleep(0)
    assert on.positions == [0, 4]
    assert on.renderer.waiting(on.slice.key) == 1
    slow.set()
    await on.over()
    assert on.positions == [0, 4, 2]
    assert all(message.mail is MADE for message in on.ready)


async def test_a_database_that_is_away_is_waited_for() -> None:
    away = True

    async def compose(message: Message) -> NotComposed:
        nonlocal away
        if message.position == 2 and away:
            away = False
            raise ConnectionResetError("gone")
        return MADE

    on = Stage(compose)
    on.renderer.take(on.messages)
    await on.over()
    assert on.positions == [0, 4, 2]
    assert on.ready[2].mail is MADE


async def test_poison_a_value_that_the_database_will_not_read_ends_its_own_message_only() -> None:
    tries: Counter[int] = Counter()

    async def compose(message: Message) -> NotComposed:
        tries[message.position] += 1
        if message.position == 2 or tries[message.position] == 1:
            raise asyncpg.DataError("invalid byte sequence")
        return MADE

    on = Stage(compose)
    on.renderer.take(on.messages)
    await on.over()
    assert {message.position: message.mail == MADE for message in on.ready} == {0: True, 2: False, 4: True}
    assert tries == {0: 2, 2: 2, 4: 2}


async def test_poison_a_look_up_that_always_takes_too_long_ends_its_message() -> None:
    async def compose(message: Message) -> NotComposed:
        if message.position == 2:
            raise asyncpg.QueryCanceledError("canceling statement due to statement timeout")
        return MADE

    on = Stage(compose)
    on.renderer.take(on.messages)
    await on.over()
    assert [(message.position, message.mail == MADE) for message in on.ready] == [(0, True), (4, True), (2, False)]


async def test_a_version_that_was_let_go_meanwhile_is_loaded_again() -> None:
    async def compose(_message: Message) -> NotComposed | None:
        return MADE if on.versions.loaded else None

    on = Stage(compose)
    on.renderer.take(on.messages)
    await on.over()
    assert on.versions.loaded == [(100, 5)]
    assert [message.mail for message in on.ready] == [MADE] * 3


async def test_what_belongs_to_somebody_else_meanwhile_is_dropped() -> None:
    async def compose(message: Message) -> NotComposed:
        message.slice.lost = True
        return MADE

    on = Stage(compose)
    on.renderer.take(on.messages)
    await on.over()
    assert on.ready == []


async def test_a_mistake_of_ours_ends_its_message_only() -> None:
    async def compose(message: Message) -> NotComposed:
        if message.position == 2:
            raise AssertionError
        return MADE

    on = Stage(compose)
    on.renderer.take(on.messages)
    await on.over()
    assert [message.mail == MADE for message in on.ready] == [True, False, True]
    assert isinstance(on.ready[1].mail, NotComposed)


async def test_nothing_is_handed_over_after_the_end() -> None:
    async def compose(_message: Message) -> NotComposed:
        return MADE

    on = Stage(compose)
    on.renderer.take(on.messages)
    # rendered, and about to be handed over
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await on.renderer.close()
    await asyncio.sleep(0)
    assert on.ready == []


async def test_a_table_that_is_missing_ends_no_message() -> None:
    async def compose(message: Message) -> NotComposed:
        if message.position == 2:
            raise asyncpg.UndefinedTableError("relation data_row does not exist")
        return NotComposed(1, "")

    on = Stage(compose)
    on.renderer.take(on.messages)
    await on.over()
    assert (sorted(on.positions), on.later) == ([0, 4], [2])
    assert on.messages[2].mail is None
