"""The keys that links in mails are signed with: the server's own, made once.

A new key signs what is sent from now on. Old ones are kept: links in mails that were sent must go on working.
"""

import secrets

from postroom.content.link_tokens import LinkTokens
from postroom.store.database import Connection, Database
from postroom.tenancy.server_secrets import server_secret

_PREFIX = "link_key_"
_KEY_BYTES = 32
_MOST_KEYS = 255

_LOAD = "select name, value from server_secret where starts_with(name, $1)"

_LOCK = "select pg_advisory_xact_lock(hashtextextended('rotate_link_key', 0))"


class TooManyKeys(Exception):
    """No key id is left."""


async def load_link_tokens(database: Database) -> LinkTokens:
    """Tokens of the server; their first key is made at the first call."""
    await server_secret(database, f"{_PREFIX}1", lambda: secrets.token_bytes(_KEY_BYTES))
    rows = await database.fetch(_LOAD, _PREFIX)
    return LinkTokens({int(row["name"].removeprefix(_PREFIX)): bytes(row["value"]) for row in rows})


async def rotate_link_key(connection: Connection) -> int:
    """Make a new key; gives its id. Call it in a transaction. Raises TooManyKeys.

    Processes sign with it after their next start.
    """
    await connection.execute(_LOCK)
    rows = await connection.fetch(_LOAD, _PREFIX)
    key_id = max((int(row["name"].removeprefix(_PREFIX)) for row in rows), default=0) + 1
    if key_id > _MOST_KEYS:
        raise TooManyKeys(f"{_MOST_KEYS} keys were made; there is no id for another")
    await server_secret(connection, f"{_PREFIX}{key_id}", lambda: secrets.token_bytes(_KEY_BYTES))
    return key_id
