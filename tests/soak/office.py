"""The server under test: `postroom serve` in production mode on a PostgreSQL of its own, reached over a wire.

Every process of it carries a mark in its environment, so that none is overlooked, whoever its parent is by then.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from tests.soak.cutting import Wire, wire

from postroom.cli.supervisor import keep_postgres
from postroom.store.embedded import EmbeddedPostgres

COMMAND = (sys.executable, "-P", "-m", "postroom.cli.main")
READY = b"postroom: ready"
MARK = "SOAK_RUN"
FAKE_CLOCK = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
"""Debian's package faketime; without it the clock is left alone."""
_MEMORY = 512 * 1024 * 1024
_START_SECONDS = 120.0
_STOP_SECONDS = 35.0


class Office:
    """``postgres`` is ours to kill; ``database`` the wire to it; ``serve`` the supervisor's process while it runs."""

    def __init__(
        self, folder: Path, postgres: EmbeddedPostgres, database: Wire, settings: Mapping[str, object]
    ) -> None:
        self.folder = folder
        self.postgres = postgres
        self.database = database
        self.log = folder / "serve.log"
        self.mark = f"{os.getpid()}-{time.time_ns()}"
        self.serve: asyncio.subprocess.Process | None = None
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
        dsn = f"postgresql://postroom@127.0.0.1:{database.port}/postroom?sslmode=disable"
        given = {"database_url": dsn, "data_dir": folder / "data", **settings}
        self._environ = inherited | {f"POSTROOM_{name.upper()}": str(value) for name, value in given.items()}
        self._environ[MARK] = self.mark
        self._clock = folder / "clock"
        self.step_clock(0)
        self._clockwork: dict[str, str] = {}
        if FAKE_CLOCK.exists():
            self._clockwork = {
                "LD_PRELOAD": str(FAKE_CLOCK),
                "FAKETIME_TIMESTAMP_FILE": str(self._clock),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "DONT_FAKE_MONOTONIC": "1",
            }

    def step_clock(self, seconds: float) -> None:
        """The clock of all processes but PostgreSQL's goes so much ahead of the machine's within a second."""
        fresh = self._clock.with_name("clock.new")
        fresh.write_text(f"{seconds:+.3f}\n")
        fresh.rename(self._clock)

    async def command(self, *words: str) -> str:
        """What a command of ours prints; it must succeed."""
        process = await asyncio.create_subprocess_exec(
            *COMMAND, *words, env=self._environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        said, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()[-2000:]
        return said.decode()

    async def start(self) -> None:
        """Start `serve`, again and again until it runs: the database may be away, or the port still be taken."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            if await self._started():
                return
            assert time.monotonic() < deadline, self.log_end()
            await asyncio.sleep(0.5)

    async def _started(self) -> bool:
        with self.log.open("ab") as errors:
            self.serve = await asyncio.create_subprocess_exec(
                *COMMAND, "serve", env=self._environ | self._clockwork, stdout=asyncio.subprocess.PIPE, stderr=errors
            )
        assert self.serve.stdout is not None
        while line := await self.serve.stdout.readline():
            if line.startswith(READY):
                return True
        await self.serve.wait()
        return False

    async def stop(self) -> tuple[int, float]:
        """SIGTERM; the exit code, and the seconds it took."""
        assert self.serve is not None
        begun = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            self.serve.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                code = await self.serve.wait()
        except TimeoutError:
            self.serve.kill()
            code = await self.serve.wait()
        return code, time.monotonic() - begun

    def log_end(self) -> str:
        """The log's last lines."""
        return self.log.read_text(errors="replace")[-3000:]

    # -- its processes

    def marked(self) -> dict[int, list[str]]:
        """All processes with our mark, and their command lines."""
        wanted = f"{MARK}={self.mark}".encode()
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
                    if words[0]:
                        found[int(folder.name)] = words
        return found

    def role(self, role: str) -> list[int]:
        """The processes of a role that run now; those that sign are the children of those that deliver."""
        marked = self.marked()
        delivering = {pid for pid, words in marked.items() if words[4:5] == ["deliver"]}
        if role == "signing":
            return sorted(pid for pid in marked if pid not in delivering and parent(pid) in delivering)
        return sorted(pid for pid, words in marked.items() if words[4:5] == [role])

    def backends(self) -> list[int]:
        """Processes of PostgreSQL that work for a client."""
        postmaster = self.postgres.pid
        if postmaster is None:
            return []
        found = []
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
            for pid in map(int, children):
                with contextlib.suppress(OSError):
                    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
                    if words.startswith("postgres: postroom"):
                        found.append(pid)
        return sorted(found)

    def strays(self) -> list[str]:
        """Processes that belong to nobody: their parent is no process of this server."""
        marked = self.marked()
        alive = set(marked) | {os.getpid()}
        return [f"{pid} {' '.join(words)[:150]}" for pid, words in marked.items() if parent(pid) not in alive]

    # -- its database, without the wire

    async def connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        """A connection that nobody cuts."""
        return await asyncpg.connect(self.postgres.dsn, timeout=10)

    async def ask(self, question: str, *arguments: object) -> object:
        """One value; raises while the database is away."""
        connection = await self.connect()
        try:
            return await connection.fetchval(question, *arguments, timeout=30)
        finally:
            await connection.close()

    async def database_answers(self) -> None:
        """Return when it does."""
        while True:
            with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self.ask("select 1")
                return
            await asyncio.sleep(0.1)


def parent(pid: int) -> int:
    """The parent's process id; 0 when the process is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def send_signal(pid: int, number: signal.Signals) -> None:
    """Nothing happens when it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


@asynccontextmanager
async def office(folder: Path, settings: Mapping[str, object]) -> AsyncIterator[Office]:
    """PostgreSQL runs and is started again whenever it ends; `serve` is not started yet. Leaves no process behind."""
    postgres = EmbeddedPostgres(folder / "data", memory=_MEMORY)
    await postgres.start()
    keeper = asyncio.create_task(keep_postgres(postgres))

    async def upstream() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host = postgres.dsn.partition("?host=")[2].replace("%2F", "/")
        return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.5432")

    try:
        async with wire(upstream) as database:
            made = Office(folder, postgres, database, settings)
            try:
                yield made
            finally:
                for pid in made.marked():
                    send_signal(pid, signal.SIGKILL)
                if made.serve is not None:
                    await made.serve.wait()
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        await postgres.stop(within=10)
