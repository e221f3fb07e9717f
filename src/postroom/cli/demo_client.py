"""The demo's way to the server: HTTP/1.1 by the standard library, as any client would, some calls at a time.

Each thread keeps one connection. A reading call is repeated once on a new connection, since the server may have
closed an idle one; a send is never repeated.
"""

import http.client
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

T = TypeVar("T")
R = TypeVar("R")

# Enough to keep a server of two cores busy beside its own work, and no more.
CALLS_AT_A_TIME = 4
TIMEOUT_SECONDS = 60.0


class CallFailed(Exception):
    """A call was answered with another status than the one that means success, or not at all."""


class Client:
    """Calls one server. `token`, once set, goes with every call."""

    def __init__(self, base_url: str) -> None:
        address = urlsplit(base_url)
        self._host = address.hostname or ""
        self._port = address.port or 80
        self._local = threading.local()
        self.token: str | None = None

    def get(self, path: str) -> Any:
        """The decoded JSON of a GET that must answer 200."""
        return msgspec.json.decode(self.raw(path))

    def raw(self, path: str) -> bytes:
        """The bytes of a GET that must answer 200."""
        return self._call("GET", path, None, 200)

    def post(self, path: str, body: object, *, status: int) -> Any:
        """The decoded JSON of a POST that must answer `status`."""
        return msgspec.json.decode(self._call("POST", path, msgspec.json.encode(body), status))

    def _call(self, method: str, path: str, body: bytes | None, status: int) -> bytes:
        headers = {"Content-Type": "application/json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            got, content = self._exchange(method, path, body, headers)
        except (http.client.HTTPException, OSError) as lost:
            raise CallFailed(f"{method} {path}: no answer ({str(lost) or type(lost).__name__})") from lost
        if got != status:
            raise CallFailed(f"{method} {path}: {got} instead of {status}: {content[:500].decode(errors='replace')}")
        return content

    def _exchange(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        used = connection is not None
        # The server may have closed a connection that was idle, which shows only now.
        if connection is None or method != "GET":
            if connection is not None:
                connection.close()
            connection = self._local.connection = http.client.HTTPConnection(
                self._host, self._port, timeout=TIMEOUT_SECONDS
            )
            used = False
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (http.client.HTTPException, OSError):
            connection.close()
            self._local.connection = None
            if not used:
                raise
            return self._exchange(method, path, body, headers)


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
