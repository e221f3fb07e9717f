"""One SMTP connection on an asyncio (or uvloop) event loop: bytes, timer and TLS around a ``Session``.

It asks its owner for the next job whenever the session is idle, and tells it everything else by plain
calls. There is one timer for the whole life of a connection: it looks at the deadline now and then and
is not touched by the commands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, cast

from postroom.delivery.outcome import Deferred, Outcome
from postroom.delivery.smtp.certificate import read_certificate
from postroom.delivery.smtp.dialogue import Event, Finished, StartTls, Unavailable
from postroom.delivery.smtp.envelope import Mail
from postroom.delivery.smtp.session import Session
from postroom.delivery.smtp.state import State
from postroom.delivery.smtp.timeouts import Timeouts
from postroom.delivery.smtp.trust import TlsFailure, Trust, chain, handshake_failure


class Job(Mail, Protocol):
    """One message to be sent."""

    def finish(self, outcome: Outcome) -> None:
        """Called exactly once for each job taken, on the event loop. Must return soon."""


class Owner(Protocol):
    """Whom a connection serves (the pool)."""

    def next_job(self, connection: Connection) -> Job | None:
        """The next job for this idle connection, or None: wait, or quit."""

    def finish(self, job: Job, outcome: Outcome, left: Sequence[str] = ()) -> None:
        """The job has its outcome, but for the recipients that are ``left``."""

    def put_back(self, job: Job) -> None:
        """The job was begun on a connection that turned out dead; send it once more on a fresh one."""

    def opened(self, connection: Connection) -> None:
        """The handshake is done."""

    def failed(self, connection: Connection, outcome: Deferred) -> None:
        """The handshake failed; ``closed`` follows."""

    def closed(self, connection: Connection) -> None:
        """The connection is gone. The last call, and made once."""


class Connection(asyncio.Protocol):
    """A protocol for ``loop.create_connection``; ``trust`` says what TLS has to prove."""

    def __init__(
        self,
        session: Session,
        owner: Owner,
        timeouts: Timeouts,
        *,
        idle_seconds: float,
        messages: int,
        trust: Trust,
        server_hostname: str,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.session = session
        self.fresh = True
        """Whether it is right behind its handshake: the peer cannot have closed it for idleness."""
        self.idle = False
        self._owner = owner
        self._seconds: Final = _seconds_by_state(timeouts, idle_seconds)
        self._timeouts = timeouts
        self._tick: Final = min(timeouts.shortest, idle_seconds)
        self._messages_left = messages
        self.trust = trust
        self.counted = False
        """Whether its session was told to the owner's statistics."""
        self.tls_failure: TlsFailure | None = None
        """How TLS failed: set from its beginning until it is there."""
        self._server_hostname = server_hostname
        self._loop = loop
        self._now = loop.time
        self._transport: asyncio.Transport | None = None
        self._upgrade: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._unsent = 0
        self._job: Job | None = None
        self._job_fresh = True
        self._opened = False
        self._gone = False

    # -- what the owner calls

    def work(self) -> None:
        """Take jobs until one is on the wire or there are none; only when idle."""
        session = self.session
        while session.state is State.IDLE:
            job = self._owner.next_job(self) if self._messages_left > 0 else None
            if job is None:
                if self._messages_left <= 0:
                    session.quit()
                else:
                    self.idle = True
                    self.fresh = False
                break
            self.idle = False
            refusal = session.begin(job)
            if refusal is not None:
                self._owner.finish(job, refusal)
                continue
            self._job = job
            self._job_fresh, self.fresh = self.fresh, False
            self._messages_left -= 1
        self._flush()

    def quit(self) -> None:
        """Say goodbye and close; only when idle."""
        self.idle = False
        self.session.quit()
        self._flush()

    def retire(self) -> None:
        """Take no more jobs; what is on the wire goes on."""
        self._messages_left = 0
        if self.idle:
            self.quit()

    def abort(self, reason: str) -> None:
        """Close now. A transaction in progress gets its outcome from where it was."""
        if not self._gone:
            self._handle(self.session.lost(reason))
            self._close()

    # -- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The peer is reached (with implicit TLS: the handshake is done)."""
        # A cast, for the transports of uvloop are no subclass of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        if self._gone:
            self._transport.abort()
            return
        self.session.address = _address(transport.get_extra_info("peername"))
        if not self._note_tls(transport):
            return
        self._deadline = self._now() + self._seconds[self.session.state]
        self._timer = self._loop.call_at(min(self._deadline, self._now() + self._tick), self._look_at_deadline)

    def data_received(self, data: bytes) -> None:
        """Bytes from the peer."""
        session = self.session
        replies = session.replies
        events = session.receive(data)
        if events:
            self._handle(events)
        if session.state is State.IDLE:
            if not self._opened:
                self._opened = True
                self._owner.opened(self)
            self.work()
        elif session.replies != replies or session.state is State.CLOSED:
            self._flush()

    def pause_writing(self) -> None:
        """The peer takes the body slower than we write it."""
        self.session.flushed = False
        self._unsent = self._waiting_bytes()
        self._deadline = self._now() + self._timeouts.block

    def resume_writing(self) -> None:
        """Nearly all has left; what remains cannot be told from what the kernel still holds."""
        self.session.flushed = True
        self._deadline = self._now() + self._seconds[self.session.state]

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended, by the peer or by us."""
        if not self._gone:
            self._handle(self.session.lost(f"the connection was lost ({exc})" if exc else "the peer closed it"))
            self._close()

    # -- inside

    def _handle(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Finished):
                self._finished(event)
            elif isinstance(event, Unavailable):
                self._owner.failed(self, event.outcome)
            elif isinstance(event, StartTls):
                self._begin_tls()

    def _finished(self, event: Finished) -> None:
        job, self._job = self._job, None
        assert job is not None
        if event.untouched and not self._job_fresh:
            self._owner.put_back(job)
        else:
            self._owner.finish(job, event.outcome, event.left)

    def _flush(self) -> None:
        session = self.session
        output = session.take_output()
        if output and self._transport is not None:
            # Set before the write: the transport may pause us, and that sets a deadline of its own.
            self._deadline = self._now() + self._seconds[session.state]
            self._transport.write(output)
        elif session.state is State.CLOSED:
            self._close()
        elif session.flushed:
            self._deadline = self._now() + self._seconds[session.state]

    def _close(self) -> None:
        if self._gone:
            return
        self._gone = True
        self.idle = False
        if self._timer is not None:
            self._timer.cancel()
        if self._upgrade is not None and self._upgrade is not asyncio.current_task(self._loop):
            self._upgrade.cancel()
        if self._transport is not None:
            # Nothing that is still waiting to be written may leave any more: its outcome is decided.
            self._transport.abort()
        self._owner.closed(self)

    def _look_at_deadline(self) -> None:
        now = self._now()
        if now >= self._deadline and not self._still_moving(now):
            if self.session.state is State.IDLE:
                self.quit()
            elif self.session.flushed:
                self.abort(f"no answer in time ({self._seconds[self.session.state]:g} s)")
            else:
                self.abort(f"nothing was taken in time ({self._timeouts.block:g} s)")
        if not self._gone:
            # No deadline set from now on can be earlier than the shortest time-out from now.
            self._timer = self._loop.call_at(min(self._deadline, now + self._tick), self._look_at_deadline)

    def _still_moving(self, now: float) -> bool:
        """Whether some of a body that is being written has left since the last look."""
        if self.session.flushed:
            return False
        unsent = self._waiting_bytes()
        moving = unsent < self._unsent
        self._unsent = unsent
        if moving:
            self._deadline = now + self._timeouts.block
        return moving

    def _waiting_bytes(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def _begin_tls(self) -> None:
        assert self._transport is not None
        self.tls_failure = "validation-failure"
        # Nothing may be read as clear text any more.
        self._transport.pause_reading()
        self._deadline = self._now() + self._timeouts.tls
        self._upgrade = self._loop.create_task(self._start_tls(self._transport))

    async def _start_tls(self, transport: asyncio.Transport) -> None:
        assert self.trust.context is not None
        try:
            secured = await self._loop.start_tls(
                transport,
                self,
                self.trust.context,
                server_hostname=self._server_hostname,
                ssl_handshake_timeout=self._timeouts.tls,
            )
        except Exception as problem:
            # Most are OSError; a name that no certificate could have, for one, is another.
            self.tls_failure = handshake_failure(problem)
            self.abort(f"TLS failed ({str(problem) or type(problem).__name__})")
            return
        if self._gone:
            if secured is not None:
                secured.abort()
            return
        if secured is None:
            self.abort("TLS failed (the connection was closed)")
            return
        self._transport = secured
        if self._note_tls(secured):
            self._handle(self.session.tls_started(self.session.tls))
            self._flush()

    def _note_tls(self, transport: asyncio.BaseTransport) -> bool:
        """Keep the facts of TLS, if there is any; False when its certificates were judged, and found wanting."""
        connection = transport.get_extra_info("ssl_object")
        if connection is None:
            return True
        rejected = self.trust.judge(chain(connection)) if self.trust.judge is not None else None
        if rejected is not None:
            self.tls_failure = rejected.failure
            self.abort(f"TLS failed ({rejected.reason})")
            return False
        self.tls_failure = None
        cipher = connection.cipher()
        self.session.tls = " ".join(filter(None, (connection.version(), cipher[0] if cipher else "")))
        der = connection.getpeercert(binary_form=True)
        self.session.certificate = read_certificate(der, self.trust.proof) if der else None
        return True


def _seconds_by_state(timeouts: Timeouts, idle_seconds: float) -> dict[State, float]:
    return {
        State.GREETING: timeouts.greeting,
        State.EHLO: timeouts.hello,
        State.HELO: timeouts.hello,
        State.STARTTLS: timeouts.hello,
        State.TLS: timeouts.tls,
        State.AUTH: timeouts.auth,
        State.IDLE: idle_seconds,
        State.MAIL: timeouts.mail,
        State.RCPT: timeouts.rcpt,
        State.DATA: timeouts.data,
        State.FINAL: timeouts.final,
        State.EMPTY: timeouts.data,
        State.RSET: timeouts.reset,
        State.QUIT: timeouts.quit,
        State.CLOSED: timeouts.quit,
    }


def _address(peername: object) -> str:
    if isinstance(peername, tuple) and len(peername) >= 2:
        host, port = peername[:2]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    return ""
