"""The addresses of MX hosts, asked for once for all the domains that have a host in common.

Who looks up two hundred domains of one provider asks for each of its hosts once, and not two hundred times. What the
DNS said is kept for as long as it allows; what it did not say is not kept.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace

from postroom.delivery.routing.records import AddressAnswer, Dns, MxAnswer, Trouble

MOST_HOSTS = 20_000
LONGEST_SECONDS = 3600.0


class HostAddresses:
    """A ``Dns`` that shares what another one says about addresses. ``clock`` is in seconds."""

    def __init__(self, dns: Dns, *, clock: Callable[[], float], most: int = MOST_HOSTS) -> None:
        self._dns = dns
        self._clock = clock
        self._most = most
        self._kept: OrderedDict[tuple[str, str], tuple[AddressAnswer, float]] = OrderedDict()
        self._asked: dict[tuple[str, str], asyncio.Task[AddressAnswer]] = {}

    def __len__(self) -> int:
        """The number of answers that are kept."""
        return len(self._kept)

    async def mx(self, name: str) -> MxAnswer:
        """See ``Dns``."""
        return await self._dns.mx(name)

    async def ipv4(self, name: str) -> AddressAnswer:
        """See ``Dns``."""
        return await self._shared(("A", name), self._dns.ipv4)

    async def ipv6(self, name: str) -> AddressAnswer:
        """See ``Dns``."""
        return await self._shared(("AAAA", name), self._dns.ipv6)

    async def _shared(self, key: tuple[str, str], ask: Callable[[str], Awaitable[AddressAnswer]]) -> AddressAnswer:
        answer = self._known(key)
        if answer is not None:
            return answer
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._ask(key, ask))
        # Who stops waiting must not end the question for the others.
        return await asyncio.shield(task)

    def _known(self, key: tuple[str, str]) -> AddressAnswer | None:
        entry = self._kept.get(key)
        if entry is None:
            return None
        answer, until = entry
        left = until - self._clock()
        if left <= 0 or isinstance(answer, Trouble):
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return replace(answer, ttl=left)

    async def _ask(self, key: tuple[str, str], ask: Callable[[str], Awaitable[AddressAnswer]]) -> AddressAnswer:
        try:
            answer = await ask(key[1])
        finally:
            del self._asked[key]
        if not isinstance(answer, Trouble) and answer.ttl > 0:
            self._kept[key] = (answer, self._clock() + min(answer.ttl, LONGEST_SECONDS))
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return answer
