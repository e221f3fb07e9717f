"""Statuses read together: reads of one business unit that come while others are under way share the next query.

A read alone costs one look-up and waits for nobody; 64 at a time cost a few queries, not 64.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from postroom.events.status import MessageStatus, message_statuses
from postroom.store.pool import Pool

_MOST_KEYS = 64
_READERS = 2  # of one business unit: while one waits for the database, the other gathers and answers


class _Asked(NamedTuple):
    message_key: str
    answer: "asyncio.Future[MessageStatus | None]"


class StatusReads:
    """Answers status reads of any business unit. ``now`` is UTC. Nothing goes on after the last read is answered."""

    def __init__(self, pool: Pool, *, since_hours: int, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._since_hours = since_hours
        self._now = now
        self._asked: dict[int, list[_Asked]] = {}
        self._readers: dict[int, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def status(self, account_id: int, message_key: str) -> MessageStatus | None:
        """As `events.status.message_status`; a database error passes through to all who shared the query."""
        answer: asyncio.Future[MessageStatus | None] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(account_id, []).append(_Asked(message_key, answer))
        if self._readers.get(account_id, 0) < _READERS:
            self._readers[account_id] = self._readers.get(account_id, 0) + 1
            task = asyncio.create_task(self._read(account_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await answer

    async def _read(self, account_id: int) -> None:
        try:
            while asked := self._asked.get(account_id):
                group, rest = asked[:_MOST_KEYS], asked[_MOST_KEYS:]
                if rest:
                    self._asked[account_id] = rest
                else:
                    del self._asked[account_id]
                await self._answer(account_id, group)
        finally:
            self._readers[account_id] -= 1
            if not self._readers[account_id]:
                del self._readers[account_id]

    async def _answer(self, account_id: int, group: list[_Asked]) -> None:
        keys = [asked.message_key for asked in group]
        try:
            found = await message_statuses(self._pool, account_id, keys, since_hours=self._since_hours, now=self._now())
        except Exception as error:
            for asked in group:
                # Who has gone away has cancelled the answer.
                if not asked.answer.done():
                    asked.answer.set_exception(error)
            return
        for asked, status in zip(group, found, strict=True):
            if not asked.answer.done():
                asked.answer.set_result(status)
