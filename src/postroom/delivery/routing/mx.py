"""Which hosts take a domain's mail (RFC 5321 §5.1), as a value.

    MX records            the hosts by preference, equals in random order
    none, but the name    the domain itself (implicit MX)
    a null MX             refused (RFC 7505)
    no such name          refused
    time-out, SERVFAIL    deferred
    address literal       refused: Postroom sends to domains only
    private addresses     refused unless allowed: the DNS of a stranger must not reach our own network

Hosts and addresses are bounded, so a hostile zone costs a fixed number of questions.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import TypeAlias

from postroom.delivery.routing.host_name import is_host_name
from postroom.delivery.routing.records import (
    AddressAnswer,
    AddressesFound,
    Dns,
    MxFound,
    MxRecord,
    Nothing,
    Trouble,
)
from postroom.delivery.routing.tls_rule import NO_RULE, TlsRule

MOST_HOSTS = 8
MOST_ADDRESSES = 4
"""Of each family and host."""

_NO_RECORDS_TTL = 300.0


@dataclass(frozen=True, slots=True)
class MxHost:
    """One host with the addresses that may be connected to, in the order in which to try them."""

    name: str
    addresses: tuple[str, ...]
    rule: TlsRule = NO_RULE
    secure: bool = False
    """Whether the DNS has validated its addresses."""
    owner: str = ""
    """What its name is an alias of, or empty."""


@dataclass(frozen=True, slots=True)
class Route:
    """The hosts to try, in order; never empty. ``ttl`` in seconds. ``secure``: the DNS has validated that these are
    the hosts."""

    hosts: tuple[MxHost, ...]
    ttl: float
    secure: bool = False

    @property
    def site(self) -> frozenset[tuple[str, TlsRule]]:
        """What domains with the same hosts have in common, whatever the order."""
        return frozenset((host.name, host.rule) for host in self.hosts)


@dataclass(frozen=True, slots=True)
class NoRoute:
    """Mail to the domain cannot be sent: for good, or now. ``enhanced`` as RFC 3463."""

    permanent: bool
    enhanced: str
    text: str
    ttl: float = 0.0


RouteAnswer: TypeAlias = Route | NoRoute


async def find_route(domain: str, dns: Dns, *, rand: Callable[[], float], allow_private: bool = False) -> RouteAnswer:
    """The route of a domain, which is in lower case and A-labels. Never raises for what the DNS says.

    ``rand`` gives numbers in [0, 1). ``allow_private`` also takes loopback, link-local and private addresses.
    """
    if domain.startswith("[") or _is_address(domain):
        return NoRoute(True, "5.1.2", f"not sent: {_shown(domain)} is an address, not a domain", _NO_RECORDS_TTL)
    if not is_host_name(domain):
        return NoRoute(True, "5.1.2", f"not sent: {_shown(domain)} is no name that the DNS could know", _NO_RECORDS_TTL)
    answer = await dns.mx(domain)
    if isinstance(answer, Trouble):
        return NoRoute(False, "4.4.3", answer.text)
    if isinstance(answer, Nothing) and not answer.exists:
        return NoRoute(True, "5.1.2", f"not sent: the domain {domain} does not exist", answer.ttl)
    if isinstance(answer, MxFound) and answer.records:
        if not any(record.host for record in answer.records):
            return NoRoute(True, "5.1.10", f"not sent: the domain {domain} takes no mail (null MX)", answer.ttl)
        names = by_preference(answer.records, rand)[:MOST_HOSTS]
        if not names:
            return NoRoute(True, "5.4.4", f"not sent: no MX record of {domain} names a usable host", answer.ttl)
    else:
        names = [domain]
    return await _with_addresses(domain, names, answer, dns, allow_private)


def by_preference(records: Iterable[MxRecord], rand: Callable[[], float]) -> list[str]:
    """Host names, the most preferred first, equals shuffled, each once; names that are no host names are left out."""
    usable = [record for record in records if is_host_name(record.host) and not _is_address(record.host)]
    drawn = sorted((record.preference, rand(), record.host) for record in usable)
    return list(dict.fromkeys(host for _, _, host in drawn))


def is_public(address: str) -> bool:
    """Whether an address is one of the internet at large; those embedded in IPv6 are looked at as well."""
    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address):
        embedded = parsed.ipv4_mapped or parsed.sixtofour or _nat64(parsed)
        if embedded is not None and not is_public(str(embedded)):
            return False
        if parsed.is_site_local or parsed.ipv4_mapped is not None:
            return False
    return parsed.is_global and not parsed.is_multicast


async def _with_addresses(
    domain: str, names: list[str], named: MxFound | Nothing, dns: Dns, allow_private: bool
) -> RouteAnswer:
    ttl = named.ttl
    found = await asyncio.gather(*(question(name) for name in names for question in (dns.ipv6, dns.ipv4)))
    hosts, trouble, private = [], "", ""
    for position, name in enumerate(names):
        addresses: list[str] = []
        for answer in found[2 * position : 2 * position + 2]:
            ttl = min(ttl, _answer_ttl(answer, ttl))
            if isinstance(answer, Trouble):
                trouble = answer.text
            elif isinstance(answer, AddressesFound):
                usable = [each for each in answer.addresses if allow_private or is_public(each)]
                if len(usable) < len(answer.addresses):
                    private = f"{name} has the address {next(a for a in answer.addresses if a not in usable)}"
                addresses.extend(usable[:MOST_ADDRESSES])
        if addresses:
            owners = [each for each in found[2 * position : 2 * position + 2] if isinstance(each, AddressesFound)]
            secure = all(each.secure for each in owners)
            owner = owners[0].owner if owners[0].owner != name else ""
            hosts.append(MxHost(name, tuple(addresses), secure=secure, owner=owner))
    if hosts:
        return Route(tuple(hosts), ttl, named.secure)
    if trouble:
        return NoRoute(False, "4.4.3", trouble)
    if private:
        text = f"not sent: {private}, which is not on the public internet"
        return NoRoute(True, "5.4.4", f"{text} (POSTROOM_MX_PRIVATE_ADDRESSES=allow takes it)", ttl)
    return NoRoute(True, "5.4.4", f"not sent: no host of {domain} has an address", ttl)


def _answer_ttl(answer: AddressAnswer, otherwise: float) -> float:
    return otherwise if isinstance(answer, Trouble) else answer.ttl


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _nat64(address: IPv6Address) -> IPv6Address | str | None:
    packed = address.packed
    return ".".join(map(str, packed[12:])) if packed[:12] == bytes.fromhex("0064ff9b") + bytes(8) else None


def _shown(domain: str) -> str:
    return f"{domain[:100]!a}"
