"""Who sends the mail of a domain, as far as settings and database tell: what the findings are about."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from postroom.delivery.routing.mx import is_public
from postroom.delivery.routing.records import AddressesFound, Dns
from postroom.delivery.routing.table import RouteTable
from postroom.tenancy.sender_domains import DomainKey

Organisation: TypeAlias = Callable[[str], str]
"""The organisational domain of a name (RFC 7489 §3.2): the one below its public suffix."""


@dataclass(frozen=True, slots=True)
class SendingAddress:
    """An address that receivers see, or would if it were a public one, and the name that is said with it."""

    ip: str
    helo: str

    @property
    def public(self) -> bool:
        """Whether it can be seen on the internet."""
        return is_public(self.ip)


@dataclass(frozen=True, slots=True)
class Mailing:
    """An active definition whose mail comes from the domain."""

    key: str
    commercial: bool
    list_unsubscribe: bool


@dataclass(frozen=True, slots=True)
class Sender:
    """``keys`` are those in force and those that wait; ``return_domain`` is where bounces go, to ``own_host`` when it
    is not the from-domain. ``relays`` are the hosts that mail leaves by, empty when it goes to MX hosts alone."""

    domain: str
    keys: tuple[DomainKey, ...]
    return_domain: str
    own_host: str
    mode: Literal["sandbox", "relay", "mx", "routes"]
    addresses: tuple[SendingAddress, ...] = ()
    relays: tuple[str, ...] = ()
    mailings: tuple[Mailing, ...] = ()
    tracking_url: str = ""

    @property
    def signs(self) -> bool:
        """Whether mail of the domain is signed."""
        return any(not key.waiting for key in self.keys)

    @property
    def public_addresses(self) -> tuple[SendingAddress, ...]:
        """Those that can be judged."""
        return tuple(each for each in self.addresses if each.public)


async def addresses_of_machine(host: str, local: Sequence[str], dns: Dns) -> list[SendingAddress]:
    """The addresses that receivers see of this machine, which is known as ``host``.

    ``local`` are those its connections leave from. A private one of IPv4 is translated on the way, most likely to
    the address of ``host``.
    """
    found = [address for address in local if is_public(address)]
    if not any("." in address for address in found):
        answer = await dns.ipv4(host)
        found += [each for each in answer.addresses if is_public(each)] if isinstance(answer, AddressesFound) else []
    return [SendingAddress(address, host) for address in found]


def addresses_of_table(table: RouteTable, host: str) -> tuple[list[SendingAddress], bool]:
    """The source addresses of all routes to MX hosts, and whether one of them leaves the choice to the system."""
    wanted = [route.source for route in table.routes.values() if not route.relays]
    found: dict[str, SendingAddress] = {}
    seen: set[str] = set()
    for first in wanted:
        name = first
        while name is not None and name not in seen:
            seen.add(name)
            pool = table.sources[name]
            found |= {each.ip: SendingAddress(each.ip, each.helo or host) for each in pool.addresses}
            name = pool.overflow
    return list(found.values()), None in wanted


def relays_of_table(table: RouteTable) -> tuple[str, ...]:
    """The hosts of all relays, each once."""
    hosts: Iterable[str] = (relay.target.host for route in table.routes.values() for relay in route.relays)
    return tuple(dict.fromkeys(hosts))
