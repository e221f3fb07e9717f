"""A wire that is cut at random bytes, or stands still: what lies between two machines.

Everything that comes in is passed on to where ``connect`` leads. A new connection may be given a number of bytes, of
both directions together, after which it breaks off in the middle of whatever that is.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

Connect: TypeAlias = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
_PIECE = 1 << 16


class Pair:
    """Two ends, and how many bytes may still pass; None is any number."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter, left: int | None) -> None:
        self.writers = (client, server)
        self.left = left

    def let_through(self, piece: bytes) -> bytes:
        """The beginning of it, as much as may pass."""
        if self.left is None:
            return piece
        piece = piece[: self.left]
        self.left -= len(piece)
        return piece

    def abort(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


class Wire:
    """``budget`` is asked at each new connection how many bytes may pass."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._pairs: dict[Pair, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self.budget: Callable[[], int | None] = lambda: None
        self.port = 0
        self.cuts = 0

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._pairs)

    def cut(self) -> None:
        """Break off all that there are, wherever they are."""
        self.cuts += len(self._pairs)
        for pair in list(self._pairs):
            pair.abort()

    def limit(self, left: Callable[[], int]) -> None:
        """Of each connection that there is, so many more bytes may pass."""
        for pair in self._pairs:
            pair.left = left()

    def freeze(self) -> None:
        """Nothing passes any more, and nobody is told."""
        self._flows.clear()

    def thaw(self) -> None:
        """All that waited passes."""
        self._flows.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its beginning to its end."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._flows.wait()
            there, back = await self._connect()
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
            self._tasks.discard(task)
            return
        pair = Pair(writer, back, self.budget())
        self._pairs[pair] = None
        ways = [
            asyncio.create_task(self._pass_on(pair, reader, back)),
            asyncio.create_task(self._pass_on(pair, there, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass  # `close`; asyncio would print it
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            pair.abort()
            self._pairs.pop(pair, None)
            self._tasks.discard(task)

    async def _pass_on(self, pair: Pair, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(_PIECE):
                await self._flows.wait()
                writer.write(pair.let_through(piece))
                await writer.drain()
                if pair.left == 0:
                    self.cuts += 1
                    return

    async def close(self) -> None:
        """End what is still connected."""
        self._flows.set()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def wire(connect: Connect) -> AsyncIterator[Wire]:
    """A wire that listens on a port of 127.0.0.1."""
    made = Wire(connect)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, limit=1 << 20)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.close()
        await asyncio.sleep(0)  # in the loop's next round the sockets are closed
