"""Composing ahead what has to wait: templates that look something up are rendered when their claim is loaded.

Their look-ups then go together, a statement for many messages, and the connections never wait for the database.
What such a template writes is kept with its message and applied in the transaction that settles it as sent.

Nobody else waits for it: claiming goes on meanwhile, and each message goes to its lane when it is ready. Until then it
counts as waiting there, so a lane whose templates wait for a slow site is claimed no further than any other, and
holds up none.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import asyncpg
import structlog

from postroom.audience.suppression import SuppressionList
from postroom.content.model import MESSAGE_BUILD_ERROR, NotComposed
from postroom.delivery.blocks import AssetBlocks
from postroom.delivery.composer import Composer
from postroom.delivery.copies import Copies
from postroom.delivery.data_access import ClaimData
from postroom.delivery.slices import LaneKey, Message
from postroom.delivery.versions import Versions
from postroom.store.errors import DATABASE_AWAY
from postroom.store.pool import Pool

_TOGETHER = 250
# Half of a delivery process's connections: claiming and settling have the others.
_LOOKUPS_AT_ONCE = 3
_TROUBLE_SECONDS = 0.5
# A look-up that runs into the limit on a statement's time so often is one that always does.
_MOST_CANCELLED = 3


@dataclass(slots=True)
class _Group:
    """The messages of one claim in one lane, and what they share; ``ready`` are those to be handed over next, and
    ``cancelled`` counts the look-ups of a message that took too long."""

    account_id: int
    data: ClaimData
    blocks: AssetBlocks
    ready: list[Message] = field(default_factory=list)
    cancelled: Counter[Message] = field(default_factory=Counter)


class Renderer:
    """Renders what waits beside everything else; ``rendered`` gets messages as they are ready, with their ``mail``."""

    def __init__(
        self, pool: Pool, versions: Versions, composer: Composer, *, rendered: Callable[[list[Message]], None]
    ) -> None:
        self._pool = pool
        self._versions = versions
        self._composer = composer
        self._copies = Copies(composer, SuppressionList(pool))
        self._rendered = rendered
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
                except DATABASE_AWAY:
                    again.append(message)
                    continue
            if not group.ready:
                self._start(self._hand_over(group))
            group.ready.append(message)

    async def _render(self, group: _Group, message: Message) -> None:
        try:
            await self._compose(group, group.data, message)
        except asyncpg.QueryCanceledError:
            group.cancelled[message] += 1
            if group.cancelled[message] < _MOST_CANCELLED:
                raise
            self._broken([message])
        except asyncpg.DataError:
            # A value that the database won't read fails the statement of all that asked together: each asks alone.
            alone = ClaimData(self._pool, group.account_id, self._lookups)
            try:
                await self._compose(group, alone, message)
            except asyncpg.DataError:
                self._broken([message])

    async def _compose(self, group: _Group, data: ClaimData, message: Message) -> None:
        own = data.rendering()
        try:
            mail = await self._composer.compose_async(message, own, group.blocks)
            while mail is None:
                await self._versions.version(group.account_id, message.request.version_id)
                mail = await self._composer.compose_async(message, own, group.blocks)
            message.mail = mail
        except DATABASE_AWAY:
            raise
        except Exception:
            self._broken([message])
        message.writes = tuple(own.writes)

    async def _hand_over(self, group: _Group) -> None:
        ready, group.ready = group.ready, []
        while any(not message.slice.lost for message in ready):
            try:
                await self._copies.look(group.account_id, ready)
                break
            except DATABASE_AWAY as error:
                self._log.warning("copies_wait_for_database", messages=len(ready), error=repr(error))
                await asyncio.sleep(_TROUBLE_SECONDS)
            except Exception:
                self._broken(ready)
        for message in ready:
            key = message.slice.key
            self._tally[key] -= 1
            if not self._tally[key]:
                del self._tally[key]
        self._rendered([message for message in ready if not message.slice.lost])

    def _broken(self, messages: Iterable[Message]) -> None:
        # Whatever is wrong with one message ends that message only, and it does end.
        for message in messages:
            self._log.exception("not_composed", message_key=message.message_key)
            message.mail = NotComposed(MESSAGE_BUILD_ERROR, "the mail could not be built")

    def _start(self, work: Coroutine[object, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
