"""Telling delivery that there is something to do.

A notification that gets lost costs a moment: workers look for themselves every second. So it is sent after the
commit and outside of it, where it neither delays the 202 nor takes the lock that PostgreSQL holds over commits
that notify.
"""

from collections.abc import Awaitable, Callable

from postroom.store.pool import Pool
from postroom.store.trouble import DATABASE_TROUBLE

CHANNEL = "postroom_queue"

_NOTIFY = f"select pg_notify('{CHANNEL}', $1)"


def queue_announcer(pool: Pool) -> Callable[[int], Awaitable[None]]:
    """A function that wakes the workers for one business unit; calls that come while one is under way are merged."""
    under_way: set[int] = set()
    wanted: set[int] = set()

    async def announce(account_id: int) -> None:
        wanted.add(account_id)
        if account_id in under_way:
            return
        under_way.add(account_id)
        try:
            while account_id in wanted:
                wanted.discard(account_id)
                await pool.execute(_NOTIFY, str(account_id))
        except DATABASE_TROUBLE:
            wanted.discard(account_id)
        finally:
            under_way.discard(account_id)

    return announce
