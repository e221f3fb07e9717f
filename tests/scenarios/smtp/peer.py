"""An SMTP peer that does what its script says, over real sockets.

A script is text, one step a line, one script for each connection that comes:

    S: text       say this line (``\\r\\n`` is added)
    S-: text      say this without a line end
    C: text       expect exactly this line
    C~ text       expect a line that begins so
    BODY          expect a message up to the final dot; it is kept in ``bodies``
    SLOWLY        like BODY, reading a little at a time with pauses
    SERVE         take mails until the client says QUIT or goes away
    READ          read whatever comes, once
    WAIT          let 20 ms pass
    TLS           go over to TLS as the server
    HOLD          wait until the test calls ``release``
    CLOSE         close the connection (as does the end of the script)
    RESET         close it with a TCP reset
    SILENCE       say nothing more and read until the client goes away

A line that is not what the script expects fails the test when the peer is left. When more connections come
than there are scripts, the last script is used again if the peer was made with ``repeat=True``; otherwise
they are a failure too. ``tls`` is for the step TLS, or with ``implicit=True`` for the first byte on.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from textwrap import dedent
from types import TracebackType
from typing import Self

HELLO = """\
S: 220 peer ESMTP
C~ EHLO
S: 250-peer
S: 250 PIPELINING
"""
MAIL = """\
C~ MAIL FROM:
C~ RCPT TO:
C: DATA
S: 250 2.1.0 sender
S: 250 2.1.5 recipient
S: 354 go
BODY
"""
GOODBYE = """\
C: QUIT
S: 221 bye
"""


class Peer:
    """The server; an async context manager that listens on 127.0.0.1."""

    def __init__(
        self,
        *scripts: str,
        repeat: bool = False,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
    ) -> None:
        self._scripts = [[line for line in dedent(script).splitlines() if line.strip()] for script in scripts]
        self._repeat = repeat
        self._tls = tls
        self._implicit = implicit
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._released = asyncio.Event()
        self._came = asyncio.Condition()
        self.port = 0
        self.connections = 0
        self.lines: list[list[str]] = []
        """What each connection said, line by line, bodies left out."""
        self.bodies: list[bytes] = []
        self.faults: list[str] = []
        self.ended = asyncio.Event()
        """Set when the script of a connection has been played; the test clears it."""
        self.held = asyncio.Event()
        """Set when a script has come to HOLD."""

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        if kind is None:
            assert not self.faults, self.faults

    async def listen(self) -> None:
        """Begin (again) to take connections, on the same port as before."""
        tls = self._tls if self._implicit else None
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Take no more connections and drop those that are there."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def release(self) -> None:
        """Let scripts at HOLD go on."""
        self._released.set()

    async def connected(self, connections: int) -> None:
        """Wait until this many have come in all."""
        async with self._came:
            await self._came.wait_for(lambda: self.connections >= connections)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        number, self.connections = self.connections, self.connections + 1
        self.lines.append([])
        async with self._came:
            self._came.notify_all()
        try:
            if number >= len(self._scripts) and not self._repeat:
                self.faults.append(f"connection {number + 1} came and there is no script for it")
            else:
                await self._play(self._scripts[min(number, len(self._scripts) - 1)], reader, writer, number)
        except ConnectionError as problem:
            self.faults.append(f"connection {number + 1}: {problem!r}")
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            self.ended.set()
            writer.transport.abort() if task.cancelling() else writer.close()

    async def _play(
        self, script: Sequence[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        for step in script:
            kind, _, text = step.partition(" ")
            match kind:
                case "S:":
                    writer.write(text.encode() + b"\r\n")
                case "S-:":
                    writer.write(text.encode())
                case "C:" | "C~":
                    await writer.drain()
                    line = (await reader.readline()).decode()
                    self.lines[number].append(line.rstrip("\r\n"))
                    if line != text + "\r\n" if kind == "C:" else not line.startswith(text):
                        self.faults.append(f"connection {number + 1}: {line!r} came instead of {step!r}")
                        return
                case "BODY" | "SLOWLY":
                    await writer.drain()
                    self.bodies.append(await self._body(reader, 0.02 if kind == "SLOWLY" else 0))
                case "SERVE":
                    await self._serve(reader, writer)
                case "READ":
                    await writer.drain()
                    await reader.read(65536)
                case "WAIT":
                    await writer.drain()
                    await asyncio.sleep(0.02)
                case "TLS":
                    await writer.drain()
                    assert self._tls is not None
                    try:
                        await writer.start_tls(self._tls)
                    except (ssl.SSLError, ConnectionError):
                        return
                case "HOLD":
                    self.held.set()
                    await self._released.wait()
                case "CLOSE":
                    return
                case "RESET":
                    writer.transport.abort()
                    return
                case "SILENCE":
                    await writer.drain()
                    while await reader.read(65536):
                        pass
                    return
                case _:
                    raise AssertionError(f"the script has an unknown step: {step}")
        await writer.drain()

    async def _body(self, reader: asyncio.StreamReader, pause: float) -> bytes:
        body = b""
        while body != b".\r\n" and not body.endswith(b"\r\n.\r\n"):
            piece = await reader.read(1 << 20)
            if not piece:
                raise ConnectionResetError("the client went away in the middle of a message")
            body += piece
            await asyncio.sleep(pause)
        return body

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (line := await reader.readline()) not in (b"", b"QUIT\r\n"):
            writer.write(b"354 go\r\n" if line == b"DATA\r\n" else b"250 2.0.0 fine\r\n")
            if line == b"DATA\r\n":
                self.bodies.append(await self._body(reader, 0))
                writer.write(b"250 2.0.0 queued\r\n")
