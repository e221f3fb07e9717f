"""The capture mailbox on a fresh database, listening and reachable over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar

from postroom.inbound.smtp_server import ServerLimits
from postroom.sandbox.business_units import BusinessUnits
from postroom.sandbox.failure_routes import failure_routes
from postroom.sandbox.mailbox import Limits, Mailbox
from postroom.sandbox.retry import Retries
from postroom.sandbox.routes import sandbox_router
from postroom.sandbox.smtp_server import run_mailbox
from postroom.sandbox.watch import MailWatch
from postroom.store.pool import Pool, open_pool
from postroom.tenancy.clients import SecretHasher


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    pool = await open_pool(database, max_size=8, application_name="sandbox-test")
    yield pool
    await pool.close()


@pytest.fixture
def mailbox(pool: Pool) -> Mailbox:
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


def application(mailbox: Mailbox, watch: MailWatch) -> Litestar:
    """The sandbox's routes, without an API beside them."""

    async def announce(_account_id: int) -> None:
        """There is no delivery."""

    retries = Retries(mailbox.pool, longest=timedelta(hours=48), announce=announce)
    router = sandbox_router(
        mailbox,
        watch,
        BusinessUnits(mailbox.pool, SecretHasher()),
        failures=failure_routes(mailbox.pool, retries),
    )
    return Litestar([router], openapi_config=None)


@asynccontextmanager
async def running(mailbox: Mailbox, limits: ServerLimits | None = None) -> AsyncIterator[Sandbox]:
    stop, ready = asyncio.Event(), asyncio.Event()
    address: list[tuple[str, int]] = []

    def listening(host: str, port: int) -> None:
        address.append((host, port))
        ready.set()

    task = asyncio.create_task(run_mailbox("127.0.0.1", 0, mailbox, stop, listening=listening, limits=limits))
    await ready.wait()
    watch = MailWatch(mailbox, unheard_seconds=60.0)  # a test that needs the safety net asks for it
    transport = httpx.ASGITransport(app=cast(Any, application(mailbox, watch)))
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
