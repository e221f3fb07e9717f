"""A small internet on loopback: a DNS server, mail hosts on addresses of their own, all on one port, and a worker."""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec
from tests.conformance.house import ACCOUNT, House, Person
from tests.scenarios.delivery.workers import SOON
from tests.scenarios.mx.nameserver import Nameserver, nameserver

from postroom.assembly.delivery import worker_options
from postroom.delivery.retry import RetrySchedule
from postroom.delivery.routing.options import MxOptions
from postroom.delivery.worker import Worker
from postroom.metrics.counts import Counts
from postroom.settings import load_settings

Answer = Callable[[str, int], str]


def take(_recipient: str, _attempt: int) -> str:
    """Every mail is taken."""
    return "250 2.0.0 taken"


class MailHost:
    """Answers the final dot as ``answer(first recipient, attempt)`` says, after ``seconds``."""

    def __init__(
        self,
        name: str,
        address: str,
        answer: Answer,
        seconds: float,
        greeting: str,
        tls: ssl.SSLContext | None,
    ) -> None:
        self.name = name
        self.address = address
        self.answer = answer
        self.seconds = seconds
        self.greeting = greeting
        self.unwanted: dict[str, str] = {}
        """Addresses that are greeted otherwise, and no more."""
        self.nobody: set[str] = set()
        """Recipients that are refused."""
        self.listed: dict[str, tuple[str, str]] = {}
        """Addresses of which mail is refused: at which command, and how."""
        self.tls = tls
        self.before_body: Callable[[asyncio.StreamReader], Awaitable[None]] | None = None
        """What is done once the answer to DATA is written."""
        self.secured = 0
        """Connections with TLS."""
        self.taken: Counter[str] = Counter()
        """How often each recipient's mail was taken."""
        self.tried: Counter[str] = Counter()
        self.transactions: list[tuple[str, ...]] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.callers: Counter[str] = Counter()
        """Connections by the address they came from."""
        self.peers: Counter[str] = Counter()
        """Transactions by the address they came from."""
        self.names: set[tuple[str, str]] = set()
        """Each address and what it called itself."""
        self.answers = asyncio.Event()
        """No final dot is answered while it is clear."""
        self.answers.set()
        self.now = 0
        self.most_at_once = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []

    async def listen(self, port: int) -> int:
        listener = socket.create_server((self.address, port))
        await self.serve(listener)
        number: int = listener.getsockname()[1]
        return number

    async def serve(self, listener: socket.socket) -> None:
        """Take connections there as well."""
        self._servers.append(await asyncio.start_server(self._converse, sock=listener, limit=1 << 20))

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.now += 1
        self.most_at_once = max(self.most_at_once, self.now)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.now -= 1
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        caller = writer.get_extra_info("peername")[0]
        self.callers[caller] += 1
        unwanted = self.unwanted.get(caller)
        writer.write((unwanted or self.greeting).encode() + b"\r\n")
        if unwanted is not None:
            await writer.drain()
            return
        recipients: list[str] = []
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"QUIT":
                writer.write(b"221 bye\r\n")
                await writer.drain()
                return
            if verb == b"EHLO":
                self.names.add((caller, line.split()[1].decode()))
                offered = self.tls is not None and writer.get_extra_info("ssl_object") is None
                writer.write(b"250-host\r\n250-STARTTLS\r\n" if offered else b"250-host\r\n")
                writer.write(b"250 PIPELINING\r\n")
            elif verb == b"STAR" and self.tls is not None:
                writer.write(b"220 go\r\n")
                await writer.drain()
                await writer.start_tls(self.tls)
                self.secured += 1
            elif caller in self.listed and verb == self.listed[caller][0].encode():
                writer.write(self.listed[caller][1].encode() + b"\r\n")
                if self.listed[caller][1].startswith("421"):
                    await writer.drain()
                    return
            elif verb == b"DATA" and not recipients:
                writer.write(b"554 5.5.1 no valid recipients\r\n")
            elif verb == b"DATA":
                writer.write(b"354 go\r\n")
                self.peers[caller] += 1
                if self.before_body is not None:
                    await writer.drain()
                    await self.before_body(reader)
                self.bodies.append(await reader.readuntil(b"\r\n.\r\n"))
                writer.write((await self._judge(recipients)).encode() + b"\r\n")
            else:
                if verb == b"MAIL":
                    recipients = []
                elif verb == b"RCPT":
                    recipient = line.decode().partition("<")[2].partition(">")[0]
                    if recipient in self.nobody:
                        writer.write(b"550 5.1.1 no such user\r\n")
                        continue
                    recipients.append(recipient)
                writer.write(b"250 2.1.0 fine\r\n")

    async def _judge(self, recipients: list[str]) -> str:
        self.transactions.append(tuple(recipients))
        first = recipients[0]
        self.tried[first] += 1
        await asyncio.sleep(self.seconds)
        await self.answers.wait()
        answer = self.answer(first, self.tried[first])
        if answer.startswith("250"):
            self.taken.update(recipients)
        return answer


