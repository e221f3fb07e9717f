"""What processes that are gone have given back because a site had no room.

Who gives messages back calls them again once their site has room, often much earlier than they are due. With a process
that ends that knowledge is gone. So whoever begins looks at what waits for sites, and calls a little of it, then more,
until nothing waits or the site has shown here too that it has no room; from then on the worker calls as ever.
"""

from collections.abc import Callable

from postroom.delivery.claim import Queue

_MOST_SLICES = 32


class LeftBehind:
    """``announce`` is told each business unit of which something has become due."""

    def __init__(self, queue: Queue, *, announce: Callable[[int], None]) -> None:
        self._queue = queue
        self._announce = announce
        self._slices: dict[tuple[int, str], int] = {}
        """Business units and sites, and how many slices are called next."""

    async def look(self) -> None:
        """Find out what waits for which sites now."""
        for account_id in await self._queue.accounts_with_work():
            for site in await self._queue.sites_waited_for(account_id):
                self._slices.setdefault((account_id, site), 1)

    async def call_back(self, known: Callable[[int, str], bool]) -> None:
        """Call the next of it; what is ``known``, by business unit and site, is somebody else's from now on."""
        for place, slices in list(self._slices.items()):
            if known(*place) or not await self._queue.call_back(*place, slices):
                del self._slices[place]
            else:
                self._slices[place] = min(_MOST_SLICES, slices * 2)
                self._announce(place[0])
