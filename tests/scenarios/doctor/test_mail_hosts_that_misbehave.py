"""Mail hosts of the domain that is examined, whoever runs them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.scenarios.authority import DAY, Authority
from tests.scenarios.mx.internet import MailHost, take

from postroom.doctor.mail_hosts import HostTls, look_at_host


async def looked_at(port: int, authority: Authority) -> HostTls:
    return await look_at_host(
        "mx.example.com", "127.0.0.1", port=port, helo="out.example.com", tls=authority.trusting()
    )


@asynccontextmanager
async def saying(*replies: bytes) -> AsyncIterator[int]:
    """A host that says these things, each after a line of the client, whatever that is; gives its port."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            writer.write(reply)
            await reader.readline()
        writer.transport.abort()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    ("replies", "part"),
    [
        ((b"554 go away\r\n",), "it greets with '554 go away'"),
        ((b"220-" + b"x" * 5000,), "limit"),
        ((b"220-more\r\n" * 500,), "does not end"),
        ((b"220 mx.example.com\r\n",), "0 bytes read"),
    ],
    ids=["refuses", "endless line", "endless reply", "hangs up after EHLO"],
)
async def test_hosts_that_say_nothing_of_use(replies: tuple[bytes, ...], part: str) -> None:
    async with saying(*replies) as port:
        seen = await asyncio.wait_for(looked_at(port, Authority()), 30)
    assert part in seen.unreachable


async def test_certificates() -> None:
    authority = Authority()
    for names, valid, part in (
        (("mx.example.com",), (-DAY, DAY), ""),
        (("other.example.com",), (-DAY, DAY), "mismatch"),
        (("mx.example.com",), (-3 * DAY, -DAY), "expired"),
    ):
        tls = authority.issue(*names, valid=valid).server()
        host = MailHost("mx.example.com", "127.0.0.1", take, 0.0, "220 mx.example.com", tls)
        port = await host.listen(0)
        seen = await looked_at(port, authority)
        await host.close()
        assert (seen.unreachable, seen.offered) == ("", True)
        assert part in seen.certificate
        assert bool(part) == bool(seen.certificate)


async def test_no_tls_and_no_host() -> None:
    host = MailHost("mx.example.com", "127.0.0.1", take, 0.0, "220 mx.example.com", None)
    port = await host.listen(0)
    assert await looked_at(port, Authority()) == HostTls()
    await host.close()
    gone = await looked_at(port, Authority())
    assert gone.unreachable
    assert not gone.offered
