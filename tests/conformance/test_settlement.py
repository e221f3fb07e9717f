"""A settlement that the database did not take, or whose answer got lost, is written exactly once."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg
import pytest
from tests.conformance.house import Hand, House

from postroom.delivery.loading import Loaded
from postroom.delivery.outcome import Deferred, Outcome, Refused, Sent, Unknown
from postroom.delivery.slices import Message
from postroom.store.pool import Pool

LOST = asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")


class Troubled:
    """A pool whose next connections are lost: before anything is written, or after the commit."""

    def __init__(self, pool: Pool, *, before: int = 0, after: int = 0) -> None:
        self._pool = pool
        self.before = before
        self.after = after

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        if self.before:
            self.before -= 1
            raise LOST
        async with self._pool.acquire() as connection:
            yield connection
        if self.after:
            self.after -= 1
            raise LOST


async def claim_and_settle(house: House, pool: Troubled, outcome: Callable[[Message], Outcome | None]) -> Hand:
    hand = Hand(house, "a")
    slices = await hand.claim()
    loaded = await hand.load(slices)
    hand.pool = cast(Pool, pool)
    await hand.settle(slices, loaded, outcome)
    assert (pool.before, pool.after) == (0, 0)
    return hand


async def test_it_is_tried_until_the_database_is_back(house: House) -> None:
    keys = await house.accept_many(3)
    await claim_and_settle(house, Troubled(house.pool, before=2), lambda _: Sent())
    assert await house.final() == dict.fromkeys(keys, ("sent", None))
    assert await house.count("queue") == 0


@pytest.mark.parametrize("lost", [1, 2])
async def test_a_lost_answer_writes_no_event_twice(house: House, lost: int) -> None:
    keys = await house.accept_many(4)
    outcomes: dict[str, Outcome | None] = dict(
        zip(keys, [Sent(), Refused(code=550), Deferred(code=451), Unknown()], strict=True)
    )
    await claim_and_settle(house, Troubled(house.pool, after=lost), lambda message: outcomes[message.message_key])
    assert await house.final() == {keys[0]: ("sent", None), keys[1]: ("not_sent", 101)}
    assert [await house.kinds(key) for key in keys[2:]] == [["deferred"], ["unknown"]]
    assert await house.pool.fetchval("select positions from queue") == [2, 3]
    assert await house.count("queue") == 1


async def test_a_lost_answer_for_a_part_of_a_slice_writes_no_event_twice(house: House) -> None:
    """The slice is not over, so it is still in the queue and still ours when the repeat looks."""
    keys = await house.accept_many(5)
    outcomes: dict[str, Outcome | None] = dict(
        zip(keys, [Sent(), Refused(code=550), Deferred(code=451), Unknown(), None], strict=True)
    )
    await claim_and_settle(house, Troubled(house.pool, after=1), lambda message: outcomes[message.message_key])
    assert [await house.kinds(key) for key in keys] == [["sent"], ["not_sent"], ["deferred"], ["unknown"], []]


async def test_an_error_nobody_thought_of_does_not_end_the_settler(house: House) -> None:
    keys = await house.accept_many(1)

    class Odd(Troubled):
        @asynccontextmanager
        async def acquire(self) -> AsyncIterator[Any]:
            if self.before:
                self.before -= 1
                raise AttributeError("'NoneType' object has no attribute 'decode'")
            async with self._pool.acquire() as connection:
                yield connection

    await claim_and_settle(house, Odd(house.pool, before=1), lambda _: Sent())
    assert await house.final() == {keys[0]: ("sent", None)}


@pytest.mark.parametrize("first", [Sent(), Deferred(code=451)])
@pytest.mark.parametrize("now", [1, 2])
async def test_a_worker_that_claimed_its_own_slice_again_settles_the_newer_lease_alone(
    house: House, first: Outcome, now: int
) -> None:
    """The database was away for longer than the lease, and outcomes under both leases wait to be written together."""
    keys = await house.accept_many(2)
    hand = Hand(house, "a")
    before = await hand.claim()
    begun = await hand.load(before)
    await house.expire_leases()
    after = await hand.claim()
    assert [(each.slice_id, each.fence) for each in after] == [(before[0].slice_id, 2)]
    loaded = await hand.load(after)

    def outcome(message: Message) -> Outcome | None:
        if message.slice is before[0]:
            return first
        return Sent(text="newer") if message.message_key in keys[:now] else None

    over = await hand.settle([*before, *after], Loaded([*begun.messages, *loaded.messages], []), outcome)
    assert over == (before + after if now == 2 else before)
    assert (before[0].lost, after[0].lost) == (True, False)
    assert await house.count("queue") == 2 - now
    replies = await house.pool.fetch("select detail::json ->> 'reply' as reply from event")
    assert [row["reply"] for row in replies] == ["newer"] * now
    await hand.settle(after, Loaded([m for m in loaded.messages if m.message_key not in keys[:now]], []))
    assert await house.final() == dict.fromkeys(keys, ("sent", None))
    assert await house.count("queue") == 0


async def test_a_lease_lost_between_two_tries_is_told(house: House) -> None:
    """What the first try could not write is somebody else's by the second, and nothing more of it may begin."""
    keys = await house.accept_many(2)
    hand = Hand(house, "a")
    (mine,) = await hand.claim()
    loaded = await hand.load([mine])

    class Overtaken(Troubled):
        @asynccontextmanager
        async def acquire(self) -> AsyncIterator[Any]:
            if self.before:
                self.before -= 1
                await house.expire_leases()
                await Hand(house, "b").claim()
                raise LOST
            async with self._pool.acquire() as connection:
                yield connection

    hand.pool = cast(Pool, Overtaken(house.pool, before=1))
    await hand.settle([mine], loaded, lambda message: Sent() if message.message_key == keys[0] else None)
    assert mine.lost
    assert await house.count("event") == 0
