"""Postfix's smtp-sink with its own counter: it takes mail, throws it away, and says how much it took."""

import os
import re
from pathlib import Path

from benchmarks.processes import Child, free_port, listens

SINK = "/usr/sbin/smtp-sink"
_TAIL_BYTES = 256
_COUNTER = re.compile(rb"mesg=(\d+)")


class Sink:
    """One smtp-sink on loopback, on a free port unless one is given."""

    def __init__(self, folder: Path, address: str = "127.0.0.1", port: int = 0) -> None:
        self.address = address
        self.port = port or free_port()
        self._output = folder / f"sink-{address}-{self.port}.log"
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        # -c writes the counter after every message.
        command = [SINK, *user, "-c", "-h", "sink.example.com", "-m", "1000", f"{address}:{self.port}", "1000"]
        self._child = Child(command, log=self._output)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    async def ready(self) -> None:
        """Return when it takes connections."""
        await self._child.ready(lambda: listens(self.port, self.address))

    def messages(self) -> int:
        """How many messages it has taken since its start."""
        with self._output.open("rb") as output:
            output.seek(max(0, output.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return last_count(output.read())

    def bytes_read(self) -> int:
        """How many bytes it has read since its start: messages and SMTP commands."""
        text = Path(f"/proc/{self.pid}/io").read_text()
        return int(text.split("rchar:", 1)[1].split("\n", 1)[0])

    async def stop(self) -> None:
        """End it."""
        await self._child.stop()


def last_count(output: bytes) -> int:
    """The last complete count of messages in what smtp-sink -c wrote: `sess=1 quit=1 mesg=42`, each after a CR."""
    # What stands after the last CR may be cut off in the middle of a number.
    found = _COUNTER.findall(output[: output.rfind(b"\r") + 1])
    return int(found[-1]) if found else 0
