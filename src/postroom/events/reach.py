"""Where a webhook may go: the forms of URL that are allowed, and the addresses behind a name.

The guard against server-side request forgery: a name is resolved once, every address it has must be public, and the
connection is made to one of just these. A name server that gives another answer later (DNS rebinding) is not asked
again. Plain http, other ports and private addresses are for the sandbox and for networks that say so.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote, urlsplit

import idna

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]

LONGEST_URL = 2000

_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_UNUSABLE = re.compile(r"[\x00-\x20\x7f\\]")


class UrlRefused(ValueError):
    """The URL can't be a callback's; the text says what is wrong and what to write."""


class AddressRefused(Exception):
    """The name leads to an address that may not be connected to."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A URL taken apart. ``host`` is in A-labels or an address without brackets, ``path`` is ready for the wire."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https" if self.secure else "http"] else f"{host}:{self.port}"


def read_url(url: str, *, private: bool) -> Endpoint:
    """The endpoint a callback URL names (contract §6). ``private`` also allows http and ports. Raises UrlRefused."""
    if len(url) > LONGEST_URL or _UNUSABLE.search(url):
        raise UrlRefused(f"url must have at most {LONGEST_URL} characters and no spaces or backslashes")
    try:
        parts = urlsplit(url)
        host, port, scheme = parts.hostname or "", parts.port, parts.scheme.lower()
    except ValueError:
        raise UrlRefused("url can't be read; write https://host/path") from None
    if scheme not in _PORTS or not host:
        raise UrlRefused("url must be of the form https://host/path")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment or "?" in url:
        raise UrlRefused("url must not hold a user, a query or a fragment; write https://host/path")
    if not private and (scheme != "https" or port is not None):
        raise UrlRefused(
            "url must be https without a port; "
            "plain http, ports and private addresses need POSTROOM_ENS_ALLOW_PRIVATE=1"
        )
    if port == 0:
        raise UrlRefused("url has port 0; write a port from 1 to 65535")
    return Endpoint(scheme == "https", _wire_host(host), port or _PORTS[scheme], quote(parts.path or "/", safe=_SAFE))


_SAFE = "/%:@!$&'()*+,;=-._~"


def _wire_host(host: str) -> str:
    if ":" in host:
        return host.lower()
    host = host.rstrip(".")
    try:
        name = host.lower() if host.isascii() else idna.encode(host, uts46=True).decode("ascii").lower()
    except idna.IDNAError:
        raise UrlRefused(f"url names the host {host!r}, which is no name of a host") from None
    if not re.fullmatch(r"[a-z0-9_.-]{1,253}", name):
        raise UrlRefused(f"url names the host {host!r}, which is no name of a host")
    return name


async def resolve_addresses(host: str, port: int) -> Sequence[str]:
    """The addresses of ``host`` as the system resolves them, each once. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    """Whether ``address`` belongs to the public Internet, also where IPv6 wraps an IPv4 address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return is_public(str(parsed.ipv4_mapped))
        if parsed in _NAT64:
            return is_public(str(ipaddress.IPv4Address(parsed.packed[12:])))
        if parsed.sixtofour is not None or parsed.teredo is not None:
            return False
    refused = parsed.is_private or parsed.is_loopback or parsed.is_link_local or parsed.is_multicast
    return parsed.is_global and not (refused or parsed.is_reserved or parsed.is_unspecified)


async def reachable_address(
    endpoint: Endpoint,
    *,
    private: bool,
    resolve: Resolve = resolve_addresses,
    public: Callable[[str], bool] = is_public,
) -> str:
    """The address to connect to. Raises AddressRefused when any address of the name is not public, or there is none.

    Raises OSError when the name is not known.
    """
    addresses = await resolve(endpoint.host, endpoint.port)
    if not addresses:
        raise AddressRefused(f"{endpoint.host} has no address")
    if not private and not all(public(address) for address in addresses):
        raise AddressRefused(f"{endpoint.host} has an address that is not public")
    return addresses[0]
