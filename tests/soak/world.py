"""Everything of one run together: the office, the hosts, the DNS, the receiver, the wires, and the ledger."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.scenarios.mx.nameserver import Nameserver, nameserver
from tests.soak.cutting import Connect, Wire, wire
from tests.soak.fates import Fates
from tests.soak.ledger import Ledger
from tests.soak.mail_hosts import MailHost, mail_hosts
from tests.soak.office import Office, office
from tests.soak.receiver import Receiver, receiver

LEASE_SECONDS = 6
METRICS_TOKEN = "soak-metrics-token"
SENDER_DOMAIN = "shop.test"
WARMED = "warmed"
_SOURCE = "127.0.0.1"
_HOSTS = {f"mx{number}.hosts.test": f"127.99.0.{number}" for number in range(1, 6)}
_RELAYS = {"relay1.test": "127.99.1.1", "relay2.test": "127.99.1.2"}
_MX = {
    "one.test": ("mx1.hosts.test", "mx2.hosts.test"),
    "two.test": ("mx3.hosts.test",),
    "four.test": ("mx4.hosts.test",),
    "five.test": ("mx5.hosts.test", "mx3.hosts.test"),
}
_ROUTES = """
[[rule]]
domain = ["three.test"]
route = "partner"

[[rule]]
domain = ["four.test"]
route = "warmed"

[[rule]]
route = "internet"

[route.partner]
relays = ["smtp://{relay1}?tls=off", {{url = "smtp://{relay2}?tls=off", priority = 2}}]
connections = 3

[route.warmed]
mx = true
source = "warmed"

[route.internet]
mx = true

[source.warmed]
addresses = [{{ip = "{source}", helo = "out.shop.test"}}]
warm_up = {{since = {since}, per_day = [{per_day}, {per_day}]}}
"""
# What it held back would not come today.
_PER_DAY = 1_000_000


@dataclass(slots=True)
class World:
    """What a run has; ``api`` is the wire to the HTTP port, ``hooks`` that to the receiver."""

    ledger: Ledger
    office: Office
    hosts: dict[str, MailHost]
    dns: Nameserver
    receiver: Receiver
    api: Wire
    hooks: Wire
    direct: str
    """The API's URL without a wire."""


@asynccontextmanager
async def world(folder: Path, *, seed: int, processes: int) -> AsyncIterator[World]:
    """Ready to begin; nothing of `serve` runs yet."""
    ledger, fates = Ledger(), Fates(seed)
    async with AsyncExitStack() as stack:
        hosts = await stack.enter_async_context(mail_hosts(_HOSTS, _RELAYS, fates, ledger))
        zone = {(name, "A"): [address] for name, address in _HOSTS.items()}
        for domain, names in _MX.items():
            zone[domain, "MX"] = [f"{number * 10} {name}." for number, name in enumerate(names, 1)]
        dns = await stack.enter_async_context(nameserver(zone))
        told = await stack.enter_async_context(receiver(ledger))
        http = _free_port()
        api = await stack.enter_async_context(wire(_to(http)))
        hooks = await stack.enter_async_context(wire(_to(told.port)))
        routes = folder / "routes.toml"
        relays = {name.partition(".")[0]: f"{hosts[name].address}:{hosts[name].port}" for name in _RELAYS}
        routes.write_text(_ROUTES.format(**relays, source=_SOURCE, since=datetime.now(UTC).date(), per_day=_PER_DAY))
        settings = {
            "http": f"127.0.0.1:{http}",
            "public_url": f"http://mail.{SENDER_DOMAIN}",
            "from_address": f"orders@{SENDER_DOMAIN}",
            "delivery": "routes",
            "routes": routes,
            "dns_servers": f"{dns.address[0]}:{dns.address[1]}",
            "mx_port": hosts["mx1.hosts.test"].port,
            "mx_private_addresses": "allow",
            "mta_sts": "off",
            "dane": "off",
            "retry_schedule": "1s 2s 3s",
            "lease_seconds": LEASE_SECONDS,
            "api_processes": 2,
            "delivery_processes": processes,
            "events_processes": 2,
            "ens_allow_private": 1,
            "ens_longest_wait_seconds": 5,
            "metrics_token": METRICS_TOKEN,
            "log_format": "json",
        }
        made = await stack.enter_async_context(office(folder, settings))
        yield World(ledger, made, hosts, dns, told, api, hooks, f"http://127.0.0.1:{http}")


def _to(port: int) -> Connect:
    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", port)

    return connect


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    return number
