"""Composing ahead what has to wait: templates that look something up are rendered when their claim is loaded.

Their look-ups then go together, a statement for many messages, and the connections never wait for the database.
What such a template writes is kept with its message and applied in the transaction that settles it as sent.

Nobody else waits for it: claiming goes on meanwhile, and each message goes to its lane when it is ready. Until then it
counts as waiting there, so a lane whose templates wait for a slow site is claimed no further than any other, and
holds up none.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field

import asyncpg
import structlog

from postroom.audience.suppression import SuppressionList
from postroom.content.model import MESSAGE_BUILD_ERROR, NotComposed
from postroom.delivery.blocks import AssetBlocks
from postroom.delivery.composer import Composer
from postroom.delivery.copies import Copies
from postroom.delivery.data_access import ClaimData
from postroom.delivery.kept_page import KeptPage
from postroom.delivery.slices import LaneKey, Message
from postroom.delivery.versions import Versions
from postroom.events.put_offs import PutOff
from postroom.store.isolation import apart
from postroom.store.pool import Pool
from postroom.store.trouble import DATABASE_TROUBLE, Trouble, tell_trouble, trouble_of

_TOGETHER = 250
# Half of a delivery process's connections: claiming and settling have the others.
_LOOKUPS_AT_ONCE = 3
_TROUBLE_SECONDS = 0.5
_LATER_SECONDS = 60.0
# A look-up that runs into the limit on a statement's time so often is one that always does.
_MOST_BUSY = 3


@dataclass(slots=True)
class _Group:
    """The messages of one claim in one lane, and what they share; ``ready`` are those to be handed over next, and
    ``busy`` counts the look-ups of a message that did not get through."""

    account_id: int
    data: ClaimData
    blocks: AssetBlocks
    ready: list[Message] = field(default_factory=list)
    busy: Counter[Message] = field(default_factory=Counter)


class Renderer:
    """Renders what waits beside everything else; ``rendered`` gets messages as they are ready, with their ``mail``;
    ``postponed`` those that can't be now, seconds and why."""

    def __init__(
        self,
        pool: Pool,
        versions: Versions,
        composer: Composer,
        *,
        rendered: Callable[[list[Message]], None],
        postponed: Callable[[Message, float, PutOff], None],
    ) -> None:
        self._pool = pool
        self._versions = versions
        self._composer = composer
        self._copies = Copies(composer, SuppressionList(pool))
        self._rendered = rendered
        self._postponed = postponed
        self._tally: Counter[LaneKey] = Counter()
        self._lookups = asyncio.Semaphore(_LOOKUPS_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger("delivery")

    def waiting(self, key: LaneKey) -> int:
        """How many messages of a lane are being rendered."""
        return self._tally.get(key, 0)

    def take(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Begin with those messages of one claim that have to wait; the others, which their connection composes."""
        by_lane: dict[LaneKey, list[Message]] = {}
        others = []
        for message in messages:
            if self._composer.waits(message):
                by_lane.setdefault(message.slice.key, []).append(message)
            else:
                others.append(message)
        if not by_lane:
            return messages
        account_id = messages[0].slice.account_id
        data, blocks = ClaimData(self._pool, account_id, self._lookups), AssetBlocks(self._pool, account_id)
        for key, waiting in by_lane.items():
            self._tally[key] += len(waiting)
            self._start(self._render_all(_Group(account_id, data, blocks), waiting))
        return others

    async def close(self) -> None:
        """Give up what is not ready; its slices are released with all others."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _render_all(self, group: _Group, messages: list[Message]) -> None:
        while messages:
            rest, again = iter(messages), list[Message]()
            together = min(len(messages), _TOGETHER)
            await asyncio.gather(*(self._render_each(group, rest, again) for _ in range(together)))
            if again:
                self._log.warning("rendering_waits_for_database", messages=len(again))
                await asyncio.sleep(_TROUBLE_SECONDS)
            messages = again

    async def _render_each(self, group: _Group, messages: Iterator[Message], again: list[Message]) -> None:
        for message in messages:
            # Of a slice that is somebody else's meanwhile nothing may be sent.
            if not message.slice.lost:
                try:
                    await self._render(group, message)
                except DATABASE_TROUBLE as error:
                    trouble = trouble_of(error)
                    if trouble is Trouble.AWAY or (trouble is Trouble.BUSY and group.busy[message] < _MOST_BUSY):
                        again.append(message)
                    else:
                        self._later(message, error)
                    continue
            if not group.ready:
                self._start(self._hand_over(group))
            group.ready.append(message)

    async def _render(self, group: _Group, message: Message) -> None:
        try:
            await self._compose(group, group.data, message)
        except DATABASE_TROUBLE as error:
            trouble = trouble_of(error)
            if trouble is Trouble.BUSY:
                group.busy[message] += 1
                if group.busy[message] < _MOST_BUSY or not isinstance(error, asyncpg.QueryCanceledError):
                    raise
                self._broken(message, error)
            elif trouble is Trouble.VALUE:
                # A value that the database won't read fails the statement of all that asked together: each asks alone.
                await self._render_alone(group, message)
            else:
                raise

    async def _render_alone(self, group: _Group, message: Message) -> None:
        alone = ClaimData(self._pool, group.account_id, self._lookups)
        try:
            await self._compose(group, alone, message)
        except DATABASE_TROUBLE as error:
            if trouble_of(error) is not Trouble.VALUE:
                raise
            self._broken(message, error)

    async def _compose(self, group: _Group, data: ClaimData, message: Message) -> None:
        own = data.rendering()
        try:
            mail = await self._composer.compose_async(message, own, group.blocks)
            while mail is None:
                await self._versions.version(group.account_id, message.request.version_id)
                mail = await self._composer.compose_async(message, own, group.blocks)
            message.mail = mail
        except DATABASE_TROUBLE:
            raise
        except Exception as error:
            self._broken(message, error)
        message.writes = tuple(own.writes)
        if message.page is not None:
            slice_ = message.slice
            kept = KeptPage(slice_.accepted_on, slice_.request_id, message.position, message.page)
            message.writes += (kept,)
            message.page = None

    async def _hand_over(self, group: _Group) -> None:
        ready, group.ready = group.ready, []
        later: Exception | None = None

        async def look(part: Sequence[Message]) -> None:
            await self._copies.look(group.account_id, part)

        while any(not message.slice.lost for message in ready):
            try:
                for place, why in await apart(ready, look):
                    self._broken(ready[place], why)
                break
            except DATABASE_TROUBLE as error:
                if not trouble_of(error).passes:
                    later = error
                    break
                tell_trouble(self._log, "copies_wait_for_database", error, messages=len(ready))
                await asyncio.sleep(_TROUBLE_SECONDS)
        if later is not None:
            for message in ready:
                self._later(message, later)
            return
        for message in ready:
            self._over(message)
        self._rendered([message for message in ready if not message.slice.lost])

    def _later(self, message: Message, error: Exception) -> None:
        # What it needs is refused, and not for a fault of its own.
        tell_trouble(self._log, "rendering_put_off", error, message_key=message.message_key)
        self._over(message)
        self._postponed(message, _LATER_SECONDS, PutOff("database"))

    def _over(self, message: Message) -> None:
        key = message.slice.key
        self._tally[key] -= 1
        if not self._tally[key]:
            del self._tally[key]

    def _broken(self, message: Message, error: Exception) -> None:
        # Whatever is wrong with one message ends that message only, and it does end.
        self._log.error("not_composed", message_key=message.message_key, exc_info=error)
        message.mail = NotComposed(MESSAGE_BUILD_ERROR, "the mail could not be built")

    def _start(self, work: Coroutine[object, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
