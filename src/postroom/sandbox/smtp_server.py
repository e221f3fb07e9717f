"""The capture mailbox as a listening SMTP server: sockets around `smtp_grammar.Session`.

The final dot is answered 250 after the mail is committed, 451 when it could not be. A connection is not read
while its mail is being committed, so the memory in use is bounded by the number of connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import structlog

from postroom.sandbox.capture import Capture
from postroom.sandbox.mailbox import Mailbox
from postroom.sandbox.smtp_grammar import Session, Step

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """connections: more are answered 421. idle_seconds: a silent client is hung up on (RFC 5321 §4.5.3.2.7).
    stop_seconds: how long a stop waits for mails that are being committed."""

    connections: int = 1000
    idle_seconds: float = 300.0
    stop_seconds: float = 10.0


class MailServer:
    """The connections of one listening socket."""

    def __init__(self, mailbox: Mailbox, capture: Capture, limits: ServerLimits, hostname: str) -> None:
        self._mailbox = mailbox
        self.capture = capture
        self.limits = limits
        self.hostname = hostname
        self.stopping = False
        self.connections: set[MailProtocol] = set()
        self.emptied = asyncio.Event()

    def connection(self) -> MailProtocol:
        """A protocol for a new connection, as `create_server` wants it."""
        return MailProtocol(self, Session(self.hostname, max_message_bytes=self._mailbox.max_message_bytes))

    def hang_up(self) -> None:
        """Ends every connection: idle ones now, the others after the answer to their mail."""
        self.stopping = True
        self.emptied.clear()
        for connection in tuple(self.connections):
            connection.hang_up_soon("421 4.3.2 The sandbox is stopping. Closing")
        if not self.connections:
            self.emptied.set()

    def drop_silent(self, now: float) -> None:
        """Hangs up on clients that have said nothing for too long; `now` is the loop's clock."""
        for connection in tuple(self.connections):
            if not connection.committing and now - connection.heard_at > self.limits.idle_seconds:
                connection.hang_up_soon("421 4.4.2 Silent for too long. Closing")


class MailProtocol(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: MailServer, session: Session) -> None:
        self._server = server
        self._session = session
        self._transport: asyncio.Transport | None = None
        self._farewell = ""
        self.committing = False
        self.heard_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast(asyncio.Transport, transport)  # uvloop's transports are not instances of asyncio's
        self._transport = stream
        self.heard_at = asyncio.get_running_loop().time()
        if len(self._server.connections) >= self._server.limits.connections:
            stream.write(b"421 4.7.0 Too many connections. Closing\r\n")
            stream.close()
            return
        self._server.connections.add(self)
        stream.write(self._session.greet())

    def data_received(self, data: bytes) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        self._do(self._session.receive(data))

    def eof_received(self) -> bool:
        # A client that has said all may still wait for the answer to its mail.
        if not self.committing and self._transport is not None:
            self._transport.close()
        self._farewell = self._farewell or "421 4.4.2 Closing"
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._server.connections.discard(self)
        if self._server.stopping and not self._server.connections:
            self._server.emptied.set()

    def pause_writing(self) -> None:
        # The client does not read its replies: do not take more commands from it.
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None and not self.committing:
            self._transport.resume_reading()

    def hang_up_soon(self, farewell: str) -> None:
        """Says `farewell` and closes, after the answer to a mail that is being committed."""
        self._farewell = farewell
        if not self.committing:
            self._say_farewell()

    def abort(self) -> None:
        """Drops the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def _do(self, step: Step) -> None:
        transport = self._transport
        if transport is None:
            return
        if step.reply:
            transport.write(step.reply)
        if step.close:
            transport.close()
        elif step.mail is not None:
            self.committing = True
            transport.pause_reading()
            self._server.capture.submit(step.mail, self._answer)

    def _answer(self, capture_id: int | None) -> None:
        self.committing = False
        transport = self._transport
        if transport is None:
            return  # the client has gone; a committed mail stays
        if capture_id is None:
            step = self._session.settle("451 4.3.0 Not stored: the database is not available. Try again later")
        else:
            step = self._session.settle(f"250 2.0.0 Ok: captured as {capture_id}")
        self._do(step)
        if self.committing or self._transport is None:
            return
        if self._farewell:
            self._say_farewell()
        else:
            self.heard_at = asyncio.get_running_loop().time()
            transport.resume_reading()

    def _say_farewell(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._farewell.encode() + b"\r\n")
            self._transport.close()


async def run_mailbox(
    host: str,
    port: int,
    mailbox: Mailbox,
    stop: asyncio.Event,
    *,
    hostname: str = "postroom.localhost",
    limits: ServerLimits | None = None,
    listening: Callable[[str, int], None] | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Captures mail on `host`:`port` until `stop` is set; returns after the last commit is answered.

    `listening` is called with the bound address once connections are taken (port 0 takes a free port).
    Raises OSError when the address cannot be bound.
    """
    limits = limits or ServerLimits()
    loop = asyncio.get_running_loop()
    capture = Capture(mailbox, now=now)
    server = MailServer(mailbox, capture, limits, hostname)
    listener = await loop.create_server(server.connection, host, port, backlog=1024, reuse_address=True)
    committer = asyncio.create_task(capture.run(), name="capture")
    bound: socket.socket = listener.sockets[0]
    address = bound.getsockname()
    _log.info("capture mailbox listening", host=address[0], port=address[1])
    if listening is not None:
        listening(address[0], address[1])
    stopped = asyncio.create_task(stop.wait(), name="stop")
    try:
        while not stop.is_set():
            done, _ = await asyncio.wait(
                {stopped, committer}, timeout=min(limits.idle_seconds / 4, 15.0), return_when=asyncio.FIRST_COMPLETED
            )
            if committer in done:
                committer.result()  # a bug: stop and say so rather than swallow mail
            server.drop_silent(loop.time())
    finally:
        stopped.cancel()
        listener.close()
        server.hang_up()
        if not committer.done():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(server.emptied.wait(), limits.stop_seconds)
            capture.stop()
            await asyncio.wait({committer}, timeout=limits.stop_seconds)
            committer.cancel()
        for connection in tuple(server.connections):
            connection.abort()
