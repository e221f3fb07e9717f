"""Throwaway PostgreSQL servers for tests, and a fresh, migrated database for each test.

Fixtures (registered by tests/conftest.py):

- `database`: the dsn of a fresh database on the embedded server; what most tests want.
- `debian_database`: the same on Debian's PostgreSQL, reached by a TCP URL.
- `any_database`: runs the test once on each; for what the store promises.
- `reachable_tmp_path`: like `tmp_path`, but the user PostgreSQL runs as may enter it; in memory where that has room.
- `disk_tmp_path`: the same on the disk, for stories of what is on it.

Every xdist worker starts its own servers, at first use, so workers share nothing. A database is copied from a
migrated template and dropped after the test. These servers do not wait for the disk: tests end processes, never the
machine, and what a process has written survives it. Servers that tests start otherwise are as Postroom makes them.
"""

import asyncio
import contextlib
import itertools
import os
import re
import socket
import subprocess
import tempfile
import threading
from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest

from postroom.store.binaries import machine_folders
from postroom.store.directory import server_user
from postroom.store.embedded import EmbeddedPostgres
from postroom.store.migrate import migrate
from postroom.store.pool import connect

_T = TypeVar("_T")

TEMPLATE = "postroom_template"
# Enough for tests, and little enough to run beside others.
MEMORY = 512 * 1024 * 1024

# What making and dropping a database costs is mostly flushing its hundreds of files.
NO_FLUSHING = ("alter system set fsync = off", "alter system set full_page_writes = off", "select pg_reload_conf()")

# Tests look a few days back (keys of earlier days) and may run over midnight.
MAKE_DAYS = """
select ensure_day_partitions((now() at time zone 'UTC')::date - 4, (now() at time zone 'UTC')::date + 3)
"""


