"""What was given back for a busy site comes early when the site has room earlier than was thought."""

import asyncio
from collections.abc import Callable

import structlog

from postroom.delivery.claim import Queue
from postroom.delivery.left_behind import LeftBehind
from postroom.delivery.routing.site import Site
from postroom.delivery.routing.sites import Sites
from postroom.store.trouble import DATABASE_TROUBLE, tell_trouble

_SECONDS = 1.0
_PARTED_SECONDS = 10.0  # by then what was given back is in the queue, whatever became of the rest of its slice
_MESSAGES_OF_A_PART = 10  # as a guess: what does not fit is given back again


class Recall:
    """Calls back what waits for sites with room, and ``announce``s its business units; ``clock`` is the loop's."""

    def __init__(
        self, queue: Queue, sites: Sites, *, announce: Callable[[int], None], clock: Callable[[], float]
    ) -> None:
        self._queue = queue
        self._sites = sites
        self._announce = announce
        self._clock = clock
        self._log = structlog.get_logger("delivery")

    async def keep(self) -> None:
        """Every second, until cancelled."""
        left_behind, looked = LeftBehind(self._queue, announce=self._announce), False
        while True:
            await asyncio.sleep(_SECONDS)
            try:
                if not looked:
                    await left_behind.look()
                    looked = True
                await left_behind.call_back(self._sites.gave_back)
                for site, room in self._sites.with_room():
                    await self._call_back(site, room)
            except DATABASE_TROUBLE as error:
                tell_trouble(self._log, "call_back_waits_for_database", error)

    async def _call_back(self, site: Site, room: int) -> None:
        for account_id in list(site.given_back):
            called = await self._queue.call_back(account_id, site.name, max(1, room // _MESSAGES_OF_A_PART))
            if called:
                self._announce(account_id)
                room -= called
                if room <= 0:
                    return
            elif self._clock() - site.given_back[account_id] > _PARTED_SECONDS:
                del site.given_back[account_id]
        if not site.given_back:
            site.pace.all_back()
