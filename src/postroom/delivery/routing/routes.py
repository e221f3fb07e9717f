"""Routes of domains, kept for as long as the DNS allows, within bounds of time and number.

Lookups that go on at the same time for one domain are one lookup, and only so many go on at all.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from postroom.delivery.routing.mx import Route, RouteAnswer

MOST_DOMAINS = 20_000
SHORTEST_SECONDS = 30.0
LONGEST_SECONDS = 3600.0
TROUBLE_SECONDS = 10.0
"""How long a failed lookup stands: one silent server is not asked again for each message."""
LOOKUPS_AT_ONCE = 64


class Routes:
    """``find`` looks a domain up; ``clock`` is in seconds. Keeps at most ``most`` domains, the latest used."""

    def __init__(
        self, find: Callable[[str], Awaitable[RouteAnswer]], *, clock: Callable[[], float], most: int = MOST_DOMAINS
    ) -> None:
        self._find = find
        self._clock = clock
        self._most = most
        self._kept: OrderedDict[str, tuple[RouteAnswer, float]] = OrderedDict()
        self._asked: dict[str, asyncio.Task[RouteAnswer]] = {}
        self._turns = asyncio.Semaphore(LOOKUPS_AT_ONCE)

    def __len__(self) -> int:
        return len(self._kept)

    def known(self, domain: str) -> RouteAnswer | None:
        """The route when it is known and fresh."""
        entry = self._kept.get(domain)
        if entry is None:
            return None
        answer, until = entry
        if self._clock() >= until:
            del self._kept[domain]
            return None
        self._kept.move_to_end(domain)
        return answer

    async def route(self, domain: str) -> RouteAnswer:
        """The route, from memory or by asking."""
        answer = self.known(domain)
        if answer is not None:
            return answer
        task = self._asked.get(domain)
        if task is None:
            task = self._asked[domain] = asyncio.create_task(self._ask(domain))
        # Who stops waiting must not end the lookup for the others.
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End the lookups that go on."""
        tasks = list(self._asked.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, domain: str) -> RouteAnswer:
        try:
            async with self._turns:
                answer = await self._find(domain)
        finally:
            del self._asked[domain]
        self._kept[domain] = (answer, self._clock() + _seconds(answer))
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return answer


def _seconds(answer: RouteAnswer) -> float:
    if isinstance(answer, Route) or answer.permanent:
        return min(max(answer.ttl, SHORTEST_SECONDS), LONGEST_SECONDS)
    return TROUBLE_SECONDS
