"""A listening SMTP server: sockets around `smtp_grammar.Session`, and a desk that answers each mail.

The final dot is answered when the desk says what became of the mail. A connection is not read meanwhile, so the
memory in use is bounded by the number of connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import structlog

from postroom.inbound.smtp_grammar import Arrival, Session, Step

_log = structlog.get_logger(__name__)

_HANDSHAKE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """connections: more are answered 421; so are more than `per_host` from one address. idle_seconds: a silent client
    is hung up on (RFC 5321 §4.5.3.2.7). life_seconds: so is one that stays longer, however much it says.
    stop_seconds: how long a stop waits for mails that are not answered yet."""

    connections: int = 1000
    per_host: int = 1000
    idle_seconds: float = 300.0
    life_seconds: float = float("inf")
    stop_seconds: float = 10.0


class Desk(Protocol):
    """Where mails are decided on."""

    def submit(self, arrival: Arrival, done: Callable[[str], None]) -> None:
        """Take a mail. ``done`` is called once, with the reply (code, enhanced code, text), when what the reply says
        is true and stays true. Without a text it hangs up in place of an answer."""

    def stop(self) -> None:
        """Let `run` return once everything submitted so far is answered."""

    async def run(self) -> None:
        """Work on what was submitted; to be run as one task."""


class MailServer:
    """The connections of one listening socket."""

    def __init__(
        self, desk: Desk, session: Callable[[], Session], limits: ServerLimits, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.desk = desk
        self.limits = limits
        self.tls = tls
        self.stopping = False
        self.connections: set[MailProtocol] = set()
        self.hosts: Counter[str] = Counter()
        self.emptied = asyncio.Event()
        self._session = session

    def connection(self) -> MailProtocol:
        """A protocol for a new connection, as `create_server` wants it."""
        return MailProtocol(self, self._session())

    def full(self, host: str) -> bool:
        """Whether one more connection from this address is too many."""
        return len(self.connections) >= self.limits.connections or self.hosts[host] >= self.limits.per_host

    def enter(self, connection: MailProtocol, host: str) -> None:
        """Count a connection."""
        self.connections.add(connection)
        self.hosts[host] += 1

    def leave(self, connection: MailProtocol, host: str) -> None:
        """It is over; one that was never counted makes no difference."""
        if connection in self.connections:
            self.connections.discard(connection)
            self.hosts[host] -= 1
            if not self.hosts[host]:
                del self.hosts[host]
        if self.stopping and not self.connections:
            self.emptied.set()

    def hang_up(self) -> None:
        """Ends every connection: idle ones now, the others after the answer to their mail."""
        self.stopping = True
        self.emptied.clear()
        for connection in tuple(self.connections):
            connection.hang_up_soon("421 4.3.2 The server is stopping. Closing")
        if not self.connections:
            self.emptied.set()

    def drop_silent(self, now: float) -> None:
        """Hangs up on clients that have said nothing for too long, or stay too long; `now` is the loop's clock."""
        for connection in tuple(self.connections):
            if connection.committing:
                continue
            if now - connection.heard_at > self.limits.idle_seconds:
                connection.hang_up_soon("421 4.4.2 Silent for too long. Closing")
            elif now - connection.begun_at > self.limits.life_seconds:
                connection.hang_up_soon("421 4.4.2 Connected for too long. Closing")


