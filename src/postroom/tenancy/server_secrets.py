"""Secrets the server makes for itself once and keeps in its database, such as the key that signs tokens."""

from collections.abc import Callable

from postroom.store.database import Database

_KEEP_FIRST = """
    insert into server_secret (name, value) values ($1, $2) on conflict (name) do nothing
"""

_READ = "select value from server_secret where name = $1"


async def server_secret(connection: Database, name: str, make: Callable[[], bytes]) -> bytes:
    """The secret of this name; made by ``make`` and stored when there is none.

    Processes that start together all get the one that was stored first.
    """
    found = await connection.fetchval(_READ, name)
    if found is None:
        await connection.execute(_KEEP_FIRST, name, make())
        found = await connection.fetchval(_READ, name)
    return bytes(found)
