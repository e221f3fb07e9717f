"""A small internet of hosts: a DNS server, mail hosts, and a delivery process, each where it would be."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.conformance.house import ACCOUNT, House, Person
from tests.scenarios.delivery.workers import PATIENCE
from tests.scenarios.hosts.network import Host, Network, network
from tests.scenarios.mx.internet import Answer, MailHost, take
from tests.scenarios.mx.nameserver import Nameserver, nameserver

from postroom.intake.announce import queue_announcer

PORT = 25
AWAY_SECONDS = 0.5
FALLBACK_SECONDS = 0.5
"""Less than a connection takes that is not answered."""
REFUSED_SECONDS = 2.0
TROUBLE_SECONDS = 0.5
TIMEOUTS = {
    "connect": 1.0,
    "greeting": 5.0,
    "hello": 5.0,
    "mail": 5.0,
    "rcpt": 5.0,
    "data": 5.0,
    "block": 1.0,
    "final": 1.0,
    "reset": 5.0,
    "quit": 0.5,
}


class MailMachine(MailHost):
    """A mail host on a machine of its own."""

    def __init__(self, name: str, machine: Host, answer: Answer) -> None:
        super().__init__(name, machine.ipv4, answer, 0.0, "220 host ESMTP", None)
        self.machine = machine


class Internet:
    """``host`` adds a mail host; ``domain`` points a domain at hosts by preference."""

    def __init__(self, net: Network, dns: Nameserver, dns_machine: Host) -> None:
        self.net = net
        self.dns = dns
        self.dns_machine = dns_machine
        self.office = net.host()
        """Where delivery is."""
        self.hosts: list[MailMachine] = []

    async def host(self, name: str, *, answer: Answer = take, families: Sequence[str] = ("A", "AAAA")) -> MailMachine:
        """A host that listens on an address of each family, and has these in the DNS."""
        made = MailMachine(name, self.net.host(), answer)
        self.hosts.append(made)
        for family, address in (("AAAA", made.machine.ipv6), ("A", made.machine.ipv4)):
            await made.serve(made.machine.listener(address, PORT))
            if family in families:
                self.dns.zone[name, family] = [address]
        return made

    def domain(self, name: str, *hosts: MailMachine) -> None:
        """The MX records of a domain, the most preferred host first."""
        self.dns.zone[name, "MX"] = [f"{number * 10} {host.name}." for number, host in enumerate(hosts, 1)]


@asynccontextmanager
async def internet() -> AsyncIterator[Internet]:
    """A small internet without mail hosts."""
    with network() as net:
        names = net.host()
        sockets = names.listener(names.ipv6, 53), names.listener(names.ipv6, 53, "udp")
        async with nameserver({}, sockets=sockets) as server:
            made = Internet(net, server, names)
            try:
                yield made
            finally:
                for host in made.hosts:
                    await host.close()


class Sending:
    """A delivery process on the machine of the office."""

    def __init__(self, house: House, process: asyncio.subprocess.Process, log: Path) -> None:
        self._house = house
        self._process = process
        self._log = log

    @property
    def log(self) -> list[dict[str, object]]:
        """What it has logged."""
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    async def send(self, addresses: Iterable[str], definition_key: str = "welcome") -> list[str]:
        """Accept one request; the message keys, in order."""
        recipients = list(addresses)
        keys = self._house.keys(len(recipients))
        people = [Person(f"c-{key}", address, key) for key, address in zip(keys, recipients, strict=True)]
        await self._house.accept(people, definition_key)
        await queue_announcer(self._house.pool)(ACCOUNT)
        return keys

    async def stop(self) -> None:
        """SIGTERM; it must end well."""
        if self._process.returncode is None:
            self._process.terminate()
        async with asyncio.timeout(PATIENCE):
            code = await self._process.wait()
        assert code == 0, self._log.read_text()[-3000:]


@asynccontextmanager
async def sending(house: House, net: Internet, folder: Path, **settings: object) -> AsyncIterator[Sending]:
    """A delivery process that asks the DNS server of this internet, and stops cleanly in the end."""
    address, port = net.dns.address
    given = {
        "database_url": house.dsn,
        "delivery": "mx",
        "dns_servers": f"[{address}]:{port}",
        "public_url": "http://mail.example.com",
        "retry_schedule": "0.1s",
        "log_format": "json",
        **settings,
    }
    environ = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    environ |= {f"POSTROOM_{name.upper()}": str(value) for name, value in given.items()}
    environ["PATIENCE"] = json.dumps(
        {
            "timeouts": TIMEOUTS,
            "dns": 1.0,
            "away": AWAY_SECONDS,
            "fallback": FALLBACK_SECONDS,
            "refused": REFUSED_SECONDS,
            "trouble": TROUBLE_SECONDS,
        }
    )
    path = folder / "sending.log"
    with path.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *net.office.command(sys.executable, "-P", str(Path(__file__).with_name("sending.py"))),
            env=environ,
            stdout=log,
            stderr=log,
        )
    made = Sending(house, process, path)
    try:
        yield made
    except BaseException:
        process.kill()
        await process.wait()
        sys.stderr.write(path.read_text()[-3000:])
        raise
    await made.stop()
