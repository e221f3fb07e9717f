"""A look at a mail host from outside: does it offer TLS, and is its certificate good."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

_SECONDS = 15.0
_LONGEST_LINE = 2048
_MOST_LINES = 100


@dataclass(frozen=True, slots=True)
class HostTls:
    """``unreachable`` and ``certificate`` say what is wrong and are empty when nothing is."""

    unreachable: str = ""
    offered: bool = False
    certificate: str = ""


LookAtHost: TypeAlias = Callable[[str, str], Awaitable[HostTls]]
"""Given the host's name and one of its addresses; never raises for what the host does."""


async def look_at_host(host: str, address: str, *, port: int, helo: str, tls: ssl.SSLContext) -> HostTls:
    """Connect, and go as far as STARTTLS; no mail is begun. ``tls`` verifies."""
    try:
        async with asyncio.timeout(_SECONDS):
            reader, writer = await asyncio.open_connection(address, port, limit=_LONGEST_LINE)
            try:
                return await _converse(reader, writer, host, helo, tls)
            finally:
                writer.transport.abort()
    except TimeoutError:
        return HostTls(unreachable=f"no answer within {_SECONDS:g} s")
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as problem:
        return HostTls(unreachable=str(problem)[:200])


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, helo: str, tls: ssl.SSLContext
) -> HostTls:
    greeting = await _reply(reader)
    if not greeting[0].startswith("220"):
        return HostTls(unreachable=f"it greets with {greeting[0][:100]!a}")
    writer.write(f"EHLO {helo}\r\n".encode("ascii", "replace"))
    if not any(line[4:].strip().upper() == "STARTTLS" for line in await _reply(reader)):
        return HostTls()
    writer.write(b"STARTTLS\r\n")
    answer = await _reply(reader)
    if not answer[0].startswith("220"):
        return HostTls(offered=True, certificate=f"it answers STARTTLS with {answer[0][:100]!a}")
    try:
        await writer.start_tls(tls, server_hostname=host)
    except ssl.SSLCertVerificationError as refused:
        return HostTls(offered=True, certificate=refused.verify_message)
    except (ssl.SSLError, ConnectionError) as broken:
        return HostTls(offered=True, certificate=f"the handshake breaks: {str(broken)[:100]}")
    return HostTls(offered=True)


async def _reply(reader: asyncio.StreamReader) -> list[str]:
    lines: list[str] = []
    while len(lines) < _MOST_LINES:
        line = (await reader.readuntil(b"\n")).decode("ascii", "replace").rstrip("\r\n")
        lines.append(line)
        if line[3:4] != "-":
            return lines
    raise ValueError("its reply does not end")
