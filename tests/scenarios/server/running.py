"""Starts `serving.py` as a process of its own, and waits for what it says and does."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

READY = "postroom: ready"
PATIENCE = 60.0


@dataclass
class Exit:
    """How a process ended: its code and all it wrote."""

    code: int
    output: str
    errors: str


class Running:
    """A `serve` process; `ready` waits for its banner, `exit` for its end."""

    def __init__(self, process: asyncio.subprocess.Process, diary: Path) -> None:
        self.process = process
        self.diary_file = diary
        self.banner = ""
        self._errors: list[str] = []
        assert process.stderr is not None
        self._listening = asyncio.create_task(self._listen(process.stderr))

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        async for line in stderr:
            self._errors.append(line.decode())

    @property
    def errors(self) -> str:
        """What it wrote to stderr so far."""
        return "".join(self._errors)

    async def ready(self) -> "Running":
        """Wait for `postroom: ready`; what came before is `banner`."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while (line := (await self.process.stdout.readline()).decode()).strip() != READY:
                assert line, f"it ended before it was ready:\n{self.banner}{self.errors}"
                self.banner += line
        return self

    @property
    def url(self) -> str:
        """The address of the API from the banner."""
        return next(line.split()[1] for line in self.banner.splitlines() if line.strip().startswith("API"))

    def diary(self) -> list[list[str]]:
        """What the crew wrote: words of each line, in order."""
        return [line.split() for line in self.diary_file.read_text().splitlines()]

    async def diary_says(self, told: Callable[[list[list[str]]], bool]) -> list[list[str]]:
        """Wait until the diary is as wanted, and return it."""
        await until(lambda: told(self.diary()))
        return self.diary()

    async def says(self, words: str) -> None:
        """Wait until it wrote these words to stderr."""
        await until(lambda: words in self.errors)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the serve process alone."""
        self.process.send_signal(number)

    async def exit(self) -> Exit:
        """Wait for the end."""
        async with asyncio.timeout(PATIENCE):
            assert self.process.stdout is not None
            rest = (await self.process.stdout.read()).decode()
            code = await self.process.wait()
            await self._listening
        return Exit(code, self.banner + rest, self.errors)

    async def stop(self) -> Exit:
        """SIGTERM and wait."""
        self.send(signal.SIGTERM)
        return await self.exit()


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that only another process can bring about."""
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - another process sets no event of ours
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def running(data_dir: Path, diary: Path, **variables: str) -> AsyncIterator[Running]:
    """A `serve` on this data directory and free ports; stopped at the end if it still runs."""
    environ = _environ(data_dir, diary, variables)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("serving.py")),
        env=environ,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    server = Running(process, diary)
    try:
        yield server
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            await server.exit()


def _environ(data_dir: Path, diary: Path, variables: dict[str, str]) -> dict[str, str]:
    diary.touch()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    return environ | {
        "POSTROOM_DATA_DIR": str(data_dir),
        "POSTROOM_HTTP": "127.0.0.1:0",
        "POSTROOM_SANDBOX_SMTP": "127.0.0.1:0",
        "POSTROOM_LOG_FORMAT": "json",
        "CREW_DIARY": str(diary),
        **variables,
    }


def embedded_dsn(data_dir: Path) -> str:
    """The dsn of the embedded server in this data directory."""
    return f"postgresql://postroom@/postroom?host={data_dir / 'run'}"


def postmaster(data_dir: Path) -> int:
    """The process id of the embedded server in this data directory."""
    return int((data_dir / "postgresql" / "postmaster.pid").read_text().split()[0])
