"""Programs that .ci/unpacked has fetched, and servers started from them as processes of their own."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

START_SECONDS = 60.0


def cached(program: str) -> Path:
    """The program, or the folder of those that belong together, as it was fetched."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "postroom-peers"
    assert (cache / program).exists(), f"there is no {cache / program}: make system fetches it"
    return cache / program


def fetched(program: str, folder: Path) -> Path:
    """A copy of the program in ``folder``, which users without rights may enter, unlike the cache."""
    return Path(shutil.copy(cached(program), folder / program))


def free_port(address: str = "127.0.0.1") -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def serving(command: list[str | Path], log: Path, address: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The process, from when it takes connections until the block ends."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/")
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=5):
                break
            assert process.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < deadline, f"{command[0]} takes no connections"
            time.sleep(0.02)
        yield process
    finally:
        process.terminate()
        process.wait(30)
