"""Listening for what intake announces, so that a message is claimed in milliseconds and not at the next poll."""

import asyncio
from collections.abc import Callable

import structlog

from postroom.intake.announce import CHANNEL
from postroom.store.pool import Connection, connect
from postroom.store.trouble import DATABASE_TROUBLE, tell_trouble

_RECONNECT_SECONDS = 1.0
_CHECK_SECONDS = 10.0


async def listen(dsn: str, announce: Callable[[int], None]) -> None:
    """Call ``announce`` with each account that is announced, until cancelled.

    While the connection is away nothing is heard, and the worker's own polling carries on.
    """
    log = structlog.get_logger("delivery")

    def heard(_connection: object, _pid: int, _channel: str, payload: object) -> None:
        announce(int(str(payload)))

    while True:
        connection: Connection | None = None
        try:
            connection = await connect(dsn, application_name="postroom wakeups")
            await connection.add_listener(CHANNEL, heard)
            while not connection.is_closed():
                await asyncio.sleep(_CHECK_SECONDS)
                await connection.execute("select 1")
        except DATABASE_TROUBLE as error:
            tell_trouble(log, "wakeups_reconnect", error)
        finally:
            if connection is not None:
                connection.terminate()
        await asyncio.sleep(_RECONNECT_SECONDS)
