"""An HTTP client that costs next to nothing: requests come ready made, answers are only looked at, not parsed."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import cast

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")


class UnusableAnswer(Exception):
    """The peer's answer is no HTTP/1.1 with a content-length, or it closed the connection too early."""


@dataclass(slots=True)
class Load:
    """What came back. `seconds` is from the first byte sent to the last answer; latencies in seconds, in order."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    first_refusal: str = ""
    """The first body that came with another status than the expected one."""


def request(method: str, path: str, body: bytes, *, host: str, token: str | None) -> bytes:
    """One request with a JSON body, ready to send."""
    bearer = "" if token is None else f"Authorization: Bearer {token}\r\n"
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{bearer}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


class Answer:
    """Cuts answers out of a byte stream. Bodies are kept, for a look at those that are no success."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._missing = -1
        self.status = 0
        self.body = b""

    def feed(self, data: bytes) -> bool:
        """Take received bytes; True when one answer is complete. Raises UnusableAnswer."""
        if self._missing < 0:
            data = b"".join([*self._parts, data])
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._parts = [head]
                return False
            status, length = _STATUS.match(head), _LENGTH.search(head)
            if status is None or length is None:
                raise UnusableAnswer(f"the answer begins with {head[:200]!r}")
            self.status = int(status[1])
            self._missing = int(length[1])
            self._parts = []
        self._parts.append(data)
        self._missing -= len(data)
        if self._missing > 0:
            return False
        if self._missing < 0:
            raise UnusableAnswer("the answer is longer than it says")
        self.body = b"".join(self._parts)
        self._parts = []
        self._missing = -1
        return True


class _Connection(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes], load: Load, expected: int) -> None:
        self._requests = requests
        self._load = load
        self._expected = expected
        self._answer = Answer()
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do all that asyncio's do and descend from none of them.
        self._transport = cast(asyncio.Transport, transport)

    def begin(self) -> None:
        self._send()

    def _send(self) -> None:
        assert self._transport is not None
        following = next(self._requests, None)
        if following is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(following)

    def data_received(self, data: bytes) -> None:
        if self.done.done():
            return
        try:
            complete = self._answer.feed(data)
        except UnusableAnswer as error:
            self.done.set_exception(error)
            return
        if complete:
            load, answer = self._load, self._answer
            load.latencies.append(time.perf_counter() - self._sent_at)
            load.statuses[answer.status] += 1
            if answer.status != self._expected and not load.first_refusal:
                load.first_refusal = answer.body.decode(errors="replace")[:500]
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or UnusableAnswer("the connection was closed before the answer came"))


async def send_all(
    address: tuple[str, int], requests: Iterable[bytes], *, connections: int, expected: int = 202
) -> Load:
    """Send every request, each connection its next one when it has its answer. Raises OSError or UnusableAnswer."""
    load = Load()
    loop = asyncio.get_running_loop()
    waiting = iter(requests)
    opened = [
        (await loop.create_connection(lambda: _Connection(waiting, load, expected), *address))[1]
        for _ in range(connections)
    ]
    begun, cpu = time.perf_counter(), time.process_time()
    for each in opened:
        each.begin()
    await asyncio.gather(*(each.done for each in opened))
    load.seconds = time.perf_counter() - begun
    load.cpu_seconds = time.process_time() - cpu
    return load


async def call(
    address: tuple[str, int], method: str, path: str, body: bytes, *, token: str | None = None
) -> tuple[int, bytes]:
    """One request on a connection of its own: status and body."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(request(method, path, body, host=f"{address[0]}:{address[1]}", token=token))
        answer = Answer()
        while True:
            data = await reader.read(65536)
            if not data:
                raise UnusableAnswer(f"{method} {path}: the connection was closed before the answer came")
            if answer.feed(data):
                return answer.status, answer.body
    finally:
        writer.close()
