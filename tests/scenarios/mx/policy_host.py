"""The HTTPS host of an MTA-STS policy, that can also misbehave."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.scenarios.mx.internet import Internet


class PolicyHost:
    """Answers every request with ``answer``, the whole of it; with None it says nothing."""

    def __init__(self) -> None:
        self.answer: bytes | None = None
        self.asked: list[bytes] = []
        self.port = 0

    def serve(self, *lines: str, max_age: int = 86_400) -> None:
        """A policy of these lines."""
        body = "".join(f"{line}\r\n" for line in ("version: STSv1", *lines, f"max_age: {max_age}")).encode()
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        try:
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            if self.answer is None:
                await reader.read()
            else:
                writer.write(self.answer)
                await writer.drain()
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()


@asynccontextmanager
async def policy_host(net: Internet, domain: str, tls: ssl.SSLContext) -> AsyncIterator[PolicyHost]:
    """The policy host of a domain, announced in the DNS with the id 1."""
    made = PolicyHost()
    server = await asyncio.start_server(made.converse, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    net.dns.zone[f"mta-sts.{domain}", "A"] = ["127.0.0.1"]
    net.dns.zone[f"_mta-sts.{domain}", "TXT"] = ['"v=STSv1; id=1;"']
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()
