"""Whether mail to a domain has somewhere to go, asked beside any delivery."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from postroom.delivery.routing.mx import NoRoute, find_route
from postroom.delivery.routing.records import Dns

_MOST_KEPT = 10_000
_MOST_AT_ONCE = 20


@dataclass(slots=True)
class _Known:
    takes: bool
    until: float


class MailDomains:
    """Asks ``dns`` and keeps answers as long as the DNS says; ``clock`` gives monotonic seconds."""

    def __init__(self, dns: Dns, *, clock: Callable[[], float]) -> None:
        self._dns = dns
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._turns = asyncio.Semaphore(_MOST_AT_ONCE)

    async def takes_mail(self, domain: str) -> bool:
        """False when the DNS says so for good (no such domain, no host, a null MX). A DNS without an answer says
        nothing against a domain. ``domain`` is in lower case and A-labels."""
        known = self._known.get(domain)
        if known is not None and self._clock() < known.until:
            return known.takes
        async with self._turns:
            route = await find_route(domain, self._dns, rand=lambda: 0.0)
        takes = not (isinstance(route, NoRoute) and route.permanent)
        if len(self._known) >= _MOST_KEPT:
            self._known.clear()
        self._known[domain] = _Known(takes, self._clock() + route.ttl)
        return takes


async def every_domain(domain: str) -> bool:
    """In the place of `MailDomains.takes_mail` where nobody is asked: every domain may take mail."""
    return True
