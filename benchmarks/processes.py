"""Starting and ending the programs that are measured, each by its own process id, all on loopback."""

import asyncio
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PACKAGES = {"/usr/sbin/smtp-sink": "postfix", "/usr/bin/wrk": "wrk", "/usr/sbin/opendkim": "opendkim"}
_INSTALLER = Path(__file__).parent.parent / ".ci" / "packages"


class ProgramFailed(Exception):
    """A program that is needed is missing, does not start or does not do its work; the text says what to do."""


def require_programs() -> None:
    """Install the Debian packages that are missing; raises ProgramFailed with the command to type where we may not."""
    missing = sorted({package for path, package in PACKAGES.items() if not Path(path).exists()})
    if missing and subprocess.run([str(_INSTALLER), *missing], check=False).returncode != 0:
        raise ProgramFailed(f"as root: apt-get install --no-install-recommends {' '.join(missing)}")


def free_port() -> int:
    """A port of 127.0.0.1 nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Child:
    """A program of ours. Its output goes to a file; `stop` asks, waits, and kills."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        stop_seconds: float = 10.0,
    ) -> None:
        self.command = tuple(command)
        self.log = log
        self._stop_seconds = stop_seconds
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=None if env is None else dict(env),
                pass_fds=tuple(pass_fds),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    async def ended(self, within: float) -> int:
        """The exit code. Raises ProgramFailed when it still runs after so many seconds."""
        deadline = time.monotonic() + within
        while (code := self._popen.poll()) is None:
            if time.monotonic() > deadline:
                raise ProgramFailed(f"{self.command[0]} still runs after {within:.0f} s; {self.said()}")
            await asyncio.sleep(0.01)
        return code

    async def ready(self, works: Callable[[], bool], within: float = 30.0) -> None:
        """Return when `works()`; raises ProgramFailed when the program ends first or the time is over."""
        deadline = time.monotonic() + within
        while not works():
            if (code := self._popen.poll()) is not None:
                raise ProgramFailed(f"{' '.join(self.command)} ended with {code}; {self.said()}")
            if time.monotonic() > deadline:
                raise ProgramFailed(f"{' '.join(self.command)} is not ready after {within:.0f} s; {self.said()}")
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """End it: SIGTERM, and SIGKILL when that is not enough."""
        for number, seconds in ((signal.SIGTERM, self._stop_seconds), (signal.SIGKILL, 5.0)):
            self._popen.send_signal(number)
            try:
                await self.ended(seconds)
            except ProgramFailed:
                continue
            return

    def said(self) -> str:
        """The end of its output, for a message."""
        text = self.log.read_text(errors="replace").strip()
        return f"it said: {text[-1500:]}" if text else "it said nothing"


def listens(port: int, address: str = "127.0.0.1") -> bool:
    """Whether somebody takes connections on this port."""
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


async def until(done: Callable[[], bool], *, every: float, within: float, what: str) -> None:
    """Return when `done()`; raises ProgramFailed after `within` seconds."""
    deadline = time.monotonic() + within
    while not done():
        if time.monotonic() > deadline:
            raise ProgramFailed(f"{what}: not done after {within:.0f} s")
        await asyncio.sleep(every)
