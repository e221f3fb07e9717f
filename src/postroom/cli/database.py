"""The database for a verb that does one thing and ends: beside a running server, or without one.

With a database URL it is that one. Otherwise it is the embedded PostgreSQL of the data directory: the running
one when a `postroom serve` works there, else one started for the time of the verb.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import asyncpg
import typer

from postroom.assembly import roles
from postroom.cli.output import note
from postroom.settings import Settings, SettingsRejected, hide_password
from postroom.store.database import Database
from postroom.store.directory import DataDirectory
from postroom.store.embedded import DATABASE, SUPERUSER, EmbeddedPostgres
from postroom.store.errors import DirectoryInUse, ServerFailed
from postroom.store.migrate import check_migrated
from postroom.store.pool import Connection, Pool, connect, open_pool, wait_until_answering
from postroom.tenancy.accounts import find_account

# The lines of postmaster.pid: PostgreSQL's documentation, "Database File Layout"; miscadmin/pidfile.h.
_SOCKET_FOLDER_LINE = 4
_STATUS_LINE = 7

# As in a server: what the planner last saw of a day may be an empty table.
_INDEXED = {"enable_seqscan": "off"}

# Who waits for a verb wants to know soon that the server of the URL is away.
_START_SECONDS = 5.0

_T = TypeVar("_T")


@asynccontextmanager
async def database_of(settings: Settings) -> AsyncIterator[str]:
    """The dsn of the prepared database, for as long as the block lasts. Raises a `StoreError` when there is none."""
    if settings.database_url is not None:
        await reach_database(settings.database_url, seconds=_START_SECONDS)
        await roles.prepare_database(settings, settings.database_url)
        yield settings.database_url
        return
    directory = DataDirectory(settings.data_dir)
    directory.make()
    try:
        directory.lock()
    except DirectoryInUse:
        dsn = running_dsn(settings.data_dir)
        # An upgrade puts new commands beside a server that is still the old one.
        await check_migrated(dsn)
        yield dsn
        return
    try:
        server = EmbeddedPostgres(settings.data_dir)
        if not server.cluster.exists():
            note(
                f"option POSTROOM_DATA_DIR={settings.data_dir}: no database is there yet, one is made; "
                "if your server has another, name its folder"
            )
        try:
            dsn = await server.start()
            await roles.prepare_database(settings, dsn)
            yield dsn
        finally:
            await server.stop()
    finally:
        directory.unlock()


async def reach_database(url: str, *, seconds: float = 30.0) -> None:
    """Return when the server the URL names takes a connection; raise `SettingsRejected` when it does not.

    Waits for a server that is starting; one that refuses the user, password or database is told at once.
    """
    try:
        await wait_until_answering(url, seconds=seconds)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as refused:
        raise SettingsRejected(
            [
                f"option POSTROOM_DATABASE_URL={hide_password(url)}: no connection "
                f"({str(refused) or type(refused).__name__}); check that the server runs, and the user, password "
                "and database in the URL"
            ]
        ) from None


def run_on_database(
    settings: Settings,
    application_name: str,
    work: Callable[[Connection], Awaitable[_T]],
    *,
    mid: int | None = None,
) -> _T:
    """What ``work`` gives on one connection to that database. A ``mid`` that no business unit has is told as a
    mistake in `--mid`."""

    async def run() -> _T:
        async with database_of(settings) as dsn:
            connection = await connect(dsn, application_name=application_name)
            try:
                await _check_unit(connection, mid)
                return await work(connection)
            finally:
                await connection.close()

    return asyncio.run(run())


def run_with_pool(
    settings: Settings, application_name: str, work: Callable[[Pool], Awaitable[_T]], *, mid: int | None = None
) -> _T:
    """What ``work`` gives with a few connections to that database, which look messages up as a server does; ``mid``
    as above."""

    async def run() -> _T:
        async with database_of(settings) as dsn:
            pool = await open_pool(dsn, max_size=2, application_name=application_name, settings=_INDEXED)
            try:
                await _check_unit(pool, mid)
                return await work(pool)
            finally:
                await pool.close()

    return asyncio.run(run())


async def _check_unit(database: Database, mid: int | None) -> None:
    if mid is None:
        return
    known = 0 < mid < 2**63 and await find_account(database, mid) is not None
    if not known:
        raise typer.BadParameter(
            f"there is no business unit {mid}; postroom account list shows them", param_hint="--mid"
        )


def running_dsn(data_dir: Path) -> str:
    """The dsn of the embedded server that runs in this data directory. Raises ServerFailed when it is not up."""
    pid_file = EmbeddedPostgres(data_dir).cluster / "postmaster.pid"
    try:
        lines = pid_file.read_text(encoding="utf-8").splitlines()
    except PermissionError:
        raise ServerFailed(
            f"option POSTROOM_DATA_DIR={data_dir}: its server belongs to another user; run this as the user who "
            "runs postroom serve"
        ) from None
    except FileNotFoundError:
        lines = []
    if len(lines) <= _STATUS_LINE or lines[_STATUS_LINE].strip() != "ready":
        raise ServerFailed(
            f"option POSTROOM_DATA_DIR={data_dir}: the postroom serve that works on it is starting or stopping; "
            "try again when it says it is ready"
        )
    return f"postgresql://{SUPERUSER}@/{DATABASE}?host={quote(lines[_SOCKET_FOLDER_LINE].strip())}"
