"""A webhook endpoint under the test's control, and the worker that tells it."""

import asyncio
import json
import os
import random
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.conformance.house import ACCOUNT, Hand, House, people

from postroom.delivery.outcome import Outcome, Sent
from postroom.events.callbacks import create_callback, verify_callback
from postroom.events.ens import EventsOptions, EventsWorker
from postroom.events.patience import Patience
from postroom.events.reach import Resolve, resolve_addresses
from postroom.events.sender import SendingRules
from postroom.events.signature import KeyReading
from postroom.events.subscriptions import EMAIL_NOT_SENT, EMAIL_SENT, create_subscription

PATIENCE = 30.0
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
BROKEN = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Hook:
    """One request as it came, and when (on the loop's clock)."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it tells."""
        told: list[dict[str, Any]] = json.loads(self.body)
        return told


@dataclass
class Receiver:
    """The endpoint. ``answer`` gives the bytes that go back, ``writer`` is there for whoever answers in pieces."""

    answer: Callable[[Hook, asyncio.StreamWriter], Awaitable[bytes]]
    url: str = ""
    hooks: list[Hook] = field(default_factory=list)
    connections: int = 0
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, happens: Callable[[list[Hook]], bool]) -> None:
        """Wait for what came so far to be so."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: happens(self.hooks))

    async def told(self, count: int) -> list[str]:
        """Wait for so many events; all message keys that were told, in order."""
        await self.until(lambda hooks: sum(len(hook.events) for hook in hooks) >= count)
        return self.keys()

    def keys(self) -> list[str]:
        """The message keys that were told, in order."""
        return [event["info"]["messageKey"] for hook in self.hooks for event in hook.events]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {
                    name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:]) if name
                }
                body = await reader.readexactly(int(headers["content-length"]))
                hook = Hook(head[0].split()[1], headers, body, asyncio.get_running_loop().time())
                async with self._news:
                    self.hooks.append(hook)
                    self._news.notify_all()
                writer.write(await self.answer(hook, writer))
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


async def agree(_hook: Hook, _writer: asyncio.StreamWriter) -> bytes:
    """Answers 200."""
    return OK


async def refuse(_hook: Hook, _writer: asyncio.StreamWriter) -> bytes:
    """Answers 500."""
    return BROKEN


async def hang(_hook: Hook, _writer: asyncio.StreamWriter) -> bytes:
    """Never answers."""
    await asyncio.Event().wait()
    return b""


@asynccontextmanager
async def receiving(
    answer: Callable[[Hook, asyncio.StreamWriter], Awaitable[bytes]] = agree,
    *,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
) -> AsyncIterator[Receiver]:
    """A receiver on a loopback port; with ``tls`` its URL is https and names ``host``."""
    receiver = Receiver(answer)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await receiver.serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    scheme = "http" if tls is None else "https"
    receiver.url = f"{scheme}://{host}:{server.sockets[0].getsockname()[1]}/hooks"
    try:
        yield receiver
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def subscribe(
    house: House,
    url: str,
    *,
    types: tuple[str, ...] = (EMAIL_SENT, EMAIL_NOT_SENT),
    filters: tuple[str, ...] = (),
    batch: int = 1000,
) -> UUID:
    """A verified callback with one subscription; the callback's id."""
    callback_id = uuid4()
    made = await create_callback(
        house.pool,
        ACCOUNT,
        callback_id=callback_id,
        name="Hook",
        url=url,
        max_batch_size=batch,
        verification_key="k",
        random_bytes=os.urandom,
    )
    assert made is not None
    assert await verify_callback(house.pool, ACCOUNT, callback_id, "k")
    subscription = await create_subscription(
        house.pool,
        ACCOUNT,
        subscription_id=uuid4(),
        callback_id=callback_id,
        name=f"Subscription {callback_id}",
        event_types=types,
        filters=filters,
    )
    assert subscription is not None
    return callback_id


def events_worker(
    house: House,
    *,
    owner: str = "here",
    replaces: str | None = None,
    seconds: float = 3.0,
    longest: float = 600.0,
    reading: KeyReading = "text",
    private: bool = True,
    lease: float = 15.0,
    tls: ssl.SSLContext | None = None,
    resolve: Resolve = resolve_addresses,
) -> EventsWorker:
    """A worker on the house's database."""
    rules = SendingRules(
        private=private, reading=reading, seconds=seconds, patience=Patience(longest=timedelta(seconds=longest))
    )
    options = EventsOptions(owner=owner, replaces=replaces, rules=rules, lease=timedelta(seconds=lease))
    options = replace(options, refresh=timedelta(milliseconds=100))
    return EventsWorker(house.pool, options, wall_clock=time.time, rand=random.random, tls=tls, resolve=resolve)


@asynccontextmanager
async def telling(worker: EventsWorker) -> AsyncIterator[None]:
    """The worker runs, and stops cleanly in the end."""
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    try:
        yield
    finally:
        stop.set()
        await running


async def send(house: House, keys: list[str], outcome: Callable[[Any], Outcome] = lambda _: Sent()) -> None:
    """Accept messages of these keys and settle them."""
    await house.accept(people(keys))
    assert await Hand(house, "hand").work(outcome) == keys