class LoopThread:
    """An event loop of its own, so that what lives for the session is bound to no test's loop."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="servers", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run to the end and return the result, from any thread but the loop's own."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def close(self) -> None:
        """End the loop and its thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class Databases:
    """Fresh databases on one server, copied from a migrated template."""

    def __init__(self, server_dsn: str, loop: LoopThread) -> None:
        self.server_dsn = server_dsn
        self._loop = loop
        self._numbers = itertools.count(1)
        loop.run(self._make_template())

    async def _make_template(self) -> None:
        for statement in NO_FLUSHING:
            await self._execute(statement)
        await self._execute(f"create database \"{TEMPLATE}\" encoding 'UTF8' template template0")
        await migrate(self._dsn(TEMPLATE))
        connection = await connect(self._dsn(TEMPLATE), application_name="template")
        await connection.execute(MAKE_DAYS)
        await connection.close()

    def create(self, *, empty: bool = False) -> str:
        """The dsn of a new database: migrated and with partitions, or with nothing in it."""
        name = f"test_{next(self._numbers)}"
        template = "template0" if empty else TEMPLATE
        self._loop.run(self._execute(f'create database "{name}" template "{template}" strategy file_copy'))
        return self._dsn(name)

    def drop(self, dsn: str) -> None:
        """Remove a database, ending whatever is still connected."""
        name = dsn.partition("?")[0].rpartition("/")[2]
        self._loop.run(self._execute(f'drop database "{name}" with (force)'))

    def _dsn(self, name: str) -> str:
        address, mark, query = self.server_dsn.partition("?")
        return address.rpartition("/")[0] + "/" + name + mark + query

    async def _execute(self, statement: str) -> None:
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(self.server_dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


MEMORY_FOLDER = Path("/dev/shm")
# What the servers of a run take together is less than half of it.
MEMORY_NEEDED_KIB = 4 * 1024 * 1024


def parent_folder() -> Path:
    """Where temporary folders are made: in memory, if it has room and programs may be run there, or else in /tmp.

    A database is hundreds of small files. On ext4 the kernel needs half a second to make them when many were removed
    in the five seconds before, since it leaves their numbers alone for so long.
    """
    try:
        space = os.statvfs(MEMORY_FOLDER)
        memory = re.search(r"^MemAvailable: +(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except FileNotFoundError:
        return Path("/tmp")
    free = min(space.f_bavail * space.f_frsize // 1024, int(memory[1]) if memory else 0)
    roomy = free >= MEMORY_NEEDED_KIB
    usable = not space.f_flag & os.ST_NOEXEC and os.access(MEMORY_FOLDER, os.W_OK | os.X_OK)
    return MEMORY_FOLDER if roomy and usable else Path("/tmp")


# Ends with its standard input, so also when the tests are killed: stops what still runs below $1 and removes it.
# The mail and web servers may have left their number behind, which may be somebody else's by now.
GUARD = """
cat >/dev/null
for file in $(find "$1" -name postmaster.pid 2>/dev/null); do kill -QUIT "$(head -n 1 "$file")"; done 2>/dev/null
for file in $(find "$1" -name exim.pid -o -name nginx.pid -o -name master.pid 2>/dev/null); do
    read -r pid <"$file"
    case "$(readlink "/proc/$pid/cwd") $(tr '\\0' ' ' <"/proc/$pid/cmdline")" in *"$1"*) kill -TERM "$pid" ;; esac
done 2>/dev/null
rm -rf "$1" 2>/dev/null || { sleep 1; rm -rf "$1"; }
"""


@contextlib.contextmanager
def reachable_folder(parent: Path | None = None) -> Iterator[Path]:
    """A temporary folder that any user may enter (pytest's own is for its user alone), removed afterwards.

    No server in it outlives the tests, however they end.
    """
    folder = Path(tempfile.mkdtemp(prefix="postroom-test-", dir=parent or parent_folder()))
    folder.chmod(0o711)
    guard = subprocess.Popen(
        ["/bin/sh", "-c", GUARD, "guard", str(folder)], cwd="/", stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        yield folder
    finally:
        assert guard.stdin is not None
        guard.stdin.close()
        guard.wait()


@contextlib.contextmanager
def debian_server() -> Iterator[str]:
    """Debian's PostgreSQL on a free TCP port of the loopback: the dsn of its database `postgres`."""
    folders = machine_folders()
    if not folders:
        pytest.skip("no PostgreSQL of the machine is installed (make system)")
    with reachable_folder() as folder:
        cluster = folder / "cluster"
        cluster.mkdir(mode=0o700)
        user = server_user(cluster)
        if user is not None:
            os.chown(cluster, user.uid, user.gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        _run_as(user, [folders[0] / "initdb", "-D", cluster, "-U", "postgres", "-A", "trust", "-E", "UTF8"])
        options = (
            f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= "
            "-c shared_buffers=64MB -c max_connections=100"
        )
        control: list[str | Path] = [folders[0] / "pg_ctl", "-D", cluster, "-w", "-t", "120"]
        _run_as(user, [*control, "-l", cluster / "log", "-o", options, "start"])
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            _run_as(user, [*control, "-m", "immediate", "stop"])


def _run_as(user: Any, arguments: Sequence[str | Path]) -> None:
    done = subprocess.run(
        [str(argument) for argument in arguments],
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        # A server that stays would keep a pipe open for ever.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        user=None if user is None else user.uid,
        group=None if user is None else user.gid,
        extra_groups=None if user is None else [],
    )
    assert done.returncode == 0, f"{arguments[0]} ended with {done.returncode}"


@pytest.fixture(scope="session")
def server_loop() -> Iterator[LoopThread]:
    """The event loop in which the session's servers live."""
    loop = LoopThread()
    yield loop
    loop.close()


@pytest.fixture(scope="session")
def embedded_databases(server_loop: LoopThread) -> Iterator[Databases]:
    """Databases on an embedded PostgreSQL that lives as long as the session."""
    with reachable_folder() as folder:
        server = EmbeddedPostgres(folder, memory=MEMORY)
        dsn = server_loop.run(server.start())
        try:
            yield Databases(dsn, server_loop)
        finally:
            assert server_loop.run(server.stop())


@pytest.fixture(scope="session")
def debian_databases(server_loop: LoopThread) -> Iterator[Databases]:
    """Databases on Debian's PostgreSQL, reached by a TCP URL."""
    with debian_server() as dsn:
        yield Databases(dsn, server_loop)


@pytest.fixture
def database(embedded_databases: Databases) -> Iterator[str]:
    """The dsn of a fresh, migrated database with day partitions, on the embedded server."""
    yield from _one(embedded_databases)


@pytest.fixture
def debian_database(debian_databases: Databases) -> Iterator[str]:
    """The dsn of a fresh, migrated database with day partitions, on Debian's PostgreSQL."""
    yield from _one(debian_databases)


@pytest.fixture(params=["embedded", "debian"])
def any_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh, migrated database: once on the embedded server, once on Debian's PostgreSQL."""
    databases: Databases = request.getfixturevalue(f"{request.param}_databases")
    yield from _one(databases)


@pytest.fixture
def empty_database(embedded_databases: Databases) -> Iterator[str]:
    """The dsn of a fresh database without any table, on the embedded server."""
    yield from _one(embedded_databases, empty=True)


@pytest.fixture
def reachable_tmp_path() -> Iterator[Path]:
    """A temporary folder that the unprivileged user of an embedded server may enter."""
    with reachable_folder() as folder:
        yield folder


@pytest.fixture
def disk_tmp_path() -> Iterator[Path]:
    """The same where a server's waiting for the disk is real."""
    with reachable_folder(Path("/tmp")) as folder:
        yield folder


def _one(databases: Databases, *, empty: bool = False) -> Iterator[str]:
    dsn = databases.create(empty=empty)
    yield dsn
    databases.drop(dsn)
