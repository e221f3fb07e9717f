"""Wakes those who wait for a mail.

One connection of the pool listens for the capture process's NOTIFY and serves every waiter of this process: new
arrivals are read once and compared with all waiters in memory. While that connection is lost the table is looked
at by the clock instead, and the connection is made anew. With nobody waiting nothing is read.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import asyncpg
import structlog

from postroom.sandbox.mailbox import CHANNEL, Mailbox, MailFilter
from postroom.store.trouble import DATABASE_TROUBLE, tell_trouble

PAGE = 1000

_log = structlog.get_logger(__name__)

Listener = asyncpg.pool.PoolConnectionProxy


@dataclass(eq=False, slots=True)
class _Waiter:
    wanted: MailFilter
    since: int
    found: asyncio.Future[int | None]


class MailWatch:
    """All waiters of one process. Starts with the first wait; `close` ends it.

    unheard_seconds: how often to look without being told, in case a notification is lost.
    lost_seconds: how often to look, and to try to listen again, while there is no listening connection.
    """

    def __init__(self, mailbox: Mailbox, *, unheard_seconds: float = 5.0, lost_seconds: float = 0.25) -> None:
        self._mailbox = mailbox
        self._unheard_seconds = unheard_seconds
        self._lost_seconds = lost_seconds
        self._waiters: set[_Waiter] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._listener: Listener | None = None
        self._closed = False
        self._seen = 0

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._waiters)

    @property
    def listening(self) -> bool:
        """Whether arrivals are told by the database; else they are looked for."""
        return self._listener is not None

    @property
    def closed(self) -> bool:
        return self._closed

    async def wait(self, wanted: MailFilter, seconds: float) -> int | None:
        """The id of a captured mail that `wanted` matches: the newest of those there already, else the first to come.

        None when there is none within `seconds`, or the watch is closed.
        """
        if self._closed:
            return None
        # Registered before the search: what is committed after `since` is found by the search, told to the
        # waiter, or both.
        with self._registered(wanted, await self._mailbox.newest_id()) as waiter:
            there = await self._mailbox.find(wanted, limit=1)
            if there:
                return there[0].capture_id
            try:
                async with asyncio.timeout(seconds):
                    return await waiter.found
            except TimeoutError:
                return None

    async def close(self) -> None:
        """Answers every waiter with None and gives the connection back; later waits return at once."""
        self._closed = True
        for waiter in self._waiters:
            if not waiter.found.done():
                waiter.found.set_result(None)
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    @contextlib.contextmanager
    def _registered(self, wanted: MailFilter, since: int) -> Iterator[_Waiter]:
        waiter = _Waiter(wanted, since, asyncio.get_running_loop().create_future())
        if self._closed:
            waiter.found.set_result(None)
        self._waiters.add(waiter)
        if not self._closed and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._run(), name="mail-watch")
        self._wake.set()
        try:
            yield waiter
        finally:
            self._waiters.discard(waiter)

    async def _run(self) -> None:
        try:
            while True:
                try:
                    await self._listen()
                    await self._look()
                except DATABASE_TROUBLE as problem:
                    tell_trouble(_log, "looking for captured mail failed, trying again", problem)
                    await self._drop_listener()
                    await asyncio.sleep(self._lost_seconds)
                    continue
                await self._sleep()
        finally:
            await self._drop_listener()

    async def _sleep(self) -> None:
        """Until there may be something to look for."""
        seconds = None
        if self._waiters:
            seconds = self._unheard_seconds if self.listening else self._lost_seconds
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)
        self._wake.clear()

    async def _look(self) -> None:
        """Reads what has arrived since the last look and tells those who wait for it."""
        while self._waiters:
            self._seen = max(self._seen, min(waiter.since for waiter in self._waiters))
            arrived = await self._mailbox.arrived_after(self._seen, limit=PAGE)
            for mail in arrived:
                for waiter in self._waiters:
                    if not waiter.found.done() and mail.capture_id > waiter.since and waiter.wanted.matches(mail):
                        waiter.found.set_result(mail.capture_id)
            if arrived:
                self._seen = arrived[-1].capture_id
            if len(arrived) < PAGE:
                return

    async def _listen(self) -> None:
        if self._listener is not None:
            return
        listener = await self._mailbox.pool.acquire()
        try:
            await listener.add_listener(CHANNEL, self._told)
            listener.add_termination_listener(self._lost)
        except BaseException:
            await self._mailbox.pool.release(listener)
            raise
        self._listener = listener

    async def _drop_listener(self) -> None:
        listener, self._listener = self._listener, None
        if listener is None:
            return
        # A connection that broke meanwhile answers with one of these; the pool has taken it back already.
        with contextlib.suppress(*DATABASE_TROUBLE):
            listener.remove_termination_listener(self._lost)
            await listener.remove_listener(CHANNEL, self._told)
        with contextlib.suppress(*DATABASE_TROUBLE):
            await self._mailbox.pool.release(listener)

    def _told(self, *_notification: object) -> None:
        self._wake.set()

    def _lost(self, *_connection: object) -> None:
        self._listener = None  # a closed connection goes back to the pool by itself
        self._wake.set()
