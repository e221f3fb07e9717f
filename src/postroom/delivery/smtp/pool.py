"""Connections to one SMTP target, each pulling its next job when it is free.

The claimer hands over nothing: it gives a ``take`` function and calls ``wake()`` when there may be work.
On the way of a message there is no task, no future and no timer: a reply arrives, the job is finished,
the next one is taken and written, in one callback.

Failure rules
- Every job taken is finished exactly once, whatever happens.
- A target that cannot be reached, or whose greeting, EHLO, TLS or login fails, is *unavailable*: jobs
  taken but not begun are finished as ``Deferred(stage="connect")``, ``take`` is not called, and one probe
  connection at a time tries again with exponential back-off.
- While other connections work, a failed one is taken as a limit of the peer (too many connections): the
  pool stays available with those it has and tries to grow again after the same back-off.
- A peer that refuses our address (the greeting or the answer to EHLO is 4yz or 5yz) is asked from another one of
  ours, where there are ``sources``; only when it takes none is it unavailable.
- A job whose first command on a reused connection got no answer (or 421) goes out once more on a fresh
  one: the peer had closed the connection for idleness, which is no attempt.
"""

from __future__ import annotations

import asyncio
import random
import re
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from postroom.delivery.outcome import Deferred, Outcome
from postroom.delivery.smtp.connection import Connection, Job
from postroom.delivery.smtp.dialling import Dialler
from postroom.delivery.smtp.local_address import Sources
from postroom.delivery.smtp.reach import Reach
from postroom.delivery.smtp.remainder import Remainder
from postroom.delivery.smtp.session import Session
from postroom.delivery.smtp.target import SmtpTarget
from postroom.delivery.smtp.timeouts import Timeouts
from postroom.delivery.smtp.trust import TlsFailure, TlsSession, Trust, target_trust

__all__ = ["Job", "SmtpPool"]

FIRST_BACKOFF: Final = 0.5
LONGEST_BACKOFF: Final = 60.0
GIVE_WAY_SECONDS: Final = 600.0

_HELO = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")


