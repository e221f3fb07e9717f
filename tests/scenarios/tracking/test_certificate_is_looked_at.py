"""The look at a tracking domain: a good certificate, and this server behind it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.scenarios.smtp.conftest import certificate, server_tls, trusting_tls

from postroom.delivery.tracking_domain import look_at

__all__ = ["certificate", "server_tls", "trusting_tls"]

OURS = b"HTTP/1.1 200 OK\r\nContent-Type: image/gif\r\nContent-Length: 43\r\n\r\nGIF89a"


@asynccontextmanager
async def answering(tls: ssl.SSLContext, answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """An https host that answers so; its URL and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/mail", asked
    finally:
        server.close()


async def test_a_good_certificate_and_our_own_pixel(server_tls: ssl.SSLContext, trusting_tls: ssl.SSLContext) -> None:
    async with answering(server_tls, OURS) as (url, asked):
        assert await look_at(url, "/t/o/token", tls=trusting_tls) == ""
    assert asked[0].startswith(b"GET /mail/t/o/token HTTP/1.0\r\nHost: 127.0.0.1:")


async def test_attack_certificate_that_nobody_vouches_for(server_tls: ssl.SSLContext) -> None:
    async with answering(server_tls, OURS) as (url, asked):
        assert "the certificate of 127.0.0.1 is not good: self-signed certificate" in await look_at(url, "/t/o/x")
    assert asked == []


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 404 Not Found\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", b"", b"\0" * 99],
)
async def test_another_server_behind_the_name(
    server_tls: ssl.SSLContext, trusting_tls: ssl.SSLContext, answer: bytes
) -> None:
    async with answering(server_tls, answer) as (url, _):
        assert "not as this server does" in await look_at(url, "/t/o/x", tls=trusting_tls)
