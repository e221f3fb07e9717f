"""`postroom serve`: everything on one machine, started in order and stopped in the opposite one.

    start  lock the data directory, bind the ports, PostgreSQL, migrations, mailbox, bounces, events, delivery, API,
           "ready"
    stop   API (finishes its requests), delivery (finishes what is in flight, releases its leases), events (finishes
           its webhooks), bounces, mailbox, PostgreSQL last and cleanly; all within 30 seconds, quicker at the second
           Ctrl-C

What the processes do is the composition root's business (`postroom.assembly`); it comes in as a `Program`, so
that this order can be tested with other programs.
"""

import asyncio
import dataclasses
import os
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Protocol, TextIO

import structlog

from postroom.cli.banner import Credentials, banner
from postroom.cli.child import StopSignals
from postroom.cli.database import reach_database
from postroom.cli.failures import StartFailed
from postroom.cli.sockets import bound_address, free_address, listen, loopback_of
from postroom.cli.supervisor import Place, Role, Supervisor, keep_postgres
from postroom.settings import (
    Address,
    Settings,
    default_public_url,
    settings_environ,
)
from postroom.store.directory import DataDirectory
from postroom.store.embedded import EmbeddedPostgres

# A stop takes at most this long altogether; PostgreSQL gets what the others leave.
STOP_SECONDS = 30.0
API_STOP_SECONDS = 11.0
DELIVERY_STOP_SECONDS = 8.0
EVENTS_STOP_SECONDS = 4.0
MAILBOX_STOP_SECONDS = 2.0
BOUNCES_STOP_SECONDS = 2.0

READY = "postroom: ready"


class Prepared(Protocol):
    """What preparing the database gives back: the ready-made client, where there is one to show."""

    @property
    def client(self) -> Credentials | None: ...


@dataclass(frozen=True)
class Program:
    """What is run: the words that start a child, and the preparation of the database."""

    command: Sequence[str]
    prepare: Callable[[Settings, str], Awaitable[Prepared]]


