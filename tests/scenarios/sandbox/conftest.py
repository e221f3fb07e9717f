"""A throwaway PostgreSQL for the capture mailbox, and everything built on it."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest
from litestar import Litestar

from postroom.sandbox.mailbox import Limits, Mailbox
from postroom.sandbox.routes import sandbox_router
from postroom.sandbox.smtp_server import ServerLimits, run_mailbox
from postroom.sandbox.watch import MailWatch

MIGRATIONS = Path(__file__).parents[3] / "src/postroom/store/migrations"
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@dataclass
class Cluster:
    """A running PostgreSQL that tests may stop and start."""

    directory: Path
    binaries: Path

    @property
    def dsn(self) -> str:
        return f"postgresql://postgres@/template1?host={self.directory}"

    def database(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self.directory}"

    def control(self, *arguments: str) -> None:
        user = {} if os.getuid() else {"user": "postgres", "group": pwd.getpwnam("postgres").pw_gid}
        subprocess.run(
            [self.binaries / arguments[0], *arguments[1:]],
            check=True, cwd=self.directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user,
        )  # fmt: skip

    def start(self) -> None:
        options = f"-c listen_addresses= -k {self.directory} -c shared_buffers=64MB -c timezone=UTC"
        self.control(
            "pg_ctl", "-D", f"{self.directory}/data", "-o", options, "-w", "-l", f"{self.directory}/log", "start"
        )

    def stop(self, mode: str = "fast") -> None:
        self.control("pg_ctl", "-D", f"{self.directory}/data", "-m", mode, "-w", "stop")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if not BINARIES:
        pytest.skip("no PostgreSQL below /usr/lib/postgresql")
    directory = Path(tempfile.mkdtemp(prefix="pr-sandbox-", dir="/tmp"))
    if not os.getuid():
        shutil.chown(directory, "postgres", "postgres")
    server = Cluster(directory, BINARIES[-1])
    server.control(
        "initdb", "-D", f"{directory}/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"
    )
    server.start()
    yield server
    server.stop("immediate")
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> str:
    """The name of a database with every migration applied."""

    async def migrate() -> None:
        connection = await asyncpg.connect(cluster.dsn)
        await connection.execute("create database migrated")
        await connection.close()
        connection = await asyncpg.connect(cluster.database("migrated"))
        for path in sorted(MIGRATIONS.glob("*.sql")):
            await connection.execute(path.read_text())
        await connection.execute("select ensure_day_partitions(current_date - 2, current_date + 2)")
        await connection.close()

    asyncio.run(migrate())
    return "migrated"


@pytest.fixture
async def database(cluster: Cluster, template: str) -> AsyncIterator[str]:
    """The address of a fresh database of this test's own."""
    connection = await asyncpg.connect(cluster.dsn)
    await connection.execute(f"create database trial template {template}")
    await connection.close()
    yield cluster.database("trial")
    connection = await asyncpg.connect(cluster.dsn)
    await connection.execute("drop database trial with (force)")
    await connection.close()


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(database, min_size=1, max_size=8, timeout=10) as pool:
        yield pool


@pytest.fixture
def mailbox(pool: asyncpg.Pool) -> Mailbox:
    return Mailbox(pool, Limits(messages=1000, bytes=50_000_000, message_bytes=1_000_000))


@dataclass
class Sandbox:
    """A listening capture mailbox and its HTTP calls."""

    mailbox: Mailbox
    watch: MailWatch
    host: str
    port: int
    http: httpx.AsyncClient

    async def smtp(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, self.port)

    async def dialogue(self, *says: bytes) -> bytes:
        """Sends everything at once, hangs up its side and reads to the end."""
        reader, writer = await self.smtp()
        writer.write(b"".join(says))
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    async def send(
        self, to: str = "a@example.com", *, raw: bytes = b"Subject: hi\r\n\r\nhello", sender: str = "s@example.com"
    ) -> int:
        """Sends one mail and gives its id."""
        answer = await self.dialogue(
            f"EHLO test\r\nMAIL FROM:<{sender}> SMTPUTF8\r\nRCPT TO:<{to}>\r\nDATA\r\n".encode()
            + raw
            + b"\r\n.\r\nQUIT\r\n"
        )
        line = next(line for line in answer.split(b"\r\n") if b"captured as" in line)
        return int(line.rsplit(b" ", 1)[1])


@asynccontextmanager
async def running(mailbox: Mailbox, limits: ServerLimits | None = None) -> AsyncIterator[Sandbox]:
    stop, ready = asyncio.Event(), asyncio.Event()
    address: list[tuple[str, int]] = []

    def listening(host: str, port: int) -> None:
        address.append((host, port))
        ready.set()

    task = asyncio.create_task(run_mailbox("127.0.0.1", 0, mailbox, stop, listening=listening, limits=limits))
    await ready.wait()
    watch = MailWatch(mailbox)
    app = Litestar([sandbox_router(mailbox, watch)], openapi_config=None)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8025") as client:
        try:
            yield Sandbox(mailbox, watch, *address[0], client)
        finally:
            await watch.close()
            stop.set()
            await task


@pytest.fixture
async def sandbox(mailbox: Mailbox) -> AsyncIterator[Sandbox]:
    async with running(mailbox) as running_sandbox:
        yield running_sandbox
