import asyncio
from collections.abc import AsyncIterator, Container, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import cast
from uuid import UUID

import asyncpg
import pytest
from tests.unit.delivery.queue_rows import make_message, make_slice

from postroom.delivery.claim import DueLane, Queue
from postroom.delivery.claimer import Claimer
from postroom.delivery.lanes import Lanes
from postroom.delivery.loading import Loaded, Loader, Unsendable
from postroom.delivery.slices import LaneKey, Slice
from postroom.events.codes import StatusCode
from postroom.store.pool import Pool

ACCOUNT = 100
SLICE_SIZE = 10
NUL = asyncpg.CharacterNotInRepertoireError("invalid byte sequence: 0x00")
DENIED = asyncpg.InsufficientPrivilegeError("permission denied for table contact")


class FakeQueue:
    """Slices of some messages, waiting in lanes."""

    def __init__(self) -> None:
        self.waiting: dict[LaneKey, list[Slice]] = {}
        self.status: dict[UUID, str] = {}
        self.claims: list[dict[int, int]] = []
        self.looked = asyncio.Condition()
        self.looks = 0
        self.look_open = asyncio.Event()
        self.look_open.set()
        self.trouble: Exception | None = None
        self.lost_answers = 0
        self.unknown: dict[LaneKey, list[Slice]] = {}
        self.released: list[list[int]] = []
        self.later: list[int] = []

    def put(self, slice_id: int, *, definition: int = 1, lane: int = 1, messages: int = SLICE_SIZE) -> None:
        slice_ = make_slice(slice_id, definition=definition, lane=lane, messages=messages)
        self.waiting.setdefault(slice_.key, []).append(slice_)

    async def accounts_with_work(self) -> list[int]:
        return []

    async def due_lanes(self, _account_id: int) -> list[DueLane]:
        found = [
            DueLane(key, self.status.get(key.definition_id, "Active")) for key, slices in self.waiting.items() if slices
        ]
        async with self.looked:
            self.looks += 1
            self.looked.notify_all()
        await self.look_open.wait()
        if self.trouble is not None:
            trouble, self.trouble = self.trouble, None
            raise trouble
        return found

    async def looked_times(self, number: int) -> None:
        async with self.looked:
            await self.looked.wait_for(lambda: self.looks >= number)

    async def claim(self, _account_id: int, rooms: Sequence[tuple[LaneKey, int]]) -> list[Slice]:
        self.claims.append({key.lane: room for key, room in rooms})
        taken = []
        for key, room in rooms:
            taken += self.waiting[key][:room]
            self.waiting[key] = self.waiting[key][room:]
        if self.lost_answers:
            self.lost_answers -= 1
            for each in taken:
                self.unknown.setdefault(each.key, []).append(each)
            raise ConnectionResetError("the answer is lost, and the claim is committed")
        return taken

    async def message_rows(self, _account_id: int, slices: Sequence[Slice]) -> list[dict[str, object]]:
        (slice_,) = slices
        return [{"position": at, "message_key": f"{slice_.slice_id}-{at}"} for at in range(slice_.outstanding)]

    async def put_off(self, held: Sequence[Slice], _wait: timedelta) -> None:
        self.later += [each.slice_id for each in held]

    async def release_others(self, _account_id: int, held: Iterable[Slice]) -> None:
        self.released.append([each.slice_id for each in held])
        for key, slices in self.unknown.items():
            self.waiting[key] = slices + self.waiting[key]
        self.unknown = {}


class FakeLoader:
    """Gives each slice its messages; raises for the ones that are poison."""

    def __init__(self) -> None:
        self.poison: dict[tuple[int, int], Exception] = {}

    async def load(self, _account_id: int, slices: Sequence[Slice], *, only: Container[int] | None = None) -> Loaded:
        places = [(each, at) for each in slices for at in range(SLICE_SIZE) if only is None or at in only]
        for each, at in places:
            error = self.poison.get((each.slice_id, at))
            if error is not None:
                raise error
        return Loaded([make_message(each, at) for each, at in places if at < each.outstanding], [])


