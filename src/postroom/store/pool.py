"""Connections to PostgreSQL with the same promises on every server, embedded or given by URL.

Each connection commits synchronously whatever the server's own setting is (a 202 means: on disk) unless its pool
asks for something else, speaks UTC, and has a deadline on everything: connecting, a statement, an idle transaction.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from postroom.store.errors import ServerTooOld, UnsuitableDatabase

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
PooledConnection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

OLDEST_SERVER = 150_000
CONNECT_SECONDS = 10.0
STATEMENT_SECONDS = 30.0


def session_settings(
    application_name: str, *, statement_seconds: float = STATEMENT_SECONDS, idle_seconds: float = 30.0
) -> dict[str, str]:
    """The server settings every session of ours starts with; 0 seconds is no limit."""
    return {
        "application_name": application_name,
        "statement_timeout": str(round(statement_seconds * 1000)),
        "idle_in_transaction_session_timeout": str(round(idle_seconds * 1000)),
        "synchronous_commit": "on",
        "timezone": "UTC",
        "jit": "off",
    }


class _Session(asyncpg.Connection):
    """A pooled session that is handed on as it is.

    Nothing of ours leaves state behind in a session: settings and locks end with their transaction. So a
    release need not cost a round trip, which for a look-up by key is half of all its time.
    """

    def get_reset_query(self) -> str:
        return ""


async def open_pool(
    dsn: str,
    *,
    min_size: int = 1,
    max_size: int,
    application_name: str,
    statement_seconds: float = STATEMENT_SECONDS,
    settings: Mapping[str, str] | None = None,
    init: Callable[[Connection], Coroutine[Any, Any, None]] | None = None,
) -> Pool:
    """A pool of `min_size` to `max_size` connections; close it with `await pool.close()`.

    `application_name` shows in pg_stat_activity. `settings` are further server settings.
    `init` runs once on each new connection (codecs). Connections
    lost with the server are replaced by themselves at the next use. Raises asyncpg's and OSError's connection
    errors when the server does not answer within 10 s.
    """
    pool: Pool = await asyncpg.create_pool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        timeout=CONNECT_SECONDS,
        # The server ends a statement first; this ends the wait for a server that is gone without a word.
        command_timeout=statement_seconds + 10.0 if statement_seconds else None,
        max_inactive_connection_lifetime=300.0,
        statement_cache_size=512,
        connection_class=_Session,
        server_settings={
            **session_settings(application_name, statement_seconds=statement_seconds),
            **(settings or {}),
        },
        init=init,
    )
    return pool


async def connect(dsn: str, *, application_name: str, statement_seconds: float = 0.0) -> Connection:
    """One connection of its own, for work that is long (no statement deadline) or needs a session."""
    connection: Connection = await asyncpg.connect(
        dsn,
        timeout=CONNECT_SECONDS,
        server_settings=session_settings(application_name, statement_seconds=statement_seconds),
    )
    return connection


async def wait_until_answering(dsn: str, *, seconds: float) -> None:
    """Return when the server takes a connection; raise the last refusal when it does not within `seconds`."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            connection = await connect(dsn, application_name="postroom wait")
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError):
            if asyncio.get_running_loop().time() >= deadline:
                raise
            await asyncio.sleep(0.2)
        else:
            await connection.close()
            return


async def check_server_version(connection: Connection) -> int:
    """The server's version number (180006 for 18.6).

    Raises `ServerTooOld` below 15 and `UnsuitableDatabase` when the database's encoding is not UTF8.
    """
    version = int(await connection.fetchval("select current_setting('server_version_num')"))
    if version < OLDEST_SERVER:
        raise ServerTooOld(
            f"option POSTROOM_DATABASE_URL: the server is PostgreSQL {version // 10_000}; "
            "Postroom needs 15 or later: upgrade it, or leave the option out to use the embedded server"
        )
    encoding = await connection.fetchval("select current_setting('server_encoding')")
    if encoding != "UTF8":
        raise UnsuitableDatabase(
            f"option POSTROOM_DATABASE_URL: the database's encoding is {encoding}; make one with "
            "create database ... encoding 'UTF8' template template0"
        )
    return version
