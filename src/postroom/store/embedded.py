"""The embedded PostgreSQL: made, started, taken over after a crash, and stopped cleanly.

We start `postgres` ourselves and hold it as a child, so that its end is noticed and a start may take as long as
crash recovery takes. Rules:

- The caller holds the lock of the data directory. A postmaster that still runs on it is therefore an orphan of
  a server that was killed: it is shut down cleanly first, then ours starts.
- A pid file whose process is gone, or is no PostgreSQL of this cluster, is stale and is removed.
- After a kill of the postmaster its sessions hold the shared memory for a moment; the start waits for them.
- Stopping is PostgreSQL's fast shutdown: sessions end, everything is written, no recovery at the next start.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import asyncpg

from postroom.store.binaries import Binaries, find_binaries, reachable_for
from postroom.store.directory import DataDirectory, require_reachable, server_user
from postroom.store.errors import ServerFailed
from postroom.store.process import ChildProcess, User, process_exists, start_process
from postroom.store.server_config import (
    HOST_RULES,
    LOCAL_CONFIG,
    LOCAL_TEXT,
    MAX_CONNECTIONS,
    ServerConfig,
    machine_memory,
)

SUPERUSER = "postroom"
DATABASE = "postroom"
# sun_path holds 107 bytes, of which the server takes "/.s.PGSQL.5432".
LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.5432")
LARGEST_LOG = 16 * 1024 * 1024
_STILL_IN_USE = "is still in use"


class EmbeddedPostgres:
    """One private PostgreSQL in a data directory. `start` may be called again after it ended.

    `report` gets a sentence whenever the reader should know why it takes long. `memory` is what the server may
    plan with, in bytes; `max_connections` counts all sessions of all processes.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        report: Callable[[str], None] = lambda text: None,
        memory: int | None = None,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._directory = DataDirectory(data_dir)
        self._report = report
        self._memory = memory if memory is not None else machine_memory()
        self._max_connections = max_connections
        self._process: ChildProcess | None = None
        self._socket_folder: Path | None = None

    @property
    def cluster(self) -> Path:
        """The folder of the database files."""
        return self._directory.path / "postgresql"

    @property
    def log_file(self) -> Path:
        """What the server says, appended; the file before it is postgresql.log.1."""
        return self._directory.path / "postgresql.log"

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        return self._process.pid if self._process and self._process.alive else None

    @property
    def alive(self) -> bool:
        """Whether the postmaster runs."""
        return self._process is not None and self._process.alive

    @property
    def dsn(self) -> str:
        """How to connect; valid from the first start on, and the same after each further one."""
        if self._socket_folder is None:
            raise ServerFailed("the embedded PostgreSQL was not started yet")
        return f"postgresql://{SUPERUSER}@/{DATABASE}?host={quote(str(self._socket_folder))}"

    async def start(self) -> str:
        """Start the server, making the cluster where there is none, and return the dsn when it answers.

        Raises `BinariesNotFound`, `DirectoryUnusable` or `ServerFailed`.
        """
        if self.alive:
            return self.dsn
        self._directory.make()
        user = server_user(self.cluster)
        if user is not None:
            require_reachable(self._directory.path, user)
        binaries = find_binaries(self.cluster)
        if user is not None:
            binaries = reachable_for(binaries, user, self._directory.path / "binaries")
        await self._take_over()
        if not (self.cluster / "PG_VERSION").exists():
            await self._initialise(binaries, user)
        socket_folder = self._make_socket_folder(user)
        config = ServerConfig(
            socket_folder=socket_folder,
            memory=self._memory,
            lz4=binaries.has_lz4(),
            max_connections=self._max_connections,
        )
        _write_as(self.cluster / "postgresql.conf", config.text(), user)
        _write_as(self.cluster / "pg_hba.conf", HOST_RULES, user)
        if not (self.cluster / LOCAL_CONFIG).exists():
            _write_as(self.cluster / LOCAL_CONFIG, LOCAL_TEXT, user)
        await self._launch(binaries, user, socket_folder)
        await self._create_database(socket_folder)
        return self.dsn

    async def wait(self) -> int:
        """Wait until the postmaster ends, for whatever reason; its exit code."""
        if self._process is None:
            raise ServerFailed("the embedded PostgreSQL was not started yet")
        return await self._process.wait()

    async def stop(self, *, within: float = 25.0) -> bool:
        """Shut down; True when it ended cleanly.

        After `within` seconds the server is told to end at once (the next start recovers, nothing committed is
        lost), and five seconds later it is killed.
        """
        process = self._process
        if process is None:
            return True
        clean = False
        for number, seconds in ((signal.SIGINT, within), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            process.send(number)
            if await process.ends_within(seconds):
                clean = process.returncode == 0
                break
        if self._socket_folder is not None and self._socket_folder.parent != self._directory.path:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
            self._socket_folder = None
        return clean

    async def _take_over(self) -> None:
        """Shut down an orphan, and remove a pid file nobody stands behind."""
        pid_file = self.cluster / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except (FileNotFoundError, NotADirectoryError):
            return
        except ValueError:
            pid = 0
        if pid <= 0 or not self._is_ours(pid):
            pid_file.unlink(missing_ok=True)
            return
        self._report(f"a PostgreSQL (process {pid}) of a server that was killed still runs here; stopping it")
        for number, seconds in ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0)):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                return
            if await _gone(pid, seconds):
                return
        raise ServerFailed(
            f"option POSTROOM_DATA_DIR={self._directory.path}: PostgreSQL process {pid} works on it and does not "
            f"stop; end it (kill -QUIT {pid}) and start again"
        )

    def _is_ours(self, pid: int) -> bool:
        """Whether this process is a postmaster of our cluster, and not one that was given its old number."""
        if not process_exists(pid):
            return False
        try:
            return Path(f"/proc/{pid}/cwd").samefile(self.cluster)
        except OSError:
            listed = subprocess.run(
                ["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False
            )
            return "postgres" in listed.stdout and str(self.cluster) in listed.stdout

    async def _initialise(self, binaries: Binaries, user: User | None) -> None:
        """Make the cluster beside its place and move it there, so that a killed initdb leaves nothing half."""
        for leftover in self._directory.path.glob("postgresql.new-*"):
            shutil.rmtree(leftover)
        fresh = self._directory.path / f"postgresql.new-{os.getpid()}"
        _make_private(fresh, user)
        with tempfile.TemporaryFile() as said:
            initdb = start_process(
                [
                    binaries.program("initdb"),
                    f"--pgdata={fresh}",
                    f"--username={SUPERUSER}",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--auth=trust",
                    "--data-checksums",
                ],
                user=user,
                env=_environment(),
                cwd=fresh,
                output=said.fileno(),
                errors=subprocess.STDOUT,
            )
            try:
                code = await initdb.wait()
            except asyncio.CancelledError:
                # Told to stop while it works: what it made so far is thrown away at the next start.
                initdb.send(signal.SIGINT)
                await initdb.ends_within(5.0)
                raise
            said.seek(0)
            text = said.read().decode(errors="replace")
        if code != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            raise ServerFailed(
                f"option POSTROOM_DATA_DIR={self._directory.path}: initdb could not make the database "
                f"(exit {code}):\n{_tail(text)}"
            )
        if self.cluster.exists():
            # An empty folder made by hand; one with files in it is not ours to touch, and this raises.
            try:
                self.cluster.rmdir()
            except OSError:
                shutil.rmtree(fresh, ignore_errors=True)
                raise ServerFailed(
                    f"option POSTROOM_DATA_DIR={self._directory.path}: {self.cluster} holds files and is no "
                    "PostgreSQL cluster; move it away, or name another folder"
                ) from None
        fresh.rename(self.cluster)
        _sync_folder(self._directory.path)

    def _make_socket_folder(self, user: User | None) -> Path:
        """A folder for the socket that only the server's user (and root) can enter, with a short enough path."""
        if self._socket_folder is None:
            wanted = self._directory.path / "run"
            if len(os.fsencode(wanted)) <= LONGEST_SOCKET_FOLDER:
                self._socket_folder = wanted
            else:
                # mkdtemp makes a folder nobody else can have prepared.
                self._socket_folder = Path(tempfile.mkdtemp(prefix="postroom-", dir="/tmp"))
        _make_private(self._socket_folder, user)
        # Left by a crash. The lock names a process id that may be somebody else's by now.
        for leftover in self._socket_folder.glob(".s.PGSQL.*"):
            leftover.unlink()
        return self._socket_folder

    async def _launch(self, binaries: Binaries, user: User | None, socket_folder: Path) -> None:
        """Start the postmaster and return when it takes connections, however long recovery takes."""
        self._rotate_log()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while True:
            logged = self.log_file.stat().st_size if self.log_file.exists() else 0
            log = os.open(self.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                self._process = start_process(
                    [binaries.program("postgres"), "-D", str(self.cluster)],
                    user=user,
                    env=_environment(),
                    cwd=self.cluster,
                    output=log,
                    errors=log,
                )
            finally:
                os.close(log)
            if await self._answers(self._process, socket_folder):
                return
            said = _tail(self._logged_since(logged))
            if _STILL_IN_USE not in said or loop.time() - begun > 60.0:
                raise ServerFailed(
                    f"option POSTROOM_DATA_DIR={self._directory.path}: PostgreSQL did not start "
                    f"(exit {self._process.returncode}); {self.log_file} says:\n{said}"
                )
            await asyncio.sleep(0.2)

    async def _answers(self, process: ChildProcess, socket_folder: Path) -> bool:
        """True when the server takes a connection, False when it ended first."""
        loop = asyncio.get_running_loop()
        begun = told = loop.time()
        pause = 0.02
        while process.alive:
            if _pid_file_says_ready(self.cluster):
                try:
                    connection = await _connect(socket_folder, "postgres")
                except (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError):
                    pass
                else:
                    await connection.close()
                    return True
            if loop.time() - told >= 5.0:
                told = loop.time()
                self._report(
                    f"PostgreSQL is starting, {told - begun:.0f} s so far; after a crash it reads its log again first"
                )
            await process.ends_within(pause)
            pause = min(pause * 1.5, 0.25)
        return False

    async def _create_database(self, socket_folder: Path) -> None:
        connection = await _connect(socket_folder, "postgres")
        try:
            there = await connection.fetchval("select true from pg_database where datname = $1", DATABASE)
            if not there:
                await connection.execute(f'create database "{DATABASE}"')
        finally:
            await connection.close()

    def _rotate_log(self) -> None:
        if self.log_file.exists() and self.log_file.stat().st_size > LARGEST_LOG:
            self.log_file.rename(self.log_file.with_name("postgresql.log.1"))

    def _logged_since(self, offset: int) -> str:
        with self.log_file.open("rb") as log:
            log.seek(offset)
            return log.read().decode(errors="replace")


async def _connect(socket_folder: Path, database: str) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(
        user=SUPERUSER, database=database, host=str(socket_folder), port=5432, timeout=10.0, password=""
    )


def _pid_file_says_ready(cluster: Path) -> bool:
    """Whether the last line of the pid file is `ready`: asking the socket while it recovers only fills the log."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"


async def _gone(pid: int, seconds: float) -> bool:
    """Whether a process that is not our child ends within this time."""
    deadline = asyncio.get_running_loop().time() + seconds
    while process_exists(pid):
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(0.05)
    return True


def _make_private(folder: Path, user: User | None) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    if user is not None:
        os.chown(folder, user.uid, user.gid)
    folder.chmod(0o700)


def _sync_folder(folder: Path) -> None:
    """Make a rename in the folder last through a power cut."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _write_as(path: Path, text: str, user: User | None) -> None:
    """Replace a file in one step, owned by the server's user."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text, encoding="utf-8")
    if user is not None:
        os.chown(fresh, user.uid, user.gid)
    fresh.chmod(0o600)
    fresh.rename(path)


def _environment() -> dict[str, str]:
    """The server's environment: none of our variables, so that no PG* or LD_* of ours changes it."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _tail(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(f"    {line}" for line in lines[-12:]) or "    (nothing)"
