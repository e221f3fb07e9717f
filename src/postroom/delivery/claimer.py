"""Keeping the lanes filled: which business units, definitions and lanes are claimed next, and how much of each.

A lane is claimed again when half of what it may hold is gone, so that a claim is on its way while the rest is
sent. A lane's bound is its own: a backlog of batches never takes the room of small requests.

What waiting does not mend is not waited for: a slice that can't be claimed ends and the others are claimed without it.
When nothing of a business unit can be claimed, it rests, for up to half a minute at a time, each with an error in the
log that says what to do; the others are claimed meanwhile.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import asyncpg
import structlog

from postroom.delivery.claim import DueLane, Queue
from postroom.delivery.lanes import lane_capacity
from postroom.delivery.loading import Loaded, Loader
from postroom.delivery.slice_loader import SliceLoader
from postroom.delivery.slices import LaneKey, Slice
from postroom.events.codes import StatusCode
from postroom.intake.backlog import clear_queue, end_slices
from postroom.metrics.counts import Counts
from postroom.metrics.declared import REFUSALS
from postroom.store.isolation import apart
from postroom.store.pool import Pool
from postroom.store.trouble import DATABASE_TROUBLE, Trouble, sqlstate_of, tell_trouble, trouble_of

_POLL_SECONDS = 1.0
_TROUBLE_SECONDS = 0.5
_LONGEST_PAUSE = 30.0
_REFUSED_SECONDS = 60.0


class _Rest(NamedTuple):
    """A pause of one business unit: how long, and until when on the loop's clock."""

    seconds: float
    until: float


