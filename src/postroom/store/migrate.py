"""Numbered SQL files, applied in order, each once and each in a transaction of its own.

The files are `migrations/NNNN_name.sql`. An advisory lock lets any number of processes start at once: one
migrates, the others wait and find nothing to do. What was applied is recorded with a checksum in
`schema_migration`; a released file is never edited, a change is a new file. A database that knows a migration
we don't carry belongs to a newer program and is left alone.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import asyncpg

from postroom.store.errors import DatabaseNewer, DatabaseOlder, MigrationChanged, MigrationFailed
from postroom.store.pool import Connection, check_server_version, connect

# "postroom" read as bytes: any number will do as long as it never changes.
ADVISORY_LOCK = 0x706F7374726F6F6D

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")

CREATE_LEDGER = """
create table if not exists schema_migration (
    number      integer primary key,
    name        text not null,
    checksum    text not null,
    applied_at  timestamptz not null default now()
)
"""
SELECT_APPLIED = "select number, name, checksum from schema_migration order by number"
SELECT_NEWEST = "select coalesce(max(number), 0) from schema_migration"
INSERT_APPLIED = "insert into schema_migration (number, name, checksum) values ($1, $2, $3)"


@dataclass(frozen=True)
class Migration:
    """One file: its number, its name and its SQL text."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, the same whatever line ends a checkout gave it."""
        return hashlib.sha256(self.sql.replace("\r\n", "\n").encode()).hexdigest()


def packaged_migrations() -> tuple[Migration, ...]:
    """The migrations this program carries, in order. Numbers run from 1 without gaps."""
    folder = files("postroom.store").joinpath("migrations")
    found = sorted(
        (
            Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8"))
            for entry in folder.iterdir()
            if (match := _FILE_NAME.fullmatch(entry.name))
        ),
        key=lambda migration: migration.number,
    )
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationChanged("the migration files are not numbered 1, 2, 3, …; install Postroom again")
    return tuple(found)


async def migrate(dsn: str, migrations: Sequence[Migration] | None = None) -> tuple[Migration, ...]:
    """Bring the database to the newest schema; returns what was applied now.

    Raises `ServerTooOld`, `UnsuitableDatabase`, `DatabaseNewer`, `MigrationChanged` or `MigrationFailed`; what
    was applied before a failure stays applied.
    """
    wanted = packaged_migrations() if migrations is None else tuple(migrations)
    connection = await connect(dsn, application_name="postroom migrate")
    try:
        await check_server_version(connection)
        await connection.execute("select pg_advisory_lock($1)", ADVISORY_LOCK)
        try:
            return await _apply(connection, wanted)
        finally:
            if not connection.is_closed():
                await connection.execute("select pg_advisory_unlock($1)", ADVISORY_LOCK)
    finally:
        await connection.close()


async def check_migrated(dsn: str, migrations: Sequence[Migration] | None = None) -> None:
    """Raise `DatabaseOlder` or `DatabaseNewer` unless the database is at the step of this program; changes nothing."""
    connection = await connect(dsn, application_name="postroom migrate")
    try:
        applied = await connection.fetchval(SELECT_NEWEST)
    finally:
        await connection.close()
    known = len(packaged_migrations() if migrations is None else migrations)
    if applied < known:
        raise DatabaseOlder(
            f"the server that runs on this database is of an older Postroom (it is at step {applied:04d} of {known}); "
            "restart the server, which brings the database up to date, and give the command again"
        )
    if applied > known:
        raise DatabaseNewer(
            f"the database was migrated to step {applied:04d} by a newer Postroom and this one knows {known} steps; "
            "use the newer program"
        )


async def _apply(connection: Connection, wanted: tuple[Migration, ...]) -> tuple[Migration, ...]:
    await connection.execute(CREATE_LEDGER)
    applied = {row["number"]: row for row in await connection.fetch(SELECT_APPLIED)}
    carried = {migration.number for migration in wanted}
    if newer := sorted(set(applied) - carried):
        raise DatabaseNewer(
            f"the database was migrated to step {newer[-1]:04d} ({applied[newer[-1]]['name']}) by a newer "
            f"Postroom and this one knows {len(wanted)} steps; start the newer program, or give this one "
            "another database (POSTROOM_DATABASE_URL or POSTROOM_DATA_DIR)"
        )
    fresh = []
    for migration in wanted:
        row = applied.get(migration.number)
        if row is None:
            await _apply_one(connection, migration)
            fresh.append(migration)
        elif row["checksum"] != migration.checksum:
            raise MigrationChanged(
                f"migration {migration.number:04d}_{migration.name} was edited after the database applied it "
                f"(as {row['name']}); put the released file back and make the change in a new migration"
            )
    return tuple(fresh)


async def _apply_one(connection: Connection, migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(INSERT_APPLIED, migration.number, migration.name, migration.checksum)
    except asyncpg.PostgresError as refused:
        if isinstance(refused, asyncpg.PostgresConnectionError):
            raise
        raise MigrationFailed(
            f"migration {migration.number:04d}_{migration.name} was refused and undone: {refused}"
        ) from refused