class SmtpPool:
    """Up to ``size`` connections to ``target``; use it on one event loop only.

    ``take`` gives the next job or None. ``on_unavailable(outcome, retry_in)`` is called with the failure
    and the seconds until the next probe each time the target is found unavailable, ``on_available()``
    when it is back. ``helo`` is our own name for EHLO. ``trust`` says what TLS has to prove, in place of what
    ``target`` says; ``context`` replaces only the TLS context made from ``target.tls``. ``rand`` gives numbers in
    [0, 1). ``addresses`` gives the IP addresses to connect to, in place of those that the system finds for
    ``target.host``; ``reach`` says in which order, ``sources`` the address of ours to connect to one of them from.
    ``on_session(job, session)`` is called once for each connection, with the first job for it, and with a job that
    waited when TLS failed and nothing gave way.
    """

    def __init__(
        self,
        target: SmtpTarget,
        *,
        size: int,
        take: Callable[[], Job | None],
        helo: str = "localhost",
        on_unavailable: Callable[[Deferred, float], None] | None = None,
        on_available: Callable[[], None] | None = None,
        idle_seconds: float = 10.0,
        max_messages_per_connection: int = 1000,
        timeouts: Timeouts | None = None,
        context: ssl.SSLContext | None = None,
        trust: Trust | None = None,
        on_session: Callable[[Job, TlsSession], None] | None = None,
        rand: Callable[[], float] = random.random,
        addresses: Callable[[], Sequence[str]] | None = None,
        reach: Reach | None = None,
        sources: Sources | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if size < 1 or max_messages_per_connection < 1 or idle_seconds <= 0:
            raise ValueError(
                f"size={size}, max_messages_per_connection={max_messages_per_connection}, "
                f"idle_seconds={idle_seconds}: each must be above 0"
            )
        if _HELO.fullmatch(helo) is None:
            raise ValueError(f"helo={helo!r} is no host name; give the public name of this machine")
        self.target = target
        self._size = size
        self._take = take
        self._helo = helo
        self._on_unavailable = on_unavailable
        self._on_available = on_available
        self._idle_seconds = idle_seconds
        self._messages = max_messages_per_connection
        self._timeouts = timeouts or Timeouts()
        self._preferred_trust = trust or target_trust(target, context)
        self._trust = self._preferred_trust
        self._on_session = on_session
        self._rand = rand
        self._sources = sources
        self._loop = loop or asyncio.get_running_loop()
        self._dialler = Dialler(
            target,
            seconds=self._timeouts.connect,
            addresses=addresses,
            reach=reach or Reach(self._loop.time),
            sources=sources,
            report=self._report,
            loop=self._loop,
        )
        self._connections: dict[Connection, asyncio.Task[None] | None] = {}
        self._working: set[Connection] = set()
        self._waiting: deque[Job] = deque()
        self._returned: deque[Job] = deque()
        self._further: deque[Job] = deque()
        """What the transactions before could not hold."""
        self._pump_due = False
        self._failures = 0
        self._retry_at: float | None = None
        self._retry_timer: asyncio.TimerHandle | None = None
        self._given_way_until = 0.0
        self._given_way: TlsSession | None = None
        """How TLS failed that gave way."""
        self.available = True
        """Whether the target takes mail, as far as is known."""
        self._closing = False
        self._empty = asyncio.Event()

    # -- what the claimer calls

    @property
    def retry_at(self) -> float | None:
        """When the next probe is made, in the event loop's time; None while available."""
        return None if self.available else self._retry_at

    @property
    def connections(self) -> int:
        """Connections open or being opened."""
        return len(self._connections)

    @property
    def trying(self) -> bool:
        """Whether it is just being found out if the target takes connections."""
        return len(self._connections) > 0 and not self._working

    def wake(self) -> None:
        """There may be work. Cheap; may be called from anywhere on the loop, also from ``finish``."""
        if not self._pump_due and self.available and not self._closing:
            self._pump_due = True
            self._loop.call_soon(self._pump)

    @property
    def found(self) -> Sequence[str]:
        """The addresses of the target, as last found."""
        return self._dialler.found

    def leave(self, source: str) -> None:
        """Begin nothing more on connections from this address of ours."""
        for connection in list(self._connections):
            if connection.session.source == source:
                connection.retire()

    async def close(self, grace: float) -> None:
        """Take no more, finish what is on the wire within ``grace`` seconds, say QUIT, then abort.

        Jobs taken but not begun are finished as ``Deferred(stage="connect")``. Returns when every job
        taken is finished and every connection is gone.
        """
        self._closing = True
        if self._retry_timer is not None:
            self._retry_timer.cancel()
        self._defer_waiting(self._local_failure("postroom is stopping"))
        for connection in list(self._connections):
            if connection not in self._working:
                self._drop(connection, "postroom is stopping")
            elif connection.idle:
                connection.quit()
        if self._connections:
            try:
                async with asyncio.timeout(grace):
                    await self._empty.wait()
            except TimeoutError:
                for connection in list(self._connections):
                    self._drop(connection, "postroom is stopping")
        self._defer_further(self._local_failure("postroom is stopping"))

    # -- what connections call

    def next_job(self, connection: Connection) -> Job | None:
        """See ``Owner``."""
        if self._further:
            return self._further.popleft()
        if self._closing:
            self._loop.call_soon(self._quit_if_idle, connection)
            return None
        if self._returned and (connection.fresh or not self._opening):
            # A returned job waits for a fresh connection, but not when none is on its way.
            connection.fresh = True
            return self._returned.popleft()
        if self._waiting:
            job: Job | None = self._waiting.popleft()
        else:
            job = self._take_one() if self.available else None
        if job is not None and not connection.counted:
            self._count(connection, job)
        return job

    def finish(self, job: Job, outcome: Outcome, left: Sequence[str] = ()) -> None:
        """See ``Owner``. An exception of a job must not cost the others their connection."""
        if left:
            # For the next free connection, most likely the one that has just finished.
            self._further.append(Remainder(job, outcome, left))
            self.wake()
            return
        try:
            job.finish(outcome)
        except Exception as problem:
            self._report(f"job.finish raised for {type(outcome).__name__}", problem)

    def put_back(self, job: Job) -> None:
        """See ``Owner``."""
        if self._closing or not self.available:
            closed = "the connection was closed by the peer before it could be used"
            self.finish(job, self._local_failure("postroom is stopping" if self._closing else closed))
        else:
            self._returned.append(job)

    def opened(self, connection: Connection) -> None:
        """See ``Owner``."""
        self._working.add(connection)
        self._failures = 0
        if self._sources is not None:
            self._sources.taken(connection.session.source)
        if self._retry_timer is not None:
            self._retry_timer.cancel()
            self._retry_timer = None
        self._retry_at = None
        if not self.available:
            self.available = True
            if self._on_available is not None:
                self._guarded("on_available", self._on_available)
            self.wake()

    def failed(self, connection: Connection, outcome: Deferred) -> None:
        """See ``Owner``."""
        if self._closing or connection not in self._connections:
            return
        if outcome.stage == "starttls":
            if self._give_way(connection, outcome):
                return
            self._tls_failed(connection, outcome)
        elif self._refused(outcome):
            # While available, the end of the connection wakes the pool. A probe has to be followed by another.
            if not self.available:
                self._open()
            return
        self._back_off(outcome, connection)

    def closed(self, connection: Connection) -> None:
        """See ``Owner``."""
        self._connections.pop(connection, None)
        self._working.discard(connection)
        if not self._connections:
            self._empty.set()
        self.wake()

    # -- inside

    def _pump(self) -> None:
        """Give work to idle connections, and open more while there is work and room."""
        self._pump_due = False
        if self._closing or not self.available:
            return
        may_grow = self._retry_at is None or not self._working
        if may_grow:
            # First, so that a returned job finds a connection on its way and waits for that one.
            self._open_for(len(self._returned))
        for connection in [connection for connection in self._working if connection.idle]:
            connection.work()
            if connection.idle:
                break
        while may_grow and len(self._connections) < self._size:
            wanted = len(self._waiting) + len(self._returned) + len(self._further)
            if self._opening > wanted:
                return
            if self._opening == wanted:
                job = self._take_one()
                if job is None:
                    return
                self._waiting.append(job)
            self._open()

    @property
    def _opening(self) -> int:
        return len(self._connections) - len(self._working)

    def _open_for(self, jobs: int) -> None:
        while self._opening < jobs and len(self._connections) < self._size:
            self._open()

    def _take_one(self) -> Job | None:
        try:
            return self._take()
        except Exception as problem:
            self._report("take raised", problem)
            return None

    def _open(self) -> None:
        target = self.target
        if self._trust is not self._preferred_trust and self._loop.time() >= self._given_way_until:
            self._trust = self._preferred_trust
        trust = self._trust
        connection = Connection(
            Session(replace(target, tls=trust.mode), helo=self._helo),
            self,
            self._timeouts,
            idle_seconds=self._idle_seconds,
            messages=self._messages,
            trust=trust,
            server_hostname=trust.server_name or target.host,
            loop=self._loop,
        )
        self._empty.clear()
        self._connections[connection] = None
        self._connections[connection] = self._loop.create_task(self._connect(connection))

    async def _connect(self, connection: Connection) -> None:
        reason = await self._dialler.connect(connection)
        if reason and connection in self._connections:
            self.failed(connection, self._local_failure(reason))
            self._drop(connection, reason)

    def _refused(self, outcome: Deferred) -> bool:
        """Whether the peer takes nothing from the address that was used, while another may do."""
        if self._sources is None or outcome.code is None or outcome.stage not in ("greeting", "ehlo"):
            return False
        if any(connection.session.source == outcome.source for connection in self._working):
            # It takes some connections from there, and no more.
            return False
        return self._sources.refused(outcome.source, outcome.text, self._dialler.found)

    def _back_off(self, outcome: Deferred, connection: Connection) -> None:
        if self._retry_at is not None and (self._working or not self.available):
            # Connections opened together fail together: that is one failure, not several.
            return
        wait = FIRST_BACKOFF * 2.0 ** min(self._failures, 16)
        wait = min(LONGEST_BACKOFF, max(FIRST_BACKOFF, wait * (0.8 + 0.4 * self._rand())))
        self._failures += 1
        self._retry_at = self._loop.time() + wait
        if self._retry_timer is not None:
            self._retry_timer.cancel()
        self._retry_timer = self._loop.call_later(wait, self._try_again)
        if self._working:
            return
        self.available = False
        for other in list(self._connections):
            if other is not connection:
                self._drop(other, "another connection to this target failed")
        self._defer_waiting(outcome)
        self._defer_further(outcome)
        announce = self._on_unavailable
        if announce is not None:
            self._guarded("on_unavailable", lambda: announce(outcome, wait))

    def _try_again(self) -> None:
        self._retry_timer = None
        self._retry_at = None
        if self.available:
            self.wake()
        elif not self._closing:
            self._open()

    def _defer_waiting(self, outcome: Deferred) -> None:
        deferred = msgspec.structs.replace(outcome, stage="connect")
        while jobs := self._returned or self._waiting:
            self.finish(jobs.popleft(), deferred)

    def _defer_further(self, outcome: Deferred) -> None:
        while self._further:
            self.finish(self._further.popleft(), outcome)

    def _drop(self, connection: Connection, reason: str) -> None:
        task = self._connections.pop(connection, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        connection.abort(reason)

    def _quit_if_idle(self, connection: Connection) -> None:
        if connection.idle:
            connection.quit()

    def _give_way(self, connection: Connection, outcome: Deferred) -> bool:
        """Whether there is a trust under which to try again at once."""
        lower = connection.trust.gives_way_to
        if lower is None:
            return False
        if connection.trust is self._trust:
            self._trust = lower
            self._given_way_until = self._loop.time() + GIVE_WAY_SECONDS
            self._given_way = self._failed_session(connection, outcome)
        # While available, the end of the connection wakes the pool. A probe has to be followed by another.
        if not self.available:
            self._open()
        return True

    def _count(self, connection: Connection, job: Job) -> None:
        """Tell of a session that is open. One that took the place of better TLS is a session that failed."""
        connection.counted = True
        tell = self._on_session
        if tell is None:
            return
        failure: TlsFailure | None = None if connection.session.tls else "starttls-not-supported"
        told = TlsSession(self.target.host, connection.session.address, failure)
        if connection.trust is not self._preferred_trust and self._given_way is not None:
            told = self._given_way
        self._guarded("on_session", lambda: tell(job, told))

    def _tls_failed(self, connection: Connection, outcome: Deferred) -> None:
        job, tell = next(iter(self._returned or self._waiting), None), self._on_session
        if job is not None and tell is not None:
            told = self._failed_session(connection, outcome)
            self._guarded("on_session", lambda: tell(job, told))

    def _failed_session(self, connection: Connection, outcome: Deferred) -> TlsSession:
        failure = connection.tls_failure or "starttls-not-supported"
        return TlsSession(self.target.host, outcome.address, failure, outcome.text)

    def _local_failure(self, text: str) -> Deferred:
        return Deferred(text=text[:1000], host=self.target.host, stage="connect")

    def _guarded(self, name: str, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as problem:
            self._report(f"{name} raised", problem)

    def _report(self, message: str, problem: Exception) -> None:
        self._loop.call_exception_handler({"message": f"SMTP pool of {self.target}: {message}", "exception": problem})
