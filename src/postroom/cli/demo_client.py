"""The demo's way to the server: HTTP/1.1 as any client would speak it, some calls at a time.

Each thread keeps one connection. A reading call is repeated once on a new connection, since the server may have
closed an idle one; a send is never repeated. The parser is the one the server has (httptools): reading 2,000
statuses and 2,000 mails with the standard library's would take longer than sending them.
"""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import httptools
import msgspec

T = TypeVar("T")
R = TypeVar("R")

# Enough to keep a server of two cores busy beside its own work, and no more.
CALLS_AT_A_TIME = 4
TIMEOUT_SECONDS = 60.0


class CallFailed(Exception):
    """A call was answered with another status than the one that means success, or not at all."""


class _Connection:
    """One connection and the answer that is being read from it."""

    def __init__(self, host: str, port: int) -> None:
        self._host = f"{host}:{port}"
        self._socket = socket.create_connection((host, port), timeout=TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._body: list[bytes] = []
        self._complete = False
        self.reusable = True

    def exchange(self, method: str, path: str, body: bytes, token: str | None) -> tuple[int, bytes]:
        """Status and body of the answer. Raises OSError or `HttpParserError`; the connection is of no use then."""
        authorization = "" if token is None else f"Authorization: Bearer {token}\r\n"
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n{authorization}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._body, self._complete = [], False
        parser = httptools.HttpResponseParser(self)
        self._socket.sendall(head.encode("ascii") + body)
        while not self._complete:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionResetError("the server closed the connection")
            parser.feed_data(data)
        self.reusable = parser.should_keep_alive()
        return parser.get_status_code(), b"".join(self._body)

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        self._complete = True

    def close(self) -> None:
        self._socket.close()


class Client:
    """Calls one server; use it as a context manager, which closes its connections at the end.

    `token`, once set, goes with every call.
    """

    def __init__(self, base_url: str) -> None:
        address = urlsplit(base_url)
        self._host = address.hostname or ""
        self._port = address.port or 80
        self._local = threading.local()
        self._open: set[_Connection] = set()
        self.token: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in list(self._open):
            self._drop(connection)

    def get(self, path: str) -> Any:
        """The decoded JSON of a GET that must answer 200."""
        return msgspec.json.decode(self.raw(path))

    def raw(self, path: str) -> bytes:
        """The bytes of a GET that must answer 200."""
        return self._call("GET", path, b"", 200)

    def post(self, path: str, body: object, *, status: int) -> Any:
        """The decoded JSON of a POST that must answer `status`."""
        return msgspec.json.decode(self._call("POST", path, msgspec.json.encode(body), status))

    def _call(self, method: str, path: str, body: bytes, status: int) -> bytes:
        try:
            got, content = self._exchange(method, path, body)
        except (httptools.HttpParserError, OSError) as lost:
            raise CallFailed(f"{method} {path}: no answer ({str(lost) or type(lost).__name__})") from lost
        if got != status:
            raise CallFailed(f"{method} {path}: {got} instead of {status}: {content[:500].decode(errors='replace')}")
        return content

    def _exchange(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        used: _Connection | None = getattr(self._local, "connection", None)
        if used is not None and method == "GET":
            try:
                return self._on(used, method, path, body)
            except ConnectionError:
                # The server had closed it while it was idle, which shows only now.
                pass
        elif used is not None:
            self._drop(used)
        connection = _Connection(self._host, self._port)
        self._open.add(connection)
        return self._on(connection, method, path, body)

    def _on(self, connection: _Connection, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        self._local.connection = None
        try:
            answer = connection.exchange(method, path, body, self.token)
        except BaseException:
            self._drop(connection)
            raise
        if connection.reusable:
            self._local.connection = connection
        else:
            self._drop(connection)
        return answer

    def _drop(self, connection: _Connection) -> None:
        self._open.discard(connection)
        connection.close()


def unordered(work: Callable[[T], R], things: Iterable[T]) -> Iterator[R]:
    """The results of the work, some at a time in threads, as they come; few wait to be taken.

    The first failure ends it. When the caller leaves early, what was not begun is not done.
    """
    left = iter(things)
    with ThreadPoolExecutor(CALLS_AT_A_TIME, thread_name_prefix="demo") as threads:
        pending: set[Future[R]] = set()
        try:
            while True:
                pending |= {threads.submit(work, thing) for thing in islice(left, 4 * CALLS_AT_A_TIME - len(pending))}
                if not pending:
                    return
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            for future in pending:
                future.cancel()
