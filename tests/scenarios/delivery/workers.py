"""Delivery workers against a scripted relay: in this process, or as `postroom deliver` processes of their own."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.conformance.house import ACCOUNT, House, people
from tests.scenarios.delivery.relay import Relay

from postroom.assembly.delivery import worker_options
from postroom.delivery.retry import RetrySchedule
from postroom.delivery.worker import Worker
from postroom.settings import load_settings

COMMAND = (sys.executable, "-P", "-m", "postroom.cli.main", "deliver")
PATIENCE = 60.0
SOON = RetrySchedule(waits=(timedelta(milliseconds=20),), max_age=timedelta(hours=1))


def environ(house: House, relay: Relay, /, **settings: object) -> dict[str, str]:
    """The environment of a worker: small connections, short waits."""
    given = {
        "database_url": house.dsn,
        "delivery": "relay",
        "relay": f"smtp://127.0.0.1:{relay.port}?tls=off",
        "relay_connections": 4,
        "public_url": "http://mail.example.com",
        "retry_schedule": "0.1s",
        **settings,
    }
    return {f"POSTROOM_{name.upper()}": str(value) for name, value in given.items()}


class Office:
    """A worker in this process, with the house it delivers for."""

    def __init__(self, house: House, worker: Worker) -> None:
        self._house = house
        self._worker = worker

    async def send(self, keys: Iterable[str], definition_key: str = "welcome", **attributes: object) -> None:
        """Accept a request, and tell the worker as an announcement does."""
        await self._house.accept(people(list(keys), attributes), definition_key)
        self._worker.announce(ACCOUNT)

    async def relay_is_away(self) -> bool:
        """Whether the worker has found out that its relay can't be reached."""
        return not self._worker._smtp.available


@asynccontextmanager
async def working(
    house: House, relay: Relay, /, *, schedule: RetrySchedule = SOON, **settings: object
) -> AsyncIterator[Office]:
    """A worker that runs, and stops cleanly in the end."""
    options = worker_options(load_settings(environ(house, relay, **settings)), owner="here", replaces=None)
    worker = Worker(house.pool, replace(options, schedule=schedule), rand=lambda: 0.5)
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    try:
        yield Office(house, worker)
    finally:
        stop.set()
        await running


class DeliverProcess:
    """A `postroom deliver` of its own."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self.log = log

    async def running(self, awaited: Coroutine[Any, Any, None]) -> None:
        """Wait for something that the process brings about; fail with its log when it ends before."""
        waiting = asyncio.create_task(awaited)
        ended = asyncio.create_task(self.process.wait())
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait([waiting, ended], return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not waiting.done():
            waiting.cancel()
            raise AssertionError(self.log.read_text()[-3000:])
        waiting.result()

    async def stop(self) -> None:
        """SIGTERM; it must end well."""
        self.process.terminate()
        async with asyncio.timeout(PATIENCE):
            code = await self.process.wait()
        assert code == 0, self.log.read_text()[-3000:]

    async def kill_nine(self) -> None:
        """No goodbye."""
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def deliver_process(
    house: House, relay: Relay, folder: Path, /, **settings: object
) -> AsyncIterator[DeliverProcess]:
    """A worker process; ended by force when the test has not ended it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    path = folder / "deliver.log"
    with path.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *COMMAND, env=inherited | environ(house, relay, **settings), stdout=log, stderr=log
        )
    try:
        yield DeliverProcess(process, path)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def all_final(house: House, messages: int) -> dict[str, tuple[str, int | None]]:
    """Wait until so many messages have a final event and nothing is queued; the event of each."""

    async def done() -> bool:
        return await house.count("queue") == 0 and len(await house.final()) >= messages

    await until(done)
    return await house.final()


async def until(told: Callable[[], Awaitable[bool]]) -> None:
    """Return when it is so; fail when that takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not await told():
        assert time.monotonic() < deadline, "it did not come so"
        await asyncio.sleep(0.02)
