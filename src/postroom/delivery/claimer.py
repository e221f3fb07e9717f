"""Keeping the lanes filled: which business units, definitions and lanes are claimed next, and how much of each.

A lane is claimed again when half of what it may hold is gone, so that a claim is on its way while the rest is
sent. A lane's bound is its own: a backlog of batches never takes the room of small requests.
"""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from postroom.delivery.claim import DueLane, Queue
from postroom.delivery.lanes import lane_capacity
from postroom.delivery.loading import Loaded, Loader
from postroom.delivery.slices import LaneKey, Slice
from postroom.events.codes import StatusCode
from postroom.intake.backlog import clear_queue
from postroom.store.errors import DATABASE_AWAY
from postroom.store.pool import Pool

_POLL_SECONDS = 1.0
_TROUBLE_SECONDS = 0.5
_LOAD_TRIES = 10


class Claimer:
    """Claims while ``ready()`` is true, and hands what it loaded to ``loaded``; ``waiting`` says how many messages of
    a lane are on their way already, and ``held`` which slices the worker has."""

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
        held: Callable[[], Iterable[Slice]],
        loaded: Callable[[list[Slice], Loaded], None],
    ) -> None:
        self._pool = pool
        self._queue = queue
        self._loader = loader
        self._waiting = waiting
        self._lane_messages = lane_messages
        self._slice_size = slice_size
        self._ready = ready
        self._held = held
        self._loaded = loaded
        self.loading: dict[Slice, None] = {}
        """Claimed and not loaded yet: their leases have to be renewed, since the database may be slow or away."""
        self._accounts: dict[int, None] = {}
        self._doubtful: dict[int, None] = {}
        """Business units of which slices may be ours without our knowing: the answer to their claim was lost."""
        self._wake = asyncio.Event()
        self._log = structlog.get_logger("delivery")

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
        while True:
            self._wake.clear()
            try:
                if self._ready():
                    if loop.time() >= next_poll:
                        next_poll = loop.time() + _POLL_SECONDS
                        for account_id in await self._queue.accounts_with_work():
                            self._accounts.setdefault(account_id)
                    if await self._round():
                        continue
            except DATABASE_AWAY as error:
                self._log.warning("claim_waits_for_database", error=repr(error))
                await asyncio.sleep(_TROUBLE_SECONDS)
                continue
            try:
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _round(self) -> bool:
        """One claim of each business unit that has work; False when there was nothing to claim or no room."""
        claimed = False
        for account_id in list(self._doubtful):
            await self._queue.release_others(account_id, self._held())
            del self._doubtful[account_id]
            self._accounts.setdefault(account_id)
        for account_id in list(self._accounts):
            # Forgotten before the look: what is announced while it is under way must be looked at again.
            del self._accounts[account_id]
            lanes = await self._queue.due_lanes(account_id)
            if not lanes:
                continue
            self._accounts.setdefault(account_id)
            await self._clear_deleted(lanes)
            rooms = [(each.key, room) for each in lanes if each.status == "Active" and (room := self._room(each.key))]
            if not rooms:
                continue
            try:
                slices = await self._queue.claim(account_id, rooms)
                if slices:
                    claimed = True
                    await self._load(account_id, slices)
            except DATABASE_AWAY:
                self._doubtful[account_id] = None
                raise
        return claimed

    async def _load(self, account_id: int, slices: list[Slice]) -> None:
        self.loading = dict.fromkeys(slices)
        try:
            loaded = await self._load_patiently(account_id, slices)
        except DATABASE_AWAY:
            raise
        except Exception:
            if len(slices) == 1:
                # It must not stop all others: its lease runs out, and it is tried again.
                self._log.exception("slice_not_loaded", account_id=account_id, slice_id=slices[0].slice_id)
                return
            for each in slices:
                await self._load(account_id, [each])
        else:
            self._loaded(slices, loaded)
        finally:
            self.loading = {}

    async def _load_patiently(self, account_id: int, slices: list[Slice]) -> Loaded:
        """Load, and again after a moment when the database goes away: the slices are ours, nobody else sends them."""
        for _ in range(_LOAD_TRIES - 1):
            try:
                return await self._loader.load(account_id, slices)
            except DATABASE_AWAY as error:
                self._log.warning("load_waits_for_database", slices=len(slices), error=repr(error))
                await asyncio.sleep(_TROUBLE_SECONDS)
        return await self._loader.load(account_id, slices)

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
