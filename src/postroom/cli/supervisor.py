"""Keeps child processes running, and stops them in order.

Each role (api, deliver, events, bounces, mailbox) has slots; a slot holds one process at a time, and a process that
ends is replaced: at once the first time, with growing pauses while it keeps ending soon after its start.

A child learns to stop in one of two ways, and does the same in both: finish what is in flight, give the rest
back, end. SIGTERM is the ordinary way. The other is its lifeline, a pipe that only the supervisor holds open
for writing: it closes when the supervisor is gone, even by kill -9.

    started -> runs -> ends by itself -> (pause) -> started, one generation on
                    -> told to stop   -> ends    -> slot is empty
                                      -> does not end in time -> SIGKILL
"""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from postroom.store.embedded import EmbeddedPostgres
from postroom.store.errors import StoreError
from postroom.store.process import ChildProcess, start_process

# A process that lived this long had no trouble starting; its end is a new story.
SETTLED_SECONDS = 10.0
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 15.0
# Ends in a row before anything answered: the start is given up, for waiting would not help.
HOPELESS_ENDS = 4


def pause_before_restart(ends_in_a_row: int) -> float:
    """Seconds to wait before a slot gets its next process; 1 is the first end after a good life."""
    if ends_in_a_row <= 1:
        return 0.0
    return float(min(FIRST_PAUSE * 2 ** (ends_in_a_row - 2), LONGEST_PAUSE))


@dataclass(frozen=True)
class Place:
    """Where and as what a process is started: `owner` names it in leases, `replaces` is its dead predecessor."""

    role: str
    slot: int
    generation: int
    instance: str

    @property
    def name(self) -> str:
        """The name in logs, such as deliver-1."""
        return f"{self.role}-{self.slot}"

    @property
    def owner(self) -> str:
        """The name that no other process ever had."""
        return f"{self.instance}/{self.name}/{self.generation}"

    @property
    def replaces(self) -> str | None:
        """The owner name of the process before it in the slot."""
        if self.generation == 1:
            return None
        return Place(self.role, self.slot, self.generation - 1, self.instance).owner


@dataclass(frozen=True)
class Role:
    """A kind of child: how many, how they are started, which descriptors they inherit, how long they may take.

    `arguments` gets the place and gives the words after the program's. `stop_seconds` is how long a process
    may finish what is in flight.
    """

    name: str
    processes: int
    arguments: Callable[[Place], Sequence[str]]
    stop_seconds: float
    descriptors: tuple[int, ...] = ()


class Lifeline:
    """The pipe whose closing tells children that their supervisor is gone."""

    def __init__(self) -> None:
        self.child_end, self._own_end = os.pipe()

    def close(self) -> None:
        """Close both ends; children that still live stop now."""
        os.close(self._own_end)
        os.close(self.child_end)


class Starts:
    """The pipe on which each child tells, in a line with its process id, that it runs and can be stopped."""

    def __init__(self) -> None:
        self._own_end, self.child_end = os.pipe()
        os.set_blocking(self._own_end, False)
        self._unread = b""
        self._pids: set[int] = set()
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._own_end, self._read)

    def _read(self) -> None:
        lines = (self._unread + os.read(self._own_end, 4096)).split(b"\n")
        self._unread = lines.pop()
        self._pids.update(int(line) for line in lines)
        self._news.set()

    async def include(self, pids: Callable[[], set[int]]) -> None:
        """Wait until all these processes have told; asked again whenever one tells, for processes change."""
        while not pids() <= self._pids:
            self._news.clear()
            await self._news.wait()

    def close(self) -> None:
        """Close both ends."""
        asyncio.get_running_loop().remove_reader(self._own_end)
        os.close(self._own_end)
        os.close(self.child_end)