async def serve(settings: Settings, program: Program, output: TextIO) -> int:
    """Run everything until SIGTERM or Ctrl-C; the exit code.

    Writes the banner to `output` when everything answers, its last line `postroom: ready`. Raises
    `SettingsRejected`, `StoreError` or `StartFailed` when the start fails; whatever was started is stopped then.
    """
    with StopSignals() as signals:
        async with AsyncExitStack() as held:
            work = asyncio.create_task(_serve(settings, program, output, signals, held))
            stop = asyncio.create_task(signals.stopped())
            await asyncio.wait([work, stop], return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
        # Leaving the stack has stopped everything, last started first.
        return 0


async def _serve(
    settings: Settings, program: Program, output: TextIO, signals: StopSignals, held: AsyncExitStack
) -> None:
    if settings.database_url is None:
        directory = DataDirectory(settings.data_dir)
        directory.make()
        directory.lock()
        held.callback(directory.unlock)
    listener = held.enter_context(listen("POSTROOM_HTTP", settings.http))
    settings = _with_real_ports(settings, listener)
    dsn = await _database(settings, signals, held)
    prepared = await program.prepare(settings, dsn)

    supervisor = Supervisor(
        program.command, child_environ(settings, dsn), instance=instance_name(), hurry=signals.hurry
    )
    held.callback(supervisor.close)
    for role in roles(settings, listener.fileno()):
        supervisor.run(role)
        held.push_async_callback(supervisor.stop, role)
    # First of all when stopping: a new connection is refused then, not left waiting for a process that ends.
    held.callback(listener.close)
    await _all_answer(settings, supervisor)
    supervisor.answering()
    print(banner(settings, prepared.client), file=output)
    print(READY, file=output, flush=True)
    await asyncio.Event().wait()


async def _database(settings: Settings, signals: StopSignals, held: AsyncExitStack) -> str:
    """The dsn of the database, which answers now."""
    log = structlog.get_logger("serve")
    if settings.database_url is not None:
        await reach_database(settings.database_url)
        return settings.database_url
    server = EmbeddedPostgres(settings.data_dir, report=log.info)

    async def stop() -> None:
        # Five seconds of the time are for what follows when it does not end cleanly.
        left = STOP_SECONDS - 5.0 - signals.seconds_since_stop()
        if not await server.stop(within=2.0 if signals.hurry.is_set() else max(left, 2.0)):
            log.warning("PostgreSQL did not end cleanly; it recovers at the next start")

    held.push_async_callback(stop)
    dsn = await server.start()
    keeper = asyncio.create_task(keep_postgres(server), name="keep PostgreSQL")

    async def let_go() -> None:
        keeper.cancel()
        await asyncio.wait([keeper])

    held.push_async_callback(let_go)
    return dsn


def roles(settings: Settings, listen_fd: int) -> list[Role]:
    """The children in the order of their start; they are stopped in the opposite order."""
    found = []
    if settings.delivery == "sandbox":
        found.append(Role("mailbox", 1, lambda place: ["mailbox"], MAILBOX_STOP_SECONDS))
    if settings.bounce_smtp is not None:
        found.append(Role("bounces", 1, lambda place: ["bounces", "serve"], BOUNCES_STOP_SECONDS))
    found.append(Role("events", settings.events_processes, owner_arguments, EVENTS_STOP_SECONDS))
    found.append(Role("deliver", settings.delivery_processes, owner_arguments, DELIVERY_STOP_SECONDS))
    found.append(
        Role(
            "api",
            settings.api_processes,
            lambda place: ["api", "--listen-fd", str(listen_fd), "--process-name", place.name],
            API_STOP_SECONDS,
            (listen_fd,),
        )
    )
    return found


def owner_arguments(place: Place) -> list[str]:
    """The words that start a process which holds leases: its owner name and that of its dead predecessor."""
    words = [place.role, "--owner", place.owner]
    return words if place.replaces is None else [*words, "--replaces", place.replaces]


def instance_name() -> str:
    """A name for this run of `serve` that no other run on any machine has."""
    return f"{socket.gethostname()}-{os.getpid()}-{time.time_ns():x}"


def child_environ(settings: Settings, dsn: str) -> dict[str, str]:
    """A child's environment: ours, with all settings spelled out, and the database given by URL."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    return inherited | settings_environ(dataclasses.replace(settings, database_url=dsn))


def _with_real_ports(settings: Settings, listener: socket.socket) -> Settings:
    """The settings with port 0 replaced by what the system gave, also in the public URL that follows from it."""
    http = str(bound_address(listener, settings.http))
    public_url = settings.public_url
    if public_url == default_public_url(settings.http):
        public_url = default_public_url(http)
    tracking_url = public_url if settings.tracking_url == settings.public_url else settings.tracking_url
    sandbox_smtp = settings.sandbox_smtp
    if settings.delivery == "sandbox":
        sandbox_smtp = str(free_address("POSTROOM_SANDBOX_SMTP", sandbox_smtp))
    bounce_smtp = settings.bounce_smtp
    if bounce_smtp is not None:
        bounce_smtp = str(free_address("POSTROOM_BOUNCE_SMTP", bounce_smtp))
    return dataclasses.replace(
        settings,
        http=http,
        public_url=public_url,
        tracking_url=tracking_url,
        sandbox_smtp=sandbox_smtp,
        bounce_smtp=bounce_smtp,
    )


async def _all_answer(settings: Settings, supervisor: Supervisor) -> None:
    """Return when every process runs and API and mailbox answer; raise `StartFailed` when a process keeps ending."""
    places = [
        (loopback_of(settings.http_address), b"GET / HTTP/1.1\r\nHost: postroom\r\n\r\n", b"HTTP/"),
    ]
    if settings.delivery == "sandbox":
        places.append((loopback_of(settings.sandbox_smtp_address), b"", b"220"))
    if settings.bounce_smtp_address is not None:
        places.append((loopback_of(settings.bounce_smtp_address), b"", b"220"))

    async def all_answer() -> None:
        await supervisor.all_started()
        for place in places:
            await _answers(*place)

    async def hopeless() -> None:
        raise StartFailed(f"{await supervisor.hopeless}; the log lines above say why")

    tasks = [asyncio.create_task(all_answer()), asyncio.create_task(hopeless())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _answers(address: Address, question: bytes, beginning: bytes) -> None:
    """Return when a server on the address answers the question with these first bytes."""
    while True:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(5.0):
                reader, writer = await asyncio.open_connection(*address)
                try:
                    writer.write(question)
                    if await reader.readexactly(len(beginning)) == beginning:
                        return
                finally:
                    writer.close()
        await asyncio.sleep(0.05)
