"""To MX through 200 domains on 20 hosts, with every host quick, and with one that gives one reply a second.

Two whole servers take the same mail in turn. Nineteen hosts are the same smtp-sinks for both. The DNS of the first
server says that the twentieth is such a sink too, the DNS of the second that it is the slow one; ten domains in every
two hundred are there. The rate is that of the mails to the other nineteen hosts alone. Nobody waits for the mail of the
slow host: it stays in the second server's queue over all rounds.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from benchmarks.cpu import CpuMeter
from benchmarks.figures import Run, RunFunction
from benchmarks.http_load import send_all
from benchmarks.processes import ProgramFailed, free_port, until
from benchmarks.sends import Recipients
from benchmarks.servers import WholeServer
from benchmarks.sink import Sink
from tests.scenarios.mx.nameserver import nameserver

HOSTS = 20
DOMAINS = 200
_SLOW = HOSTS - 1
_REQUEST = 1000
_REPLY_SECONDS = 1.0
_LAST_EVENT = "select case when is_called then last_value else 0 end from event_id"
# The place of a recipient in its request tells its domain, and that its host.
_FINAL = """
select count(*) filter (where position % $2 <> $3) as others,
       count(*) filter (where position % $2 = $3) as there,
       count(*) filter (where kind = 'not_sent') as not_sent
from event where event_id > $1 and kind in ('sent', 'not_sent')
"""


def domains() -> list[str]:
    """The recipients' domains; the one at a place is on the host of that place, counted round."""
    return [f"d{number}.test" for number in range(DOMAINS)]


def zone(addresses: Sequence[str]) -> dict[tuple[str, str], list[str]]:
    """The DNS for hosts at these addresses."""
    records = {(domain, "MX"): [f"10 mx.h{place % HOSTS}.test."] for place, domain in enumerate(domains())}
    return records | {(f"mx.h{host}.test", "A"): [address] for host, address in enumerate(addresses)}


