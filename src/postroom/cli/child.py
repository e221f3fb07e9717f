"""The life of one working process: it runs until it is told to stop, by a signal or by the end of its supervisor."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable

import structlog
import uvloop

STOPPING = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """SIGTERM, Ctrl-C and the lifeline as events: `stop` at the first, `hurry` at the second signal.

    The end of the lifeline counts as one. Use as a context manager within a running loop.
    """

    def __init__(self, lifeline_fd: int | None = None) -> None:
        self.stop = asyncio.Event()
        self.hurry = asyncio.Event()
        self._lifeline = lifeline_fd
        self._stopped_at: float | None = None
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> "StopSignals":
        for number in STOPPING:
            self._loop.add_signal_handler(number, self._told)
        if self._lifeline is not None:
            os.set_blocking(self._lifeline, False)
            self._loop.add_reader(self._lifeline, self._cut)
        return self

    def __exit__(self, *_: object) -> None:
        for number in STOPPING:
            self._loop.remove_signal_handler(number)
        if self._lifeline is not None:
            self._loop.remove_reader(self._lifeline)

    async def stopped(self) -> None:
        """Wait for the first word to stop."""
        await self.stop.wait()

    def seconds_since_stop(self) -> float:
        """How long ago the first word to stop came; 0 before it."""
        return 0.0 if self._stopped_at is None else self._loop.time() - self._stopped_at

    def _told(self) -> None:
        if self.stop.is_set():
            self.hurry.set()
        else:
            self._stopped_at = self._loop.time()
        self.stop.set()

    def _cut(self) -> None:
        if self._lifeline is not None:
            self._loop.remove_reader(self._lifeline)
        self.stop.set()


def run_until_stopped(
    work: Callable[[asyncio.Event], Awaitable[None]], *, lifeline_fd: int | None = None, started_fd: int | None = None
) -> int:
    """Run the work under uvloop, handing it the event that asks it to stop; the exit code.

    The supervisor's descriptors: `lifeline_fd` closes when it is gone, `started_fd` takes our process id in a
    line as soon as a signal would stop us cleanly.

    0 when it ended because it was asked to, 1 when it failed or ended by itself, 130 when a second signal cut
    it short.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(work, lifeline_fd, started_fd))


async def _run(
    work: Callable[[asyncio.Event], Awaitable[None]], lifeline_fd: int | None, started_fd: int | None
) -> int:
    log = structlog.get_logger("process")
    with StopSignals(lifeline_fd) as signals:
        if started_fd is not None:
            # Without its supervisor there is nobody to tell; the lifeline says so as well.
            with contextlib.suppress(BrokenPipeError):
                os.write(started_fd, f"{os.getpid()}\n".encode())
            os.close(started_fd)
        task = asyncio.ensure_future(work(signals.stop))
        hurried = asyncio.create_task(_hurried(signals.hurry, task))
        try:
            await task
        except asyncio.CancelledError:
            return 130
        except Exception as failed:  # whatever it is, the supervisor starts a new process
            log.exception("the process failed", error=repr(failed))
            return 1
        finally:
            hurried.cancel()
        if not signals.stop.is_set():
            log.error("the process ended though nobody asked it to")
            return 1
        return 0


async def _hurried(hurry: asyncio.Event, task: "asyncio.Future[None]") -> None:
    await hurry.wait()
    task.cancel()
