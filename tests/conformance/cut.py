"""A wire to PostgreSQL that breaks at the worst moment: the server has committed, and the answer is not passed on.

It knows as much of the protocol (PostgreSQL documentation, "Message Formats") as that takes: which statement a
client has executed, and that ReadyForQuery means it is done.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

COMMIT = "COMMIT"


class Wire:
    """Passes everything on, until told to lose the answer to a statement."""

    def __init__(self, dsn: str) -> None:
        self._upstream = urlsplit(dsn)
        self._words: str | None = None
        self._pairs: set[asyncio.Task[None]] = set()
        self.dsn = ""
        self.cuts = 0
        """How often it broke."""

    def lose_answer_to(self, words: str) -> None:
        """Break instead of answering the next statement with these words in it, when it is committed."""
        self._words = words

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its beginning to its end."""
        task = asyncio.current_task()
        assert task is not None
        self._pairs.add(task)
        folder = parse_qs(self._upstream.query).get("host")
        if folder:
            server = await asyncio.open_unix_connection(f"{folder[0]}/.s.PGSQL.5432")
        else:
            server = await asyncio.open_connection(self._upstream.hostname, self._upstream.port)
        done = asyncio.Event()
        ways = [
            asyncio.create_task(self._ask(reader, server[1], done)),
            asyncio.create_task(self._answer(server[0], writer, done)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass  # `close`; asyncio would print it
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for each in (writer, server[1]):
                each.transport.abort()
            self._pairs.discard(task)

    async def close(self) -> None:
        """End what is still connected."""
        for pair in list(self._pairs):
            pair.cancel()
        await asyncio.gather(*self._pairs, return_exceptions=True)

    async def _ask(self, client: asyncio.StreamReader, server: asyncio.StreamWriter, done: asyncio.Event) -> None:
        length = await client.readexactly(4)
        server.write(length + await client.readexactly(int.from_bytes(length) - 4))
        statements: dict[bytes, str] = {}
        executed = ""
        while True:
            kind = await client.readexactly(1)
            length = await client.readexactly(4)
            body = await client.readexactly(int.from_bytes(length) - 4)
            if kind == b"P":
                name, text, *_ = body.split(b"\0")
                statements[name] = text.decode()
            elif kind == b"B":
                executed = statements[body.split(b"\0")[1]]
            elif kind == b"Q":
                executed = body.decode()
            if kind in b"QS" and self._words is not None and self._words in executed:
                self._words = None
                done.set()
            server.write(kind + length + body)
            if kind == b"S":
                executed = ""

    async def _answer(self, server: asyncio.StreamReader, client: asyncio.StreamWriter, done: asyncio.Event) -> None:
        while True:
            kind = await server.readexactly(1)
            length = await server.readexactly(4)
            body = await server.readexactly(int.from_bytes(length) - 4)
            if not done.is_set():
                client.write(kind + length + body)
            elif kind == b"Z":
                assert body == b"I", "it was not committed"
                self.cuts += 1
                return


@contextlib.asynccontextmanager
async def wire(dsn: str) -> AsyncIterator[Wire]:
    """A wire to the server of this dsn; ``dsn`` of the wire leads through it."""
    made = Wire(dsn)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, limit=1 << 24)
    port = server.sockets[0].getsockname()[1]
    upstream = urlsplit(dsn)
    made.dsn = f"postgresql://{upstream.username}@127.0.0.1:{port}{upstream.path}?sslmode=disable"
    try:
        yield made
    finally:
        server.close()
        await made.close()
