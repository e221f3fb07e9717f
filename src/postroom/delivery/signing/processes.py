"""The signing processes of one delivery process: started when the first mail is to be signed, fed by the event loop
itself, ended by closing their sockets.

A process that ends, or answers nothing for a long time, is replaced, at once the first time, then after growing pauses;
what it had is signed by the others. One that a fault of its program ended is replaced by one that makes signatures one
at a time, and so is every later one. Both algorithms are deterministic, so nobody can tell which process signed, or
how often.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Hashable
from pathlib import Path

import structlog

from postroom.delivery.signing.batches import BATCH, Hands, Turns, Wanted
from postroom.delivery.signing.frames import FrameBroken
from postroom.store.process import ChildProcess, start_process

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0

HUNG = 10.0
"""Seconds in which a process answers something it was given, or is replaced."""

_FAULTS = {-signal.SIGILL, -signal.SIGSEGV, -signal.SIGBUS, -signal.SIGFPE, -signal.SIGABRT}

_READ = 65536
_PROGRAM = (sys.executable, "-P", "-m", "postroom.delivery.signing.process")


class Signing:
    """Makes `Signatures` with so many ``processes``; use it on one event loop only. ``ready`` is called when one of the
    targets has something to take."""

    def __init__(self, *, processes: int, ready: Callable[[], None], multibuffer: Path | None = None) -> None:
        """``multibuffer`` is the library to make several at a time with, as `multibuffer.installed` finds it."""
        self.processes = processes
        self.bytes_ahead = 0
        self._multibuffer = multibuffer
        self._ready = ready
        self._replacing: set[asyncio.Task[None]] = set()
        self._watch: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._turns = Turns()
        self._running: list[_Process] = []
        self._pause = 0.0
        self._started = False
        self._closed = False
        self._due = False
        self._log = structlog.get_logger("delivery")

    @property
    def pids(self) -> list[int]:
        """The process ids of those that run."""
        return [each.child.pid for each in self._running]

    def put(self, target: Hashable, wanted: Wanted) -> None:
        """See ``Signatures``."""
        if self._closed:
            return
        if not self._started:
            # Whoever signs nothing has no processes.
            self._started = True
            for _ in range(self.processes):
                self._start()
            self._watch = self._loop.call_later(HUNG, self._look)
        self._turns.put(target, wanted)
        if len(self._turns) >= BATCH:
            self._hand_out()
        elif not self._due:
            self._due = True
            self._loop.call_soon(self._hand_out)

    def withdraw(self, target: Hashable) -> None:
        """See ``Signatures``."""
        self._turns.withdraw(target)

    async def close(self) -> None:
        """Forget everything given; returns when no process runs any more, which takes milliseconds."""
        self._closed = True
        self._turns.clear()
        if self._watch is not None:
            self._watch.cancel()
        running, self._running = self._running, []
        for each in running:
            each.end()
        await asyncio.gather(*(each.child.wait() for each in running), *self._replacing)

    def _start(self) -> None:
        try:
            process = _Process(self._loop, self._multibuffer, self._answered, self._lost)
        except OSError as error:
            self._log.error("signing_process_not_started", error=repr(error))
            self._start_again()
            return
        self._running.append(process)

    def _start_again(self) -> None:
        if not self._pause:
            self._pause = FIRST_PAUSE
            self._start()
            return
        self._loop.call_later(self._pause, self._start_late)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _start_late(self) -> None:
        if not self._closed:
            self._start()
            self._hand_out()

    def _hand_out(self) -> None:
        self._due = False
        free = [each for each in self._running if each.hands.wants]
        if len(free) > 1:
            free.sort(key=_inside)
        for place, process in enumerate(free):
            if not self._turns:
                return
            works = any(each.hands.inside for each in self._running)
            share = process.hands.share(len(self._turns), len(free) - place, works)
            if share:
                process.give(self._turns.take(share))

    def _answered(self, process: "_Process", data: bytes) -> None:
        new = not process.hands.how
        try:
            found = process.hands.answered(data)
        except FrameBroken as wrong:
            self._lost(process, f"it said {wrong}")
            return
        if new and process.hands.how:
            self._log.info("signing_process_started", pid=process.child.pid, signs=process.hands.how)
        if found:
            self._pause = 0.0
        # The process first: it signs while the mails are put together.
        self._hand_out()
        for wanted, signature in found:
            if not wanted.waiting.withdrawn:
                wanted.waiting.signed(wanted.place, signature)
        if found:
            self._ready()

    def _lost(self, process: "_Process", why: str) -> None:
        if process not in self._running:
            return
        self._running.remove(process)
        process.end()
        left = process.hands.left()
        self._log.warning("signing_process_replaced", pid=process.child.pid, why=why, signed_again=len(left))
        self._turns.put_back(left)
        task = self._loop.create_task(self._replace(process))
        self._replacing.add(task)
        task.add_done_callback(self._replacing.discard)
        self._hand_out()

    async def _replace(self, process: "_Process") -> None:
        code = await process.child.wait()
        if self._closed:
            return
        if code in _FAULTS and self._multibuffer is not None:
            self._multibuffer = None
            self._log.warning(
                "signing_one_at_a_time", why=f"a signing process was ended by {signal.Signals(-code).name}"
            )
        self._start_again()
        self._hand_out()

    def _look(self) -> None:
        for process in list(self._running):
            first = process.hands.first
            if first is not None and first is process.seen:
                self._lost(process, f"it answered nothing for {HUNG:g} s")
            process.seen = first
        self._watch = self._loop.call_later(HUNG, self._look)


class _Process:
    """One of them, and the socket to it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        multibuffer: Path | None,
        answered: "Callable[[_Process, bytes], None]",
        lost: "Callable[[_Process, str], None]",
    ) -> None:
        """Raises OSError when it can't be started."""
        self.hands = Hands()
        self.seen: list[Wanted] | None = None
        self._loop = loop
        self._answered = answered
        self._lost = lost
        self._unsent = b""
        self._channel, other = socket.socketpair()
        with other:
            try:
                # What it may read in its environment is what it needs to find Python.
                environ = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
                library = [] if multibuffer is None else [str(multibuffer)]
                self.child: ChildProcess = start_process(
                    [*_PROGRAM, str(other.fileno()), *library], env=environ, pass_fds=(other.fileno(),)
                )
            except BaseException:
                self._channel.close()
                raise
        self._channel.setblocking(False)
        loop.add_reader(self._channel, self._read)

    def give(self, batch: list[Wanted]) -> None:
        """Have these signed."""
        frames = self.hands.give(batch)
        if self._unsent:
            self._unsent += frames
            return
        self._unsent = self._send(frames)
        if self._unsent:
            self._loop.add_writer(self._channel, self._send_rest)

    def end(self) -> None:
        """Have nothing to do with it any more. It has nothing to put in order, so it need not be waited for."""
        self._loop.remove_reader(self._channel)
        self._loop.remove_writer(self._channel)
        self._channel.close()
        self.child.send(signal.SIGKILL)

    def _send(self, data: bytes) -> bytes:
        """What is left of it."""
        try:
            return data[self._channel.send(data) :]
        except BlockingIOError:
            return data
        except OSError as error:
            # Told by the loop: whoever gave us something is not to meet the end of a process in the middle of it.
            self._loop.call_soon(self._lost, self, repr(error))
            return b""

    def _send_rest(self) -> None:
        self._unsent = self._send(self._unsent)
        if not self._unsent:
            self._loop.remove_writer(self._channel)

    def _read(self) -> None:
        try:
            data = self._channel.recv(_READ)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(self, repr(error))
            return
        if data:
            self._answered(self, data)
        else:
            self._lost(self, "it ended")


def _inside(process: _Process) -> int:
    return process.hands.inside
