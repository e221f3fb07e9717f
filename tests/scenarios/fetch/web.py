"""A web server that answers with given bytes, and a fetcher that may reach it and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from postroom.delivery.fetch import FetchLimits, GuardedFetcher

Answer = bytes | Callable[[str], bytes]


class Web:
    """``requests`` are the requests as they came; ``close`` says whether the server closes after an answer."""

    def __init__(self, answers: Sequence[Answer], *, close: bool = True) -> None:
        self._answers = list(answers)
        self._close = close
        self.requests: list[bytes] = []
        self.port = 0
        self.resolved: list[str] = []
        self.asked = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
        )
        self.requests.append(head + await reader.readexactly(length))
        self.asked.set()
        answer = self._answers.pop(0)
        writer.write(answer(f"http://peer.example:{self.port}") if callable(answer) else answer)
        try:
            await writer.drain()
            if not self._close:
                await reader.read()
        except ConnectionError:
            pass  # the fetcher has read enough
        finally:
            writer.close()

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.resolved.append(host)
        return ["127.0.0.1"]

    def fetcher(
        self, *hosts: str, limits: FetchLimits | None = None, reachable: Callable[[str], bool] | None = None
    ) -> GuardedFetcher:
        allowed = frozenset(hosts or (f"peer.example:{self.port}",))
        here = reachable or (lambda address: address == "127.0.0.1")
        return GuardedFetcher(allowed, limits=limits, resolve=self.resolve, reachable=here)

    def url(self, path: str = "/") -> str:
        return f"http://peer.example:{self.port}{path}"


@asynccontextmanager
async def web(*answers: Answer, close: bool = True) -> AsyncIterator[Web]:
    site = Web(answers, close=close)
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    async with server:
        yield site


def ok(body: bytes, extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), extra, body)


def moved(location: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
