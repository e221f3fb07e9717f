"""An event loop whose time jumps to the next timer, with peers in memory: no sockets, no waiting.

When nothing is left that could ever happen the loop raises ``Hang`` instead of waiting for ever.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Iterator
from typing import Any


class Hang(AssertionError):
    """Everything waits and no timer is set."""


class _Jump(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Hang("every task waits for something that cannot come")
        self.now += max(timeout, 0)
        return super().select(0)


class Line(asyncio.Transport):
    """The client's end of a connection in memory; ``peer`` answers each write."""

    def __init__(self, loop: VirtualLoop, protocol: asyncio.Protocol, peer: Iterator[bytes | str]) -> None:
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._peer = peer
        self._closed = False
        self.written: list[bytes] = []
        loop.call_soon(self._start)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("192.0.2.1", 25) if name == "peername" else default

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        assert not self._closed
        self.written.append(bytes(data))
        self._loop.call_soon(self._answer)

    def abort(self) -> None:
        self._end(None)

    def close(self) -> None:
        self._end(None)

    def is_closing(self) -> bool:
        return self._closed

    def _start(self) -> None:
        self._protocol.connection_made(self)
        self._answer()

    def _answer(self) -> None:
        if self._closed:
            return
        match next(self._peer, "silence"):
            case bytes(data):
                if data:
                    self._protocol.data_received(data)
            case "close":
                self._end(None)
            case "reset":
                self._end(ConnectionResetError("reset"))
            case "pause":
                self._protocol.pause_writing()
            case "silence":
                pass

    def _end(self, problem: Exception | None) -> None:
        if not self._closed:
            self._closed = True
            self._loop.call_soon(self._protocol.connection_lost, problem)


class VirtualLoop(asyncio.SelectorEventLoop):
    """``dial(number)`` gives the peer of the connection with this number (from 0), or raises OSError."""

    def __init__(self, dial: Callable[[int], Iterator[bytes | str]]) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)
        self._dial = dial
        self.addresses = ["192.0.2.1"]
        self.dialled: list[float] = []
        self.lines: list[Line] = []

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self._jump.now

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """The addresses of every name."""
        return [(0, 0, 0, "", (address, port)) for address in self.addresses]

    async def create_connection(self, protocol_factory: Any, *arguments: Any, **options: Any) -> Any:
        """A connection in memory."""
        self.dialled.append(self.time())
        peer = self._dial(len(self.dialled) - 1)
        protocol = protocol_factory()
        line = Line(self, protocol, peer)
        self.lines.append(line)
        await asyncio.sleep(0)
        return line, protocol


def good_peer() -> Iterator[bytes | str]:
    """A peer that takes every mail; it answers what is written, write by write."""
    yield b"220 hi\r\n"
    yield b"250-peer\r\n250 PIPELINING\r\n"
    while True:
        yield b"250 a\r\n250 b\r\n354 c\r\n"
        yield b"250 2.0.0 queued\r\n"
