"""`GET /health` for load balancers and those who watch: whether this process can accept. No log-in, and no facts.

However often it is asked, the database is asked once a second at most.
"""

import asyncio
import time
from collections.abc import Callable

from postroom.api.errors import ApiError, Code
from postroom.api.oauth import AnyRequest
from postroom.api.reply import Reply, error_reply
from postroom.store.database import Pool

HEALTH = "/health"

KEPT_SECONDS = 1.0
PATIENCE_SECONDS = 2.0
RETRY_AFTER = 5

_NO_STORE = ((b"cache-control", b"no-store"),)
_UP = b'{"status":"up"}'


class Health:
    """The handler. ``clock`` gives monotonic seconds."""

    def __init__(self, pool: Pool, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._up = False
        self._looked_at = float("-inf")
        self._turn = asyncio.Lock()

    async def answer(self, _request: AnyRequest) -> Reply:
        """GET /health: 200 where the database answers within two seconds, else 503 50300."""
        if await self.up():
            return Reply(_UP, headers=_NO_STORE)
        return error_reply(ApiError(Code.UNAVAILABLE, retry_after=RETRY_AFTER), _NO_STORE)

    async def up(self) -> bool:
        """Whether the database answered, now or within the last second."""
        async with self._turn:
            if self._clock() - self._looked_at >= KEPT_SECONDS:
                self._up = await self._answers()
                self._looked_at = self._clock()
            return self._up

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._pool.execute("select 1")
        except Exception:  # whatever keeps it from answering keeps this process from accepting
            return False
        return True
