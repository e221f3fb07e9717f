"""`postroom demo` or `postroom sandbox` as a user runs it: its output by lines, its temporary folder watched."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[3]
SECONDS = 120.0


class Demo:
    """A running demo. `folder` is where it makes its temporary folder."""

    def __init__(
        self, folder: Path, arguments: Sequence[str], environ: dict[str, str] | None = None, verb: str = "demo"
    ) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self._coming: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        # A test run in the background ignores Ctrl-C, and a child would inherit that.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "postroom.cli.main", verb, *arguments],
            cwd=ROOT,
            env=os.environ | {"TMPDIR": str(folder), "COLUMNS": "120"} | (environ or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        signal.signal(signal.SIGINT, before)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                self._coming.put(line.rstrip("\n"))
        self._coming.put(None)

    def until(self, words: str) -> str:
        """The first line to come that has these words in it."""
        deadline = time.monotonic() + SECONDS
        while True:
            line = self._coming.get(timeout=max(0.0, deadline - time.monotonic()))
            assert line is not None, f"the demo ended without {words!r}:\n{self.output}"
            self.lines.append(line)
            if words in line:
                return line

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def ended(self) -> int:
        """Wait for the end; the exit code."""
        code = self._process.wait(SECONDS)
        while (line := self._coming.get(timeout=SECONDS)) is not None:
            self.lines.append(line)
        return code

    def close(self) -> None:
        """Stop it if it still runs."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(SECONDS)

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    @property
    def server_processes(self) -> list[str]:
        """Command lines of living processes that were started for this demo's server."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                environ = (entry / "environ").read_bytes() if entry.name.isdigit() else b""
                command = (entry / "cmdline").read_bytes() if environ else b""
            except OSError:
                continue
            if f"{self.folder}/postroom-".encode() in environ + command and int(entry.name) != self._process.pid:
                found.append(command.replace(b"\0", b" ").decode(errors="replace"))
        return found
