"""The wire breaks off exactly where it was told to, in either direction."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from tests.soak.cutting import Pair, Wire, wire

NOBODY = cast(asyncio.StreamWriter, None)


@asynccontextmanager
async def echo() -> AsyncIterator[Wire]:
    """A wire to a server that says everything again."""

    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(OSError):
            while piece := await reader.read(100):
                writer.write(piece)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with wire(lambda: asyncio.open_connection("127.0.0.1", port)) as made:
        yield made
    server.close()
    for writer in writers:
        writer.transport.abort()
    for _ in range(3):
        await asyncio.sleep(0)  # sockets are closed in the loop's next rounds


async def closed(writer: asyncio.StreamWriter) -> None:
    """Close it, and wait until it is."""
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def test_so_many_bytes_pass_in_both_directions_together_and_no_more() -> None:
    pair = Pair(NOBODY, NOBODY, 14)
    assert [pair.let_through(piece) for piece in (b"0123456789", b"0123456789", b"0")] == [b"0123456789", b"0123", b""]
    assert pair.left == 0
    assert Pair(NOBODY, NOBODY, None).let_through(b"0123") == b"0123"


async def test_what_stands_still_goes_on_where_it_was() -> None:
    async with echo() as made:
        reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        made.freeze()
        writer.write(b"b")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await reader.readexactly(1)
        made.thaw()
        assert await reader.readexactly(1) == b"b"
        made.cut()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await reader.readexactly(1)
        assert made.cuts == 1
        await closed(writer)
