"""How fast one process hands mail to Postfix's smtp-sink, and what a message costs it in CPU time.

    python benchmarks/smtp_client.py [--messages 60000] [--connections 16] [--size 10240] [--loop uvloop]

Prints one line for each run and the medians. The sink runs on the same machine and is a ceiling of its
own: at 10 KB it takes about 14,000 messages a second on one core (the CPU figure does not have that limit).
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import os
import pstats
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import uvloop

from postroom.delivery.outcome import Outcome, Sent
from postroom.delivery.smtp.pool import SmtpPool
from postroom.delivery.smtp.target import SmtpTarget, TlsMode

SINK = "/usr/sbin/smtp-sink"


@dataclass(frozen=True, slots=True)
class Run:
    """The figures of one run."""

    messages: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU time of this process for each message, in microseconds."""
        return self.cpu_seconds / self.messages * 1e6


class Source:
    """Gives a number of jobs and waits for their outcomes."""

    def __init__(self, messages: int, size: int) -> None:
        self.left = messages
        self.unfinished = messages
        self.failures: list[Outcome] = []
        self.done = asyncio.Event()
        self.data = body(size)

    def take(self) -> BenchmarkJob | None:
        """The next job."""
        if self.left == 0:
            return None
        self.left -= 1
        return BenchmarkJob(self, f"person{self.left}@example.com")


class BenchmarkJob:
    """One message. Its bytes are made anew, as they are when each mail is personal."""

    first_decides = True
    __slots__ = ("_source", "data", "recipients", "sender", "smtputf8")

    def __init__(self, source: Source, recipient: str) -> None:
        self._source = source
        self.sender = "bounce@mail.example.com"
        self.recipients: Sequence[str] = (recipient,)
        self.data = b"To: %b\r\n%b" % (recipient.encode(), source.data)
        self.smtputf8 = False

    def finish(self, outcome: Outcome) -> None:
        """Count it."""
        source = self._source
        if type(outcome) is not Sent:
            source.failures.append(outcome)
        source.unfinished -= 1
        if source.unfinished == 0:
            source.done.set()


def body(size: int) -> bytes:
    """A message of about this size in lines as quoted-printable makes them."""
    line = b'<td style=3D"color:#333333">Your order is on its way. Nothing to do =\r\n'
    return b"From: Shop <shop@example.com>\r\nSubject: Your order\r\n\r\n" + line * (size // len(line))


async def send(target: SmtpTarget, messages: int, connections: int, size: int) -> Run:
    """Send all messages and measure from the first take to the last outcome."""
    source = Source(messages, size)
    pool = SmtpPool(target, size=connections, take=source.take)
    cpu, start = time.process_time(), time.perf_counter()
    pool.wake()
    await source.done.wait()
    run = Run(messages, time.perf_counter() - start, time.process_time() - cpu)
    await pool.close(5)
    if source.failures:
        raise SystemExit(f"{len(source.failures)} messages were not sent, the first: {source.failures[0]}")
    return run


def start_sink() -> tuple[subprocess.Popen[bytes], int]:
    """Run smtp-sink on a free port; the caller stops it."""
    if not shutil.which(SINK):
        raise SystemExit(f"{SINK} is missing; it comes with Debian's package postfix")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([SINK, *user, "-h", "sink.example.com", f"127.0.0.1:{port}", "1000"])
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return process, port
    process.terminate()
    raise SystemExit("smtp-sink does not answer")


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=30_000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--size", type=int, default=10_240, help="bytes of one message")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    parser.add_argument("--profile", action="store_true", help="print where the time goes (slows down the runs)")
    options = parser.parse_args()
    factory: Callable[[], Any] = uvloop.new_event_loop if options.loop == "uvloop" else asyncio.new_event_loop
    sink, port = start_sink()
    target = SmtpTarget("127.0.0.1", port, tls=TlsMode.OFF)
    profile = cProfile.Profile()
    try:
        runs = []
        for _ in range(options.runs):
            with asyncio.Runner(loop_factory=factory) as runner:
                if options.profile:
                    profile.enable()
                run = runner.run(send(target, options.messages, options.connections, options.size))
                profile.disable()
            print(f"{run.messages} messages, {run.rate:,.0f} msg/s, {run.cpu_us:.1f} us CPU/msg", flush=True)
            runs.append(run)
    finally:
        sink.terminate()
        sink.wait()
    if options.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    rate = statistics.median(run.rate for run in runs)
    cpu = statistics.median(run.cpu_us for run in runs)
    print(
        f"median: {rate:,.0f} msg/s, {cpu:.1f} us CPU/msg "
        f"({options.connections} connections, {options.size} bytes, {options.loop})"
    )


if __name__ == "__main__":
    main()
