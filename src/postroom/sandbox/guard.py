"""Who may talk to the sandbox's pages and calls. They have no log-in, so a web page elsewhere must not reach them.

- DNS rebinding: the Host must be a name that nobody outside can make point here.
- Cross-site requests: what changes something must come from our own page or from no page at all.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

# Names of these kinds cannot be registered by a stranger (RFC 6761, RFC 6762, ICANN's .internal).
_PRIVATE_SUFFIXES = (".localhost", ".internal", ".local", ".test")


def host_is_ours(host: str, own_hosts: Collection[str]) -> bool:
    """Whether a Host header names us: an address, a name without a dot, a private name or one of `own_hosts`."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if not name:
        return False
    if name in own_hosts or "." not in name.rstrip(".") or name.endswith(_PRIVATE_SUFFIXES):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def origin_is_ours(host: str, origin: str | None, fetch_site: str | None) -> bool:
    """Whether a changing request comes from our own page (same host and port) or from a program.

    origin: the Origin header; fetch_site: the Sec-Fetch-Site header.
    """
    if fetch_site is not None and fetch_site not in ("same-origin", "none"):
        return False
    if origin is None:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()
