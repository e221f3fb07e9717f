"""When settlements are tried, and who waits for whom; what they write is conformance."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import asyncpg
import pytest
from tests.unit.delivery.queue_rows import ACCEPTED, make_slice

from postroom.delivery import settle
from postroom.delivery.batch import Batch
from postroom.delivery.outcome_writer import OutcomeWriter
from postroom.delivery.settle import Settler
from postroom.delivery.slices import Slice
from postroom.events.log import Event
from postroom.store.pool import Pool

DENIED = asyncpg.InsufficientPrivilegeError("permission denied for table event")
AWAY = ConnectionResetError("gone")
DEADLOCK = asyncpg.DeadlockDetectedError("deadlock detected")


class FakeWriter:
    """Writes what no trouble of its business unit keeps it from."""

    def __init__(self) -> None:
        self.trouble: dict[int, Exception] = {}
        self.written: list[int] = []
        self.tries = 0
        self.apart = 0
        self.came = asyncio.Condition()

    async def write(self, batch: Batch, *, again: bool) -> None:
        account_id = batch.slices[0].account_id
        async with self.came:
            self.tries += 1
            self.came.notify_all()
            if account_id in self.trouble:
                raise self.trouble[account_id]
            self.written += [event.position for _, event in batch.events]

    async def write_apart(self, batch: Batch) -> None:
        self.apart += 1
        await self.write(batch, again=True)

    async def until(self, written: list[int]) -> None:
        async with asyncio.timeout(10), self.came:
            await self.came.wait_for(lambda: sorted(self.written) == written)

    async def tried(self, times: int) -> None:
        async with asyncio.timeout(10), self.came:
            await self.came.wait_for(lambda: self.tries >= times)


@asynccontextmanager
async def settling() -> AsyncIterator[tuple[Settler, FakeWriter, list[Slice]]]:
    over: list[Slice] = []
    settler = Settler(cast(Pool, None), interval=0.0, settled=over.append)
    writer = FakeWriter()
    settler._writer = cast(OutcomeWriter, writer)
    settler.start()
    yield settler, writer, over
    writer.trouble.clear()
    await settler.close()


def record(settler: Settler, position: int, account_id: int = 100) -> Slice:
    slice_ = make_slice(position)
    slice_.account_id = account_id
    place = (slice_.request_id, position, slice_.definition_id)
    settler.record(slice_, Event(account_id, ACCEPTED.date(), ACCEPTED, *place, "sent", 1, None, None))
    settler.finish(slice_)
    return slice_


async def test_a_business_unit_that_nothing_can_be_recorded_of_holds_up_no_other() -> None:
    async with settling() as (settler, writer, over):
        writer.trouble[1] = DENIED
        record(settler, 1, account_id=1)
        await writer.tried(2)
        record(settler, 2, account_id=2)
        await writer.until([2])
        assert settler.stuck == {1}
        async with asyncio.timeout(10):
            await settler.flush()
        assert [each.account_id for each in over] == [2]


async def test_it_goes_on_when_somebody_has_mended_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "_LONG_RETRY_SECONDS", (0.01,))
    async with settling() as (settler, writer, over):
        writer.trouble[1] = DENIED
        record(settler, 1, account_id=1)
        await writer.tried(4)
        record(settler, 3, account_id=1)
        writer.trouble.clear()
        await writer.until([1, 3])
        async with asyncio.timeout(10):
            await settler.flush()
        assert settler.stuck == set()
        assert len(over) == 2


async def test_an_outage_is_waited_for_and_nobody_is_stuck_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "_RETRY_SECONDS", (0.01,))
    async with settling() as (settler, writer, _):
        writer.trouble[1] = AWAY
        record(settler, 1, account_id=1)
        await writer.tried(6)
        assert (settler.stuck, writer.apart) == (set(), 0)
        writer.trouble.clear()
        await writer.until([1])


async def test_what_is_always_too_busy_is_taken_apart_after_some_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "_RETRY_SECONDS", (0.01,))
    async with settling() as (settler, writer, _):
        writer.trouble[1] = DEADLOCK
        record(settler, 1, account_id=1)
        await writer.tried(3)
        assert writer.apart == 0
        await writer.tried(6)
        assert writer.apart
        assert settler.stuck == {1}
