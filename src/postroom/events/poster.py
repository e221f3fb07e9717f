"""Posting to a webhook: one small HTTP client with a bound on everything the other side could do to us.

Sans-I/O is `Answer`; `Connection` is the socket around it. One deadline covers name, connection, TLS, request and
the head of the answer, so an endpoint that answers byte by byte gains nothing. Redirects are answers like any other
(not 2xx, so a failure) and are not followed. The body of an answer is read only to be able to use the connection
again, and only a little of it.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httptools

from postroom.events.reach import AddressRefused, Endpoint, Resolve, is_public, reachable_address, resolve_addresses

HEADER_LIMIT = 16_384
BODY_LIMIT = 16_384


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of one request: the status of the answer, or 0 and why there was none."""

    status: int
    problem: str = ""


class AnswerRefused(Exception):
    """The answer is not one we read on; the text says why."""


class Answer:
    """One answer being read; the methods with ``on_`` are called by the parser."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._header_size = 0
        self._body_size = 0
        self.status = 0
        """Set as soon as the head is complete."""
        self.reusable = False
        """The answer is complete, and the connection can take another request."""
        self.complete = False
        self.oversized = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises AnswerRefused for what is not HTTP or has no end."""
        if not self.status:
            self._header_size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as broken:
            if not self.status:
                raise AnswerRefused(f"the answer is not HTTP ({broken})") from None
            self.oversized = True
        if not self.status and self._header_size > HEADER_LIMIT:
            raise AnswerRefused(f"the header of the answer is larger than {HEADER_LIMIT:,} bytes")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        # 1xx answers come before the one that counts.
        if status >= 200:
            self.status = status

    def on_body(self, data: bytes) -> None:
        self._body_size += len(data)
        if self._body_size > BODY_LIMIT:
            self.oversized = True

    def on_message_complete(self) -> None:
        if self.status:
            self.complete = True
            self.reusable = self._parser.should_keep_alive() and not self.oversized


class Poster:
    """Posts to one endpoint after another request, over one connection that is kept while it works.

    ``private`` allows addresses that are not public; ``tls``, ``resolve`` and ``public`` are given by tests. Not for
    two requests at a time.
    """

    def __init__(
        self,
        *,
        private: bool,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve = resolve_addresses,
        public: Callable[[str], bool] = is_public,
    ) -> None:
        self._private = private
        self._public = public
        self._tls = tls
        self._resolve = resolve
        self._endpoint: Endpoint | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(
        self, endpoint: Endpoint, body: bytes, headers: Sequence[tuple[str, str]], *, seconds: float
    ) -> Posted:
        """POST the body and wait for the head of the answer. Never raises for what the other side does."""
        request = _head(endpoint, body, headers) + body
        answer = Answer()
        try:
            async with asyncio.timeout(seconds):
                if not await self._exchange_again(endpoint, request, answer):
                    self.close()
                    self._streams = await self._open(endpoint)
                    self._endpoint = endpoint
                    answer = Answer()
                    await self._exchange(self._streams, request, answer)
                await self._drain(answer)
        except TimeoutError:
            # The head may be in: then the batch was answered, only the rest of the answer did not come.
            self.close()
            return Posted(answer.status) if answer.status else Posted(0, f"no answer within {seconds:g} s")
        except (AddressRefused, AnswerRefused) as refused:
            self.close()
            return Posted(0, str(refused))
        except ssl.SSLCertVerificationError as refused:
            self.close()
            return Posted(0, f"the certificate is not accepted: {refused.verify_message.rstrip('.')}")
        except (OSError, EOFError) as broken:
            self.close()
            return Posted(0, f"the connection failed: {str(broken) or type(broken).__name__}")
        except BaseException:
            self.close()
            raise
        return Posted(answer.status)

    def close(self) -> None:
        """Let go of the connection, without a goodbye."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None
            self._endpoint = None

    async def _exchange_again(self, endpoint: Endpoint, request: bytes, answer: Answer) -> bool:
        """Use the kept connection; False when there is none, or it turned out to be closed before any answer."""
        if self._streams is None or self._endpoint != endpoint or self._streams[0].at_eof():
            return False
        try:
            await self._exchange(self._streams, request, answer)
        except (OSError, EOFError):
            # An idle connection that the other side closed just now: no word about this request.
            return False
        return True

    async def _open(self, endpoint: Endpoint) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        address = await reachable_address(endpoint, private=self._private, resolve=self._resolve, public=self._public)
        if not endpoint.secure:
            return await asyncio.open_connection(address, endpoint.port)
        self._tls = self._tls or ssl.create_default_context()
        return await asyncio.open_connection(
            address, endpoint.port, ssl=self._tls, server_hostname=endpoint.host, ssl_handshake_timeout=60.0
        )

    async def _exchange(
        self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: bytes, answer: Answer
    ) -> None:
        reader, writer = streams
        writer.write(request)
        # Not waiting for the write to end: an endpoint may answer, and close, before it has read everything.
        while not answer.status:
            data = await reader.read(65_536)
            if not data:
                raise EOFError("it was closed before the answer")
            answer.feed(data)

    async def _drain(self, answer: Answer) -> None:
        """Read the rest of a short answer, so that the connection can be used again; else close it."""
        assert self._streams is not None
        with contextlib.suppress(OSError):
            while not answer.complete and not answer.oversized:
                data = await self._streams[0].read(65_536)
                if not data:
                    break
                answer.feed(data)
        if not answer.reusable:
            self.close()


def _head(endpoint: Endpoint, body: bytes, headers: Sequence[tuple[str, str]]) -> bytes:
    lines = [
        f"POST {endpoint.path} HTTP/1.1",
        f"Host: {endpoint.authority}",
        "User-Agent: postroom",
        "Content-Type: application/json; charset=utf-8",
        "Accept-Encoding: identity",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
