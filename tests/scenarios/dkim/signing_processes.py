"""The signing processes of a delivery process, as the kernel sees them."""

import asyncio
import contextlib
import time
from pathlib import Path

from postroom.store.process import process_exists

PROGRAM = b"postroom.delivery.signing.process"
PATIENCE = 30.0


def signing_processes(parent: int) -> list[int]:
    """The ids of those that run."""
    found = []
    for task in Path(f"/proc/{parent}/task").iterdir():
        for pid in (task / "children").read_text().split():
            with contextlib.suppress(OSError):
                if PROGRAM in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(int(pid))
    return sorted(found)


def environ_of(pid: int) -> bytes:
    """The environment it was started with."""
    return Path(f"/proc/{pid}/environ").read_bytes()


async def running(parent: int, count: int) -> list[int]:
    """Wait until so many run."""
    deadline = time.monotonic() + PATIENCE
    while len(pids := signing_processes(parent)) < count:
        assert time.monotonic() < deadline, f"{len(pids)} signing processes run, not {count}"
        await asyncio.sleep(0.01)
    return pids


async def gone(pids: list[int]) -> None:
    """Wait until none of them exists."""
    deadline = time.monotonic() + PATIENCE
    while left := [pid for pid in pids if process_exists(pid)]:
        assert time.monotonic() < deadline, f"{left} still run"
        await asyncio.sleep(0.01)
