"""A child process whose end can be awaited under any event loop.

asyncio's own child handling can't switch the user under uvloop, so this is `subprocess.Popen` and one daemon
thread that waits for it. A daemon thread never holds up the end of our own process.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class User:
    """An account of the machine to run a process as: name, uid, gid."""

    name: str
    uid: int
    gid: int


class ChildProcess:
    """A started process; `wait` may be awaited any number of times."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        loop = asyncio.get_running_loop()

        def watch() -> None:
            code = popen.wait()
            # The loop may be closed already when a process outlives its server; nobody is waiting then.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._settle, code)

        threading.Thread(target=watch, name=f"wait for {popen.pid}", daemon=True).start()

    def _settle(self, code: int) -> None:
        if not self._ended.done():
            self._ended.set_result(code)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended yet."""
        return not self._ended.done() and self._popen.returncode is None

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for the signal that ended it, None while it runs."""
        return self._ended.result() if self._ended.done() else self._popen.returncode

    async def wait(self) -> int:
        """Wait for the end; the exit code, or the negative number of the signal that ended it."""
        return await asyncio.shield(self._ended)

    async def ends_within(self, seconds: float) -> bool:
        """Whether the process ends within this time."""
        done, _ = await asyncio.wait([self._ended], timeout=seconds)
        return bool(done)

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when the process is gone."""
        # Popen.send_signal checks for the end first, so a reused pid is never hit.
        self._popen.send_signal(number)


def start_process(
    arguments: Sequence[str],
    *,
    user: User | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    output: int | None = None,
    errors: int | None = None,
    pass_fds: Sequence[int] = (),
) -> ChildProcess:
    """Start a process in its own session, so that Ctrl-C in the terminal reaches only us.

    `user` needs root. `output` and `errors` are file descriptors (None: ours; STDOUT joins). Raises OSError
    when it can't be started.
    """
    return ChildProcess(
        subprocess.Popen(
            list(arguments),
            env=None if env is None else dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            pass_fds=pass_fds,
            start_new_session=True,
            user=None if user is None else user.uid,
            group=None if user is None else user.gid,
            # None of our own groups go along.
            extra_groups=None if user is None else [],
        )
    )


def process_exists(pid: int) -> bool:
    """Whether a process has this id, whoever owns it; one that has ended and waits for its parent has not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (OSError, IndexError):
        return not Path("/proc/self/stat").exists()
    return state not in (b"Z", b"X")
