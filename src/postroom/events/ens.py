"""The role `postroom events`: which callbacks this process tells, and when they look for events.

Callbacks are shared among processes by leases, so one more process is a spare, not a second stream. The process
looks every tenth of a second whether the log has grown, by the sequence that numbers events, and wakes its callbacks
then; a second look follows, since a number is drawn before its event is committed.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias
from uuid import UUID

import structlog

from postroom.events.poster import Poster
from postroom.events.reach import Resolve, resolve_addresses
from postroom.events.sender import CallbackSender, SendingRules
from postroom.store.pool import Pool
from postroom.store.trouble import DATABASE_TROUBLE, Trouble, tell_trouble

Key: TypeAlias = tuple[int, UUID]

_ACCOUNTS = "select distinct account_id from callback where verified_at is not null"

# Ours are renewed, those that nobody holds are taken.
_CLAIM = """
update callback set owner = $2, leased_until = now() + $3::interval
 where account_id = $1 and callback_id in (
       select callback_id from callback
        where account_id = $1 and verified_at is not null
          and (owner = $2 and leased_until < now() + $3::interval * 2 / 3
               or owner = any($4::text[]) or leased_until < now())
        order by callback_id
          for update skip locked)
returning callback_id
"""

_HELD = "select callback_id from callback where account_id = $1 and owner = $2 and verified_at is not null"

_RELEASE = "update callback set owner = null, leased_until = '-infinity' where account_id = $1 and owner = $2"

_NUMBER = "select last_value from event_id"


@dataclass(frozen=True, slots=True)
class EventsOptions:
    """How this process works. ``replaces`` is the owner name of a dead predecessor, whose callbacks are taken over."""

    owner: str
    replaces: str | None
    rules: SendingRules
    lease: timedelta = timedelta(seconds=15)
    look: timedelta = timedelta(milliseconds=50)
    """Between two looks at the log's number."""
    refresh: timedelta = timedelta(seconds=1)
    """Between two looks for callbacks; leases are renewed with them."""
    linger: timedelta = timedelta(seconds=2)
    """How long after the last new number callbacks still look: it may be committed late."""


class EventsWorker:
    """Tells callbacks. ``wall_clock`` gives seconds since the epoch, ``rand`` [0, 1); the rest is given by tests."""

    def __init__(
        self,
        pool: Pool,
        options: EventsOptions,
        *,
        wall_clock: Callable[[], float],
        rand: Callable[[], float],
        tls: ssl.SSLContext | None = None,
        resolve: Resolve = resolve_addresses,
    ) -> None:
        self._pool = pool
        self._options = options
        self._wall_clock = wall_clock
        self._rand = rand
        self._tls = tls
        self._resolve = resolve
        self._senders: dict[Key, tuple[CallbackSender, asyncio.Task[None]]] = {}
        self._log = structlog.get_logger("events")

    async def run(self, stop: asyncio.Event) -> None:
        """Send until ``stop`` is set; then finish the requests on their way and give the callbacks back."""
        looking = asyncio.create_task(self._look())
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                try:
                    await self._refresh()
                except DATABASE_TROUBLE as error:
                    tell_trouble(self._log, "callbacks_wait_for_database", error)
                await asyncio.wait([stopping], timeout=self._options.refresh.total_seconds())
        finally:
            looking.cancel()
            stopping.cancel()
            await asyncio.gather(looking, stopping, return_exceptions=True)
            await self._end()

    async def _refresh(self) -> None:
        options = self._options
        replaced = [] if options.replaces is None else [options.replaces]
        ours: set[Key] = set()
        for row in await self._pool.fetch(_ACCOUNTS):
            account_id = row["account_id"]
            try:
                claimed = await self._pool.fetch(_CLAIM, account_id, options.owner, options.lease, replaced)
                # What was locked for a moment by its own sender is still ours.
                held = await self._pool.fetch(_HELD, account_id, options.owner)
            except DATABASE_TROUBLE as error:
                trouble = tell_trouble(self._log, "callbacks_not_claimed", error, account_id=account_id)
                if trouble is Trouble.AWAY:
                    raise
                ours.update(key for key in self._senders if key[0] == account_id)
            else:
                ours.update((account_id, each["callback_id"]) for each in [*claimed, *held])
        for key in ours:
            running = self._senders.get(key)
            if running is None or running[1].done():
                self._start(key)
        for key in [key for key in self._senders if key not in ours]:
            # Its sender ends by itself: its next look finds no such callback of ours.
            sender, task = self._senders[key]
            sender.wake()
            if task.done():
                del self._senders[key]

    def _start(self, key: Key) -> None:
        account_id, callback_id = key
        options = self._options
        sender = CallbackSender(
            self._pool,
            account_id,
            callback_id,
            options.owner,
            options.rules,
            poster=Poster(private=options.rules.private, tls=self._tls, resolve=self._resolve),
            wall_clock=self._wall_clock,
            rand=self._rand,
        )
        self._senders[key] = (sender, asyncio.create_task(self._keep(key, sender)))

    async def _keep(self, key: Key, sender: CallbackSender) -> None:
        try:
            await sender.run()
        except Exception:
            # Whatever is wrong with one callback ends its task only; the next refresh starts it again.
            self._log.exception("callback_failed", callback_id=str(key[1]))

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        number = -1
        awake_until = 0.0
        slow_at = 0.0
        while True:
            try:
                found = int(await self._pool.fetchval(_NUMBER))
            except DATABASE_TROUBLE:
                found = number
            now = loop.time()
            if found != number:
                number = found
                awake_until = now + self._options.linger.total_seconds()
            if now < awake_until or now >= slow_at:
                slow_at = now + 1.0
                for sender, _ in self._senders.values():
                    sender.wake()
            await asyncio.sleep(self._options.look.total_seconds())

    async def _end(self) -> None:
        for sender, _ in self._senders.values():
            sender.close()
        tasks = [task for _, task in self._senders.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=self._options.rules.seconds + 0.5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(*DATABASE_TROUBLE):
            for account_id in {account_id for account_id, _ in self._senders}:
                await self._pool.execute(_RELEASE, account_id, self._options.owner)
        self._senders.clear()