class Stage:
    """A claimer with everything around it."""

    def __init__(self) -> None:
        self.queue, self.loader, self.lanes = FakeQueue(), FakeLoader(), Lanes()
        self.ready, self.stuck = True, False
        self.came = asyncio.Event()
        self.arrived: list[int] = []
        self.unsendable: list[Unsendable] = []
        self.held: list[Slice] = []
        self.claimer = Claimer(
            cast(Pool, None),
            cast(Queue, self.queue),
            cast(Loader, self.loader),
            waiting=self.lanes.waiting,
            lane_messages=100,
            slice_size=SLICE_SIZE,
            ready=lambda: self.ready,
            may_claim=lambda _account_id: not self.stuck,
            held=lambda: self.held,
            loaded=self._loaded,
        )

    def _loaded(self, slices: list[Slice], found: Loaded) -> None:
        self.arrived += [each.slice_id for each in slices]
        self.held += slices
        self.unsendable += found.unsendable
        self.came.set()
        for message in found.messages:
            self.lanes.offer(message.slice.key, (message,))

    def take(self) -> None:
        message = self.lanes.take()
        assert message is not None
        self.claimer.taken(message.slice.key)

    async def until(self, slices: int) -> None:
        async with asyncio.timeout(10):
            while len(self.arrived) < slices:
                self.came.clear()
                await self.came.wait()


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    running = asyncio.create_task(made.claimer.run())
    await asyncio.sleep(0)
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def settle() -> None:
    """Let everything that can go on go on."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_lane_is_filled_up_to_its_bound_and_claimed_again_at_half() -> None:
    async with stage() as on:
        for number in range(40):
            on.queue.put(number)
        on.claimer.announce(ACCOUNT)
        await on.until(10)
        await settle()
        assert len(on.arrived) == 10
        for _ in range(49):
            on.take()
        await settle()
        assert len(on.arrived) == 10
        on.take()
        await on.until(15)
        await settle()
        assert len(on.arrived) == 15


async def test_a_full_lane_of_batches_takes_no_room_of_small_requests() -> None:
    async with stage() as on:
        for number in range(40):
            on.queue.put(number)
        on.claimer.announce(ACCOUNT)
        await on.until(10)
        on.queue.put(1_000, lane=0, messages=1)
        on.claimer.announce(ACCOUNT)
        await on.until(11)
        assert on.arrived[-1] == 1_000
        assert on.queue.claims[-1] == {0: 25}


async def test_what_is_announced_during_a_look_is_looked_at_again() -> None:
    """Else it would wait for the next poll, a second later."""
    async with stage() as on:
        on.queue.look_open.clear()
        on.claimer.announce(ACCOUNT)
        await on.queue.looked_times(1)
        on.queue.put(1)
        on.claimer.announce(ACCOUNT)
        on.queue.look_open.set()
        for _ in range(200):
            await asyncio.sleep(0)
        assert on.arrived == [1]


async def test_nothing_is_claimed_while_the_relay_is_away() -> None:
    async with stage() as on:
        on.ready = False
        on.queue.put(1)
        on.claimer.announce(ACCOUNT)
        await settle()
        assert on.queue.looks == 0
        on.ready = True
        on.claimer.wake()
        await on.until(1)


async def test_a_definition_that_is_not_active_is_not_claimed() -> None:
    async with stage() as on:
        on.queue.put(1, definition=1)
        on.queue.put(2, definition=2)
        on.queue.status[UUID(int=1)] = "Inactive"
        on.claimer.announce(ACCOUNT)
        await on.until(1)
        await settle()
        assert on.arrived == [2]


@pytest.mark.parametrize("error", [KeyError("a row that should be there is not"), NUL])
async def test_a_message_that_can_not_be_loaded_ends_and_stops_no_other(error: Exception) -> None:
    async with stage() as on:
        on.loader.poison = {(2, 4): error}
        for number in (1, 2, 3):
            on.queue.put(number)
        on.claimer.announce(ACCOUNT)
        await on.until(3)
        assert on.arrived == [1, 3, 2]
        assert [(each.slice.slice_id, each.position, each.code) for each in on.unsendable] == [(2, 4, StatusCode.ERROR)]
        assert on.held[-1].outstanding == SLICE_SIZE
        assert len(on.lanes) == 3 * SLICE_SIZE - 1
        assert on.queue.later == []


async def test_a_slice_that_the_database_is_not_set_up_for_comes_again_later() -> None:
    """It is not the fault of its messages, so none of them ends."""
    async with stage() as on:
        on.loader.poison = {(2, at): DENIED for at in range(SLICE_SIZE)}
        for number in (1, 2, 3):
            on.queue.put(number)
        on.claimer.announce(ACCOUNT)
        await on.until(2)
        await settle()
        assert (on.arrived, on.unsendable, on.queue.later) == ([1, 3], [], [2])
        assert not on.claimer.loading


async def test_a_wrong_statement_ends_no_message_and_burns_no_time() -> None:
    async with stage() as on:
        on.loader.poison = {(number, 0): DENIED for number in range(10)}
        for number in range(10):
            on.queue.put(number)
        on.claimer.announce(ACCOUNT)
        for _ in range(200):
            await asyncio.sleep(0)
        assert (on.arrived, on.unsendable) == ([], [])
        assert sorted(on.queue.later) == list(range(10))


async def test_a_business_unit_whose_outcomes_can_not_be_recorded_is_not_claimed() -> None:
    async with stage() as on:
        on.stuck = True
        on.queue.put(1)
        on.claimer.announce(ACCOUNT)
        await settle()
        assert on.queue.looks == 0
        on.stuck = False
        on.claimer.announce(ACCOUNT)
        await on.until(1)


async def test_a_database_that_is_away_is_waited_for() -> None:
    async with stage() as on:
        on.queue.trouble = ConnectionResetError("gone")
        on.queue.put(1)
        on.claimer.announce(ACCOUNT)
        await settle()
        assert on.arrived == []
        on.claimer.announce(ACCOUNT)
        await on.until(1)


async def test_a_business_unit_that_can_not_be_claimed_rests_and_the_others_go_on() -> None:
    async with stage() as on:
        on.queue.trouble = DENIED
        on.queue.put(1)
        on.claimer.announce(ACCOUNT + 1)
        on.claimer.announce(ACCOUNT)
        await on.until(1)
        assert on.queue.looks >= 2
        looks = on.queue.looks
        on.claimer.announce(ACCOUNT + 1)
        await settle()
        assert on.queue.looks == looks, "not again at once"


async def test_a_claim_whose_answer_was_lost_is_given_back() -> None:
    """Else its messages would wait for the end of a lease that nobody knows of."""
    async with stage() as on:
        on.queue.put(1)
        on.claimer.announce(ACCOUNT)
        await on.until(1)
        on.queue.put(2)
        on.queue.lost_answers = 1
        on.claimer.announce(ACCOUNT)
        await on.until(2)
        assert on.arrived == [1, 2]
        assert on.queue.released == [[1]]