class SlowHost:
    """An SMTP server that gives one reply a second, whoever asks, and takes every mail."""

    def __init__(self) -> None:
        self.taken = 0
        self._turn = asyncio.Lock()
        self._server: asyncio.Server | None = None
        self._conversations: set[asyncio.Task[None]] = set()

    async def start(self, address: str, port: int) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._connected, address, port)

    async def stop(self) -> None:
        """Listen no more, and end what is under way."""
        if self._server is not None:
            self._server.close()
        for task in self._conversations:
            task.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._converse(reader, writer))
        self._conversations.add(task)
        task.add_done_callback(self._conversations.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._reply(writer, b"220 mx.slow.test ESMTP\r\n")
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb == b"EHLO":
                    await self._reply(writer, b"250-mx.slow.test\r\n250 PIPELINING\r\n")
                elif verb == b"DATA":
                    await self._reply(writer, b"354 go on\r\n")
                    while await reader.readline() not in (b".\r\n", b""):
                        pass
                    await self._reply(writer, b"250 taken\r\n")
                    self.taken += 1
                elif verb == b"QUIT":
                    await self._reply(writer, b"221 bye\r\n")
                    break
                else:
                    await self._reply(writer, b"250 ok\r\n")
        writer.close()

    async def _reply(self, writer: asyncio.StreamWriter, reply: bytes) -> None:
        async with self._turn:
            await asyncio.sleep(_REPLY_SECONDS)
        writer.write(reply)
        await writer.drain()


@dataclass(frozen=True, slots=True)
class _Setting:
    """One server and the hosts it knows."""

    server: WholeServer
    sinks: Sequence[Sink]
    waits_for_all: bool


class MxBench:
    """The two servers and their hosts, made when first asked for; `close` ends them."""

    def __init__(self, folder: Path, messages: int) -> None:
        self._folder = folder
        self._messages = messages
        self._recipients = Recipients(messages, domains())
        self._held = AsyncExitStack()
        self._slow_host = SlowHost()
        self._settings: tuple[_Setting, _Setting] | None = None

    async def close(self) -> None:
        """End everything."""
        await self._held.aclose()

    def case(self, *, slow: bool) -> RunFunction:
        """Runs with the slow host, or with quick ones only."""

        async def run(number: int) -> Run:
            if self._settings is None:
                self._settings = await self._start()
                for place, setting in enumerate(self._settings):
                    await self._run(setting, f"mw{place}")
            return await self._run(self._settings[slow], f"m{int(slow)}r{number}")

        return run

    async def _start(self) -> tuple[_Setting, _Setting]:
        port = free_port()
        sinks = []
        for host in range(HOSTS):
            sink = Sink(self._folder, f"127.0.0.{11 + host}", port)
            self._held.push_async_callback(sink.stop)
            await sink.ready()
            sinks.append(sink)
        slow_address = f"127.0.0.{11 + HOSTS}"
        await self._slow_host.start(slow_address, port)
        self._held.push_async_callback(self._slow_host.stop)
        quick_addresses = [sink.address for sink in sinks]
        quick = await self._server("serve-mx", quick_addresses, port)
        slow = await self._server("serve-mx-slow", [*quick_addresses[:_SLOW], slow_address], port)
        return _Setting(quick, sinks, True), _Setting(slow, sinks[:_SLOW], False)

    async def _server(self, name: str, addresses: Sequence[str], port: int) -> WholeServer:
        names = await self._held.enter_async_context(nameserver(zone(addresses)))
        delivery = {
            "delivery": "mx",
            "dns_servers": "{}:{}".format(*names.address),
            "mx_port": port,
            "mx_private_addresses": "allow",
        }
        server = WholeServer(self._folder, delivery, name=name)
        self._held.push_async_callback(server.stop)
        return await server.start()

    async def _run(self, setting: _Setting, run: str) -> Run:
        server, count = setting.server, self._messages
        there = count // HOSTS
        others = count - there
        requests = self._recipients.requests(run, count, batch=_REQUEST, host="127.0.0.1", token=server.token)
        taken_before = sum(sink.messages() for sink in setting.sinks)
        connection = await asyncpg.connect(server.dsn)
        try:
            after = await connection.fetchval(_LAST_EVENT)
            meter = CpuMeter(server.roots()).start()
            begun = time.perf_counter()
            posting = asyncio.ensure_future(send_all(server.address, requests, connections=4))
            seconds = await _until_final(connection, after, others, 0) - begun
            cpu = meter.stop()
            load = await posting
            if setting.waits_for_all:
                await _until_final(connection, after, others, there)
        finally:
            await connection.close()
        if set(load.statuses) != {202}:
            raise ProgramFailed(f"the sends were answered with {dict(load.statuses)}: {load.first_refusal}")
        wanted = count if setting.waits_for_all else others
        await until(
            lambda: sum(sink.messages() for sink in setting.sinks) - taken_before >= wanted,
            every=0.02,
            within=5,
            what=f"the hosts have {wanted} messages",
        )
        taken = sum(sink.messages() for sink in setting.sinks) - taken_before
        if taken != wanted:
            raise ProgramFailed(f"{wanted} messages are reported as sent and the hosts took {taken}")
        slow_figures = {} if setting.waits_for_all else {"taken by the slow host so far": float(self._slow_host.taken)}
        return (
            {"rate": others / seconds}
            | slow_figures
            | {f"us CPU {name}": spent / others * 1e6 for name, spent in cpu.items()}
        )


async def _until_final(connection: "asyncpg.Connection[asyncpg.Record]", after: int, others: int, there: int) -> float:
    """When so many final events of either kind were committed, by `time.perf_counter`."""
    deadline = time.perf_counter() + 60
    while True:
        if await connection.fetchval(_LAST_EVENT) - after >= others + there:
            row = await connection.fetchrow(_FINAL, after, HOSTS, _SLOW)
            assert row is not None
            if row["not_sent"]:
                raise ProgramFailed(f"{row['not_sent']} messages were not sent")
            if row["others"] >= others and row["there"] >= there:
                return time.perf_counter()
        if time.perf_counter() > deadline:
            raise ProgramFailed(f"not all of {others} messages have a final status after 60 s")
        await asyncio.sleep(0.05)