class Supervisor:
    """Runs roles until they are stopped.

    `program` is how a child's command line begins, `environ` its environment, `instance` begins the owner names.
    `hurry` is the event of the second Ctrl-C: it makes every stop quick. `hopeless` is a future that gets a
    sentence when a process keeps ending before `answering` was called.
    """

    def __init__(
        self, program: Sequence[str], environ: Mapping[str, str], *, instance: str, hurry: asyncio.Event
    ) -> None:
        self._program = tuple(program)
        self._environ = dict(environ)
        self._instance = instance
        self._lifeline = Lifeline()
        self._starts = Starts()
        self._log = structlog.get_logger("supervisor")
        self._keepers: dict[str, list[asyncio.Task[None]]] = {}
        self._running: dict[str, dict[int, ChildProcess]] = {}
        self._stopping: set[str] = set()
        self._answering = False
        self.hopeless: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._hurry = hurry

    def run(self, role: Role) -> None:
        """Start the processes of a role and keep them running."""
        self._running[role.name] = {}
        self._stopping.discard(role.name)
        self._keepers[role.name] = [
            asyncio.create_task(self._keep(role, slot), name=f"keep {role.name}-{slot}")
            for slot in range(1, role.processes + 1)
        ]

    def answering(self) -> None:
        """Say that the start succeeded: from now on no number of ends is hopeless."""
        self._answering = True

    async def all_started(self) -> None:
        """Wait until every slot of every role holds a process that said it runs."""
        await self._starts.include(
            lambda: {process.pid for slots in self._running.values() for process in slots.values()}
        )

    def pids(self, role: str) -> dict[int, int]:
        """The process ids of a role's living processes by slot."""
        return {slot: process.pid for slot, process in self._running.get(role, {}).items() if process.alive}

    async def _keep(self, role: Role, slot: int) -> None:
        loop = asyncio.get_running_loop()
        generation = ends_in_a_row = 0
        while role.name not in self._stopping:
            generation += 1
            place = Place(role.name, slot, generation, self._instance)
            begun = loop.time()
            process = self._start(role, place)
            self._running[role.name][slot] = process
            self._log.debug("started", child=place.name, pid=process.pid, owner=place.owner)
            code = await process.wait()
            if role.name in self._stopping:
                return
            ends_in_a_row = 1 if loop.time() - begun >= SETTLED_SECONDS else ends_in_a_row + 1
            pause = pause_before_restart(ends_in_a_row)
            self._log.warning(
                "a process ended and is replaced",
                child=place.name,
                pid=process.pid,
                why=describe_end(code),
                pause_seconds=pause,
            )
            if not self._answering and ends_in_a_row >= HOPELESS_ENDS and not self.hopeless.done():
                self.hopeless.set_result(f"{place.name} ended {ends_in_a_row} times ({describe_end(code)})")
            await asyncio.sleep(pause)

    def _start(self, role: Role, place: Place) -> ChildProcess:
        lifeline, started = self._lifeline.child_end, self._starts.child_end
        words = [*role.arguments(place), "--lifeline-fd", str(lifeline), "--started-fd", str(started)]
        return start_process(
            [*self._program, *words], env=self._environ, pass_fds=(*role.descriptors, lifeline, started)
        )

    async def stop(self, role: Role) -> None:
        """Tell a role's processes to finish, wait for them, and kill those that do not end in time."""
        self._stopping.add(role.name)
        processes = [process for process in self._running.get(role.name, {}).values() if process.alive]
        for process in processes:
            process.send(signal.SIGTERM)
        await self._ended(processes, role.stop_seconds)
        for process in processes:
            if process.alive:
                self._log.warning("a process does not stop and is killed", role=role.name, pid=process.pid)
                process.send(signal.SIGKILL)
        # Also those that wait for their pause to be over.
        for keeper in self._keepers.pop(role.name, []):
            keeper.cancel()
            await asyncio.wait([keeper])
        for process in processes:
            await process.ends_within(5.0)

    async def _ended(self, processes: Sequence[ChildProcess], seconds: float) -> None:
        """Wait until all have ended, the time is over, or a second after the word to hurry."""
        ends = asyncio.create_task(_all_ended(processes))
        hurried = asyncio.create_task(_is_set(self._hurry))
        await asyncio.wait([ends, hurried], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if hurried.done() and not ends.done():
            await asyncio.wait([ends], timeout=1.0)
        ends.cancel()
        hurried.cancel()
        await asyncio.wait([ends, hurried])

    def close(self) -> None:
        """Let go of the lifeline, after every role was stopped."""
        self._lifeline.close()
        self._starts.close()
        self.hopeless.cancel()


async def _all_ended(processes: Sequence[ChildProcess]) -> None:
    for process in processes:
        await process.wait()


async def _is_set(event: asyncio.Event) -> None:
    await event.wait()


async def keep_postgres(server: EmbeddedPostgres) -> None:
    """Start the embedded server again whenever it ends by itself. Cancel this before stopping the server.

    The other processes come back to it by themselves; they meet the same socket.
    """
    log = structlog.get_logger("supervisor")
    ends_in_a_row = 0
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while True:
        code = await server.wait()
        ends_in_a_row = 1 if loop.time() - begun >= SETTLED_SECONDS else ends_in_a_row + 1
        pause = pause_before_restart(ends_in_a_row)
        log.error("PostgreSQL ended and is started again", why=describe_end(code), pause_seconds=pause)
        await asyncio.sleep(pause)
        begun = loop.time()
        try:
            await server.start()
        except (StoreError, OSError) as failed:
            # wait() reports the same end again, so the pause grows until it works.
            log.error("PostgreSQL did not start", error=str(failed))
        else:
            log.info("PostgreSQL answers again", seconds=round(loop.time() - begun, 1))


def describe_end(code: int) -> str:
    """An exit code in words: `killed by SIGKILL`, `exit 1`."""
    if code >= 0:
        return f"exit {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