class Internet:
    """``host`` adds a mail host; ``domain`` points a domain at hosts by preference."""

    def __init__(self, server: Nameserver) -> None:
        self.dns = server
        self.port = 0
        self.hosts: dict[str, MailHost] = {}

    async def host(
        self,
        name: str,
        *,
        answer: Answer = take,
        seconds: float = 0.0,
        greeting: str = "220 host ESMTP",
        listens: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> MailHost:
        """A host on a loopback address of its own."""
        made = MailHost(name, f"127.0.0.{len(self.hosts) + 2}", answer, seconds, greeting, tls)
        self.hosts[name] = made
        self.dns.zone[name, "A"] = [made.address]
        if listens:
            self.port = await made.listen(self.port)
        return made

    def domain(self, name: str, *hosts: str) -> None:
        """The MX records of a domain, the most preferred host first."""
        self.dns.zone[name, "MX"] = [f"{number * 10} {host}." for number, host in enumerate(hosts, 1)]


@asynccontextmanager
async def internet() -> AsyncIterator[Internet]:
    """A small internet without hosts."""
    async with nameserver({}) as server:
        made = Internet(server)
        try:
            yield made
        finally:
            for host in made.hosts.values():
                await host.close()


class Office:
    """A worker in this process."""

    def __init__(self, house: House, worker: Worker) -> None:
        self._house = house
        self._worker = worker

    async def send(self, addresses: Iterable[str], definition_key: str = "welcome", **attributes: str) -> list[str]:
        """Accept one request; the message keys, in order."""
        recipients = list(addresses)
        keys = self._house.keys(len(recipients))
        raw = msgspec.Raw(msgspec.json.encode(attributes))
        people = [Person(f"c-{key}", address, key, raw) for key, address in zip(keys, recipients, strict=True)]
        await self._house.accept(people, definition_key)
        self._worker.announce(ACCOUNT)
        return keys


@asynccontextmanager
async def working(
    house: House,
    net: Internet,
    *,
    schedule: RetrySchedule = SOON,
    options: MxOptions | None = None,
    counts: Counts | None = None,
    **settings: object,
) -> AsyncIterator[Office]:
    """A worker that delivers to MX hosts, and stops cleanly in the end."""
    given = {
        "database_url": house.dsn,
        "delivery": "mx",
        "dns_servers": f"{net.dns.address[0]}:{net.dns.address[1]}",
        "mx_port": net.port,
        "mx_private_addresses": "allow",
        "public_url": "http://mail.example.com",
        **settings,
    }
    environ = {f"POSTROOM_{name.upper()}": str(value) for name, value in given.items()}
    made = worker_options(load_settings(environ), owner="here", replaces=None)
    chosen = replace(made, schedule=schedule, target=options or made.target)
    worker = Worker(house.pool, chosen, rand=lambda: 0.5, counts=counts)
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    try:
        yield Office(house, worker)
    finally:
        stop.set()
        await running