class Claimer:
    """Claims while ``ready()`` is true, and hands what it loaded to ``loaded``; ``waiting`` says how many messages of
    a lane are on their way already, ``held`` which slices the worker has, and ``may_claim`` for which business units
    it may work now."""

    def __init__(
        self,
        pool: Pool,
        queue: Queue,
        loader: Loader,
        *,
        waiting: Callable[[LaneKey], int],
        lane_messages: int,
        slice_size: int,
        ready: Callable[[], bool],
        may_claim: Callable[[int], bool] = lambda _account_id: True,
        held: Callable[[], Iterable[Slice]],
        loaded: Callable[[list[Slice], Loaded], None],
        counts: Counts | None = None,
    ) -> None:
        self._counts = counts or Counts()
        self._pool = pool
        self._queue = queue
        self._loader = SliceLoader(queue, loader, loaded=loaded, counts=self._counts)
        self._waiting = waiting
        self._lane_messages = lane_messages
        self._slice_size = slice_size
        self._ready = ready
        self._may_claim = may_claim
        self._held = held
        self._clock = asyncio.get_running_loop().time
        self._resting: dict[int, _Rest] = {}
        self._refused: dict[int, float] = {}
        """Slices that can't be claimed, and until when that is not tried again."""
        self._accounts: dict[int, None] = {}
        self._doubtful: dict[int, None] = {}
        """Business units of which slices may be ours without our knowing: the answer to their claim was lost."""
        self._wake = asyncio.Event()
        self._log = structlog.get_logger("delivery")

    @property
    def loading(self) -> Mapping[Slice, None]:
        """Claimed and not loaded yet."""
        return self._loader.loading

    def announce(self, account_id: int) -> None:
        """There is something queued for this business unit."""
        self._accounts.setdefault(account_id)
        self._wake.set()

    def wake(self) -> None:
        """There may be room again, or the relay is back."""
        self._wake.set()

    def taken(self, key: LaneKey) -> None:
        """A message left its lane; claims again at half of what the lane may hold."""
        if self._waiting(key) == lane_capacity(key, self._lane_messages) // 2:
            self._wake.set()

    async def run(self) -> None:
        """Claim until cancelled."""
        loop = asyncio.get_running_loop()
        next_poll = loop.time()
        pause = _TROUBLE_SECONDS
        while True:
            self._wake.clear()
            try:
                if self._ready():
                    if loop.time() >= next_poll:
                        next_poll = loop.time() + _POLL_SECONDS
                        for account_id in await self._queue.accounts_with_work():
                            self._accounts.setdefault(account_id)
                    if await self._round():
                        pause = _TROUBLE_SECONDS
                        continue
            except DATABASE_TROUBLE as error:
                trouble = tell_trouble(self._log, "claim_waits_for_database", error)
                pause = _TROUBLE_SECONDS if trouble.passes else min(2 * pause, _LONGEST_PAUSE)
                if not trouble.passes:
                    self._counts.add(REFUSALS, "claim", trouble.value)
                await asyncio.sleep(pause)
                continue
            pause = _TROUBLE_SECONDS
            try:
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _round(self) -> bool:
        """One claim of each business unit that has work; False when there was nothing to claim or no room."""
        claimed = False
        for account_id in list(self._doubtful):
            self._accounts.setdefault(account_id)
        for account_id in list(self._accounts):
            # Forgotten before the look: what is announced while it is under way must be looked at again.
            del self._accounts[account_id]
            if not self._may_claim(account_id) or self._rests(account_id):
                continue
            try:
                claimed = await self._claim_of(account_id) or claimed
            except DATABASE_TROUBLE as error:
                if trouble_of(error) is Trouble.AWAY:
                    raise
                self._rest(account_id, error)
            else:
                self._resting.pop(account_id, None)
        return claimed

    async def _claim_of(self, account_id: int) -> bool:
        if account_id in self._doubtful:
            await self._queue.release_others(account_id, self._held())
            del self._doubtful[account_id]
        lanes = await self._queue.due_lanes(account_id)
        if not lanes:
            return False
        self._accounts.setdefault(account_id)
        await self._clear_deleted(lanes)
        rooms = [(each.key, room) for each in lanes if each.status == "Active" and (room := self._room(each.key))]
        if not rooms:
            return False
        try:
            slices = await self._claim(account_id, rooms)
            if slices:
                await self._loader.load(account_id, slices)
        except DATABASE_TROUBLE:
            self._doubtful[account_id] = None
            raise
        return bool(slices)

    def _rests(self, account_id: int) -> bool:
        rest = self._resting.get(account_id)
        return rest is not None and self._clock() < rest.until

    def _rest(self, account_id: int, error: Exception) -> None:
        """Nothing of a business unit can be claimed: it is tried again after a pause, and the others go on."""
        trouble, before = trouble_of(error), self._resting.get(account_id)
        seconds = _TROUBLE_SECONDS
        if before is not None and not trouble.passes:
            seconds = min(2 * before.seconds, _LONGEST_PAUSE)
        self._resting[account_id] = _Rest(seconds, self._clock() + seconds)
        tell_trouble(self._log, "claim_waits_for_database", error, account_id=account_id, retry_in=seconds)
        if not trouble.passes:
            self._counts.add(REFUSALS, "claim", trouble.value)

    async def _claim(self, account_id: int, rooms: Sequence[tuple[LaneKey, int]]) -> list[Slice]:
        try:
            return await self._queue.claim(account_id, rooms)
        except asyncpg.PostgresError as error:
            if trouble_of(error).passes:
                raise
        now = self._clock()
        self._refused = {slice_id: until for slice_id, until in self._refused.items() if until > now}
        due = [each for each in await self._queue.due_slices(account_id, rooms) if each not in self._refused]
        slices: list[Slice] = []

        async def claim(part: Sequence[int]) -> None:
            slices.extend(await self._queue.claim_these(account_id, part))

        for place, why in await apart(due, claim):
            await self._end(account_id, due[place], why)
        return slices

    async def _end(self, account_id: int, slice_id: int, error: Exception) -> None:
        """A slice can't be claimed: its messages end, if the database takes at least that."""
        facts = {"account_id": account_id, "slice_id": slice_id}
        self._counts.add(REFUSALS, "claim", tell_trouble(self._log, "slice_not_claimed", error, **facts).value)
        self._refused[slice_id] = self._clock() + _REFUSED_SECONDS
        if trouble_of(error) is not Trouble.VALUE:
            return
        reason = f"its place in the queue can't be claimed ({sqlstate_of(error)})"
        try:
            await end_slices(self._pool, account_id, [slice_id], code=StatusCode.ERROR, reason=reason)
        except asyncpg.PostgresError as refused:
            if tell_trouble(self._log, "slice_not_ended", refused, **facts).passes:
                raise

    async def _clear_deleted(self, lanes: list[DueLane]) -> None:
        # A send may have been accepted at the moment its definition was deleted.
        for definition_id in {each.key.definition_id for each in lanes if each.status == "Deleted"}:
            await clear_queue(
                self._pool,
                lanes[0].key.account_id,
                definition_id,
                code=StatusCode.V2_TRIGGERED_SEND_DELETED_FROM_QUEUE,
            )

    def _room(self, key: LaneKey) -> int:
        """How many slices of a lane may be claimed now."""
        capacity = lane_capacity(key, self._lane_messages)
        waiting = self._waiting(key)
        if waiting > capacity // 2:
            return 0
        room = capacity - waiting
        return max(1, room // self._slice_size) if key.lane else room
