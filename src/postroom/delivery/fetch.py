"""Guarded HTTP for templates (HTTPGet and its family, AttachFile): what a hostile template must not turn against us.

* Only hosts the settings name, on their usual ports unless the entry names one (``api.example.com:8443``).
* A name is resolved once, every address it has must be public, and the connection goes to one of just these
  addresses: a second answer of a hostile name server (DNS rebinding) is never asked for.
* A redirect is a new request: host, port and addresses are checked again; never from https to http.
* Time, size of the answer, redirects and requests to one host at one time are limited. No cookies, no proxies, no
  compression.

A request that fails is an answer with status 0 and a reason, never an exception.
"""

import asyncio
import re
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

import httptools
import idna

from postroom.content.ampscript.run import OFF, Fetcher, NoFetch, Request, Response
from postroom.events.reach import Resolve, is_public, resolve_addresses

_PORTS: Final = {"http": 80, "https": 443}
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_FIELD = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,4000}")
# what frames the message, or would speak for somebody else, is ours to write
_OURS: Final = frozenset(
    {
        "accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "proxy-authorization",
        "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_SECRETS: Final = frozenset({"authorization", "cookie"})
_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """``seconds`` for everything a request needs, redirects included; ``body`` and ``header`` in bytes of the answer.
    A good answer to a GET is kept for ``kept_seconds`` when it is not larger than ``kept_body``, and messages that ask
    for the same at one time share one request. ``together`` requests to one host run at one time; others wait for
    their turn, which is not counted as time of theirs."""

    seconds: float = 5.0
    body: int = 1_000_000
    header: int = 64_000
    redirects: int = 3
    kept_seconds: float = 60.0
    kept_body: int = 100_000
    kept: int = 200
    together: int = 40


@dataclass(frozen=True, slots=True)
class _Target:
    secure: bool
    host: str  # A-labels, or an address without brackets
    port: int
    path: str

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https" if self.secure else "http"] else f"{host}:{self.port}"


class _Refused(Exception):
    """The request may not be made, or its answer not be read; says why."""


class GuardedFetcher:
    """Fetches from ``hosts`` and no others: for templates, and for the policies of recipients' domains.

    ``resolve`` and ``reachable`` are given by tests; ``clock`` gives monotonic seconds.
    """

    def __init__(
        self,
        hosts: frozenset[str],
        *,
        limits: FetchLimits | None = None,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve = resolve_addresses,
        reachable: Callable[[str], bool] = is_public,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hosts = frozenset(host.strip().lower().rstrip(".") for host in hosts)
        self._limits = limits or FetchLimits()
        self._tls = tls
        self._resolve = resolve
        self._reachable = reachable
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Response]] = OrderedDict()
        self._asked: dict[str, asyncio.Task[Response]] = {}
        # one for each of the allowed hosts at most, so that a host that is slow takes no turns from another
        self._turns: dict[str, asyncio.Semaphore] = {}

    async def fetch(self, request: Request) -> Response:
        """One request and the redirects it leads to."""
        if not self._hosts:
            return Response(0, problem=OFF)
        plain = request.method == "GET" and not request.headers
        if not plain:
            return await self._answer(request)
        if (kept := self._recall(request.url)) is not None:
            return kept
        asked = self._asked.get(request.url)
        if asked is None:
            asked = self._asked[request.url] = asyncio.create_task(self._answer(request))
            asked.add_done_callback(lambda _: self._asked.pop(request.url, None))
        response = await asyncio.shield(asked)
        if response.status == 200 and len(response.body) <= self._limits.kept_body:
            self._keep(request.url, response)
        return response

    async def _answer(self, request: Request) -> Response:
        try:
            target = self._target(request.url)
            turns = self._turns.setdefault(target.authority, asyncio.Semaphore(self._limits.together))
            async with turns, asyncio.timeout(self._limits.seconds):
                return await self._follow(request, target)
        except TimeoutError:
            return Response(0, problem=f"no answer within {self._limits.seconds:g} s")
        except _Refused as refused:
            return Response(0, problem=str(refused))
        except (OSError, ValueError, httptools.HttpParserError) as error:
            return Response(0, problem=f"the connection failed: {str(error) or type(error).__name__}")

    def _recall(self, url: str) -> Response | None:
        found = self._kept.get(url)
        if found is None:
            return None
        if found[0] < self._clock():
            del self._kept[url]
            return None
        return found[1]

    def _keep(self, url: str, response: Response) -> None:
        self._kept[url] = (self._clock() + self._limits.kept_seconds, response)
        self._kept.move_to_end(url)
        if len(self._kept) > self._limits.kept:
            self._kept.popitem(last=False)

    async def _follow(self, request: Request, target: _Target) -> Response:
        for _ in range(self._limits.redirects + 1):
            response = await self._exchange(target, request)
            if response.status not in _REDIRECTS:
                return response
            location = next((value for name, value in response.headers if name.lower() == "location"), "")
            if not location:
                return response
            try:
                url = urljoin(request.url, location)
            except ValueError:
                raise _Refused("the address of a redirect cannot be read") from None
            following = self._target(url)
            if target.secure and not following.secure:
                raise _Refused(f"{target.host} redirects from https to http")
            request = _redirected(request, url, response.status, same_host=following.host == target.host)
            target = following
        raise _Refused(f"more than {self._limits.redirects} redirects")

    def _target(self, url: str) -> _Target:
        """Where ``url`` leads, when it may be gone to."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise _Refused("the address cannot be read") from None
        scheme = parts.scheme.lower()
        if scheme not in _PORTS or not host:
            raise _Refused("the address is not one of http or https")
        if parts.username is not None or parts.password is not None:
            raise _Refused("the address holds a name or password; take it out")
        host = _wire_host(host.rstrip("."))
        wanted = port or _PORTS[scheme]
        allowed = f"{host}:{wanted}" in self._hosts or (host in self._hosts and wanted in _PORTS.values())
        if not allowed:
            raise _Refused(f"the host {host}:{wanted} is not allowed; name it in the setting template_http_hosts")
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=-._~")
        query = quote(parts.query, safe="/%:@!$&'()*+,;=-._~?")
        return _Target(scheme == "https", host, wanted, f"{path}?{query}" if query else path)

    async def _exchange(self, target: _Target, request: Request) -> Response:
        head = _request_head(target, request)
        address = await self._address(target)
        if target.secure and self._tls is None:
            self._tls = ssl.create_default_context()
        reader, writer = await asyncio.open_connection(
            address,
            target.port,
            ssl=self._tls if target.secure else None,
            server_hostname=target.host if target.secure else None,
        )
        try:
            writer.write(head + request.body)
            await writer.drain()
            return await _Answer(self._limits).read(reader)
        finally:
            writer.transport.abort()

    async def _address(self, target: _Target) -> str:
        addresses = await self._resolve(target.host, target.port)
        if not addresses:
            raise _Refused(f"{target.host} has no address")
        for address in addresses:
            if not self._reachable(address):
                raise _Refused(f"{target.host} has an address that is not public")
        return addresses[0]


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """What templates may fetch: from which hosts, with private addresses or without, how long and how much."""

    hosts: frozenset[str] = frozenset()
    private: bool = False
    limits: FetchLimits = FetchLimits()


def open_fetcher(options: FetchOptions, *, clock: Callable[[], float]) -> Fetcher:
    """The fetcher of a delivery process; one that refuses everything when no host is allowed."""
    if not options.hosts:
        return NoFetch()
    reachable = _anywhere if options.private else is_public
    return GuardedFetcher(options.hosts, limits=options.limits, reachable=reachable, clock=clock)


def _anywhere(address: str) -> bool:
    return True


def _wire_host(host: str) -> str:
    if ":" in host or host.isascii():
        return host.lower()
    try:
        return idna.encode(host, uts46=True).decode("ascii").lower()
    except idna.IDNAError:
        raise _Refused(f"{host!r} is no name of a host") from None


def _redirected(request: Request, url: str, status: int, *, same_host: bool) -> Request:
    headers = request.headers
    if not same_host:
        headers = [(name, value) for name, value in headers if name.lower() not in _SECRETS]
    if status == 303 or (status in {301, 302} and request.method == "POST"):
        plain = [(name, value) for name, value in headers if not name.lower().startswith("content-")]
        return Request("GET", url, plain)
    return replace(request, url=url, headers=headers)


def _request_head(target: _Target, request: Request) -> bytes:
    lines = [
        f"{request.method} {target.path} HTTP/1.1",
        f"Host: {target.authority}",
        "Connection: close",
        "Accept-Encoding: identity",
        "User-Agent: postroom",
    ]
    if request.method == "POST":
        lines.append(f"Content-Length: {len(request.body)}")
    for name, value in request.headers:
        if _TOKEN.fullmatch(name) is None or _FIELD.fullmatch(value) is None:
            raise _Refused(f"the header {name[:40]!r} cannot be sent")
        if name.lower() in _OURS:
            raise _Refused(f"the header {name} is not for a template to set")
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class _Answer:
    """One answer being read; the methods with ``on_`` are called by the parser."""

    def __init__(self, limits: FetchLimits) -> None:
        self._limits = limits
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[str, str]] = []
        self._in_header = True
        self._body = bytearray()
        self._complete = False
        self._too_large = False

    async def read(self, reader: asyncio.StreamReader) -> Response:
        received = 0
        while not self._complete:
            data = await reader.read(16_384)
            if not data:
                self._ended()
                break
            self._parser.feed_data(data)
            received += len(data)
            # the parser holds a header until it is whole, and says nothing of the frames of chunks
            if self._in_header and received > self._limits.header:
                raise _Refused(f"the header of the answer is larger than {self._limits.header:,} bytes")
            if self._too_large or received > self._limits.header + 4 * self._limits.body:
                raise _Refused(f"the answer is larger than {self._limits.body:,} bytes")
        content_type = self._field("content-type")
        charset = _CHARSET.search(content_type)
        return Response(
            self._parser.get_status_code(),
            bytes(self._body),
            charset.group(1) if charset else "utf-8",
            tuple(self._headers),
        )

    def _field(self, wanted: str) -> str:
        return next((value for name, value in self._headers if name.lower() == wanted), "")

    def _ended(self) -> None:
        """The peer has closed, which ends an answer only when nothing else does (RFC 9112 §6.3)."""
        if self._in_header or self._field("content-length") or self._field("transfer-encoding"):
            raise _Refused("the answer was cut short")

    def on_message_begin(self) -> None:
        self._headers.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self._in_header = self._parser.get_status_code() < 200

    def on_body(self, data: bytes) -> None:
        if len(self._body) + len(data) > self._limits.body:
            self._too_large = True
        else:
            self._body += data

    def on_message_complete(self) -> None:
        self._complete = self._parser.get_status_code() >= 200
