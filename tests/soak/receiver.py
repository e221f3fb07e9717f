"""The webhook receiver: writes down what it is told, and answers 200, 500, late or never."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, TypeAlias

from tests.soak.ledger import Key, Ledger, Told

from postroom.events.signature import vendor_signature

Mood: TypeAlias = Literal["agree", "refuse", "hang"]

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_BROKEN = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"


class Receiver:
    """``keys`` has the signature key of each path; a path without one is only asked whether it is there."""

    def __init__(self, ledger: Ledger) -> None:
        self.mood: Mood = "agree"
        self.keys: dict[str, str] = {}
        self.verifications: dict[str, dict[str, str]] = {}
        """What the callback of each path was sent to prove that it is there."""
        self.port = 0
        self._ledger = ledger
        self._bodies: dict[str, bytes] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
                body = await reader.readexactly(int(headers["content-length"]))
                await self._answer(lines[0].split()[1], headers, body, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _answer(self, path: str, headers: dict[str, str], body: bytes, writer: asyncio.StreamWriter) -> None:
        said = json.loads(body)
        if isinstance(said, dict):
            self.verifications[path] = said
            writer.write(_OK)
            return
        if headers.get("x-sfmc-ens-signature") != vendor_signature(body, self.keys[path], "text"):
            self._ledger.faults.append(f"a webhook at {path} has another signature")
        mood = self.mood
        if mood == "hang":
            await asyncio.sleep(10)
            return
        webhook_id = headers["webhook-id"]
        if self._bodies.setdefault(webhook_id, body) != body:
            self._ledger.counts["webhooks with another body under the same id"] += 1
        now = time.time()
        for event in said:
            key = Key(event["mid"], event["info"]["messageKey"].lower())
            number, kind = int(event["eventId"]), event["eventCategoryType"]
            self._ledger.told.append(Told(now, number, webhook_id, kind, key, mood == "agree"))
        writer.write(_OK if mood == "agree" else _BROKEN)
        await writer.drain()

    async def close(self) -> None:
        """End all connections."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def receiver(ledger: Ledger) -> AsyncIterator[Receiver]:
    """A receiver on a port of 127.0.0.1."""
    made = Receiver(ledger)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, limit=1 << 22)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.close()