class MailProtocol(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: MailServer, session: Session) -> None:
        self._server = server
        self._session = session
        self._transport: asyncio.Transport | None = None
        self._handshake: asyncio.Task[None] | None = None
        self._early = b""
        self._secured = False
        self._farewell = ""
        self._host = ""
        self.committing = False
        self.heard_at = 0.0
        self.begun_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast(asyncio.Transport, transport)  # uvloop's transports are not instances of asyncio's
        self._transport = stream
        self.begun_at = self.heard_at = asyncio.get_running_loop().time()
        peer = stream.get_extra_info("peername")
        self._host = str(peer[0]) if isinstance(peer, tuple) else ""
        if self._server.full(self._host):
            stream.write(b"421 4.7.0 Too many connections. Closing\r\n")
            stream.close()
            return
        self._server.enter(self, self._host)
        stream.write(self._session.greet())

    def data_received(self, data: bytes) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        if self._handshake is None:
            self._do(self._session.receive(data))
        else:
            # It came through TLS, whose transport is not ours yet: what came in clear text before was not read.
            self._early += data

    def eof_received(self) -> bool:
        # A client that has said all may still wait for the answer to its mail.
        if not self.committing and self._transport is not None:
            self._transport.close()
        self._farewell = self._farewell or "421 4.4.2 Closing"
        # TLS has no half-closed connections; and asyncio's transport cannot be asked about TLS once it is closing.
        return self._transport is not None and not self._secured

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._handshake is not None:
            self._handshake.cancel()
        self._server.leave(self, self._host)

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
        elif step.starttls:
            # Reading stops before the event loop can hand over anything that came in clear text.
            transport.pause_reading()
            self._handshake = asyncio.get_running_loop().create_task(self._begin_tls(transport))
        elif step.mail is not None:
            self.committing = True
            transport.pause_reading()
            self._server.desk.submit(step.mail, self._answer)

    async def _begin_tls(self, transport: asyncio.Transport) -> None:
        assert self._server.tls is not None, "a session that offers STARTTLS on a server without a certificate"
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport, self, self._server.tls, server_side=True, ssl_handshake_timeout=_HANDSHAKE_SECONDS
            )
        except (OSError, ssl.SSLError, TimeoutError) as problem:
            _log.info("TLS handshake failed", peer=self._host, problem=repr(problem))
            transport.abort()
            return
        self._transport = secured
        self._secured = True
        self._handshake = None
        if self._farewell:
            self._say_farewell()
        elif self._early:
            early, self._early = self._early, b""
            self._do(self._session.receive(early))

    def _answer(self, reply: str) -> None:
        self.committing = False
        transport = self._transport
        if transport is None:
            return  # the client has gone; a committed mail stays
        if not reply:
            transport.abort()
            return
        self._do(self._session.settle(reply))
        if self.committing or self._transport is None:
            return
        if self._farewell:
            self._say_farewell()
        else:
            self.heard_at = asyncio.get_running_loop().time()
            transport.resume_reading()

    def _say_farewell(self) -> None:
        if self._transport is not None and self._handshake is None and not self._transport.is_closing():
            self._transport.write(self._farewell.encode() + b"\r\n")
            self._transport.close()


async def run_server(
    host: str,
    port: int,
    server: MailServer,
    stop: asyncio.Event,
    *,
    listening: Callable[[str, int], None] | None = None,
) -> None:
    """Takes mail on `host`:`port` until `stop` is set; returns after the last mail is answered.

    `listening` is called with the bound address once connections are taken (port 0 takes a free port).
    Raises OSError when the address cannot be bound.
    """
    limits = server.limits
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(server.connection, host, port, backlog=1024, reuse_address=True)
    desk = asyncio.create_task(server.desk.run(), name="desk")
    bound: socket.socket = listener.sockets[0]
    address = bound.getsockname()
    _log.info("listening for mail", host=address[0], port=address[1])
    if listening is not None:
        listening(address[0], address[1])
    stopped = asyncio.create_task(stop.wait(), name="stop")
    try:
        while not stop.is_set():
            done, _ = await asyncio.wait(
                {stopped, desk}, timeout=min(limits.idle_seconds / 4, 15.0), return_when=asyncio.FIRST_COMPLETED
            )
            if desk in done:
                desk.result()  # a bug: stop and say so rather than swallow mail
            server.drop_silent(loop.time())
    finally:
        stopped.cancel()
        listener.close()
        server.hang_up()
        if not desk.done():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(server.emptied.wait(), limits.stop_seconds)
            server.desk.stop()
            await asyncio.wait({desk}, timeout=limits.stop_seconds)
            desk.cancel()
        for connection in tuple(server.connections):
            connection.abort()
