"""Migrations: applied once under a lock, never edited afterwards, and a newer database is left alone."""

import asyncio

import pytest

from postroom.store.errors import DatabaseNewer, DatabaseOlder, MigrationChanged, MigrationFailed
from postroom.store.migrate import Migration, check_migrated, migrate, packaged_migrations
from postroom.store.pool import check_server_version, connect, open_pool

FIRST = Migration(1, "first", "create table one (a int); create table two (b int);")
SECOND = Migration(2, "second", "alter table one add column c int;")
BROKEN = Migration(2, "broken", "create table three (a int); select no_such_function();")


async def test_processes_that_start_together_migrate_once(empty_database: str) -> None:
    results = await asyncio.gather(*(migrate(empty_database, [FIRST, SECOND]) for _ in range(4)))
    assert sorted(len(applied) for applied in results) == [0, 0, 0, 2]


async def test_only_what_is_new_is_applied(empty_database: str) -> None:
    assert await migrate(empty_database, [FIRST]) == (FIRST,)
    assert await migrate(empty_database, [FIRST, SECOND]) == (SECOND,)
    assert await migrate(empty_database, [FIRST, SECOND]) == ()


async def test_a_refused_migration_leaves_nothing_and_can_be_repeated(empty_database: str) -> None:
    with pytest.raises(MigrationFailed, match="0002_broken was refused and undone: function no_such_function"):
        await migrate(empty_database, [FIRST, BROKEN])
    connection = await connect(empty_database, application_name="test")
    assert await connection.fetchval("select to_regclass('three')") is None
    assert await connection.fetchval("select to_regclass('one')") == "one"
    await connection.close()
    assert await migrate(empty_database, [FIRST, SECOND]) == (SECOND,)


async def test_an_edited_migration_is_refused(empty_database: str) -> None:
    await migrate(empty_database, [FIRST])
    edited = Migration(1, "first", FIRST.sql + " create table extra ();")
    with pytest.raises(MigrationChanged, match="0001_first was edited after the database applied it"):
        await migrate(empty_database, [edited])


async def test_a_newer_database_is_left_alone(empty_database: str) -> None:
    await migrate(empty_database, [FIRST, SECOND])
    with pytest.raises(DatabaseNewer, match=r"step 0002 \(second\) by a newer Postroom and this one knows 1"):
        await migrate(empty_database, [FIRST])


async def test_a_command_that_is_newer_or_older_than_the_running_server_says_so(empty_database: str) -> None:
    await migrate(empty_database, [FIRST])
    await check_migrated(empty_database, [FIRST])
    with pytest.raises(DatabaseOlder, match=r"of an older Postroom \(it is at step 0001 of 2\); restart the server"):
        await check_migrated(empty_database, [FIRST, SECOND])
    await migrate(empty_database, [FIRST, SECOND])
    with pytest.raises(DatabaseNewer, match=r"step 0002 by a newer Postroom and this one knows 1 steps; use the newer"):
        await check_migrated(empty_database, [FIRST])


async def test_the_packaged_schema_applies_to_every_supported_server(any_database: str) -> None:
    assert await migrate(any_database) == ()
    connection = await connect(any_database, application_name="test")
    try:
        assert await check_server_version(connection) >= 150_000
        recorded = await connection.fetch("select number, checksum from schema_migration order by number")
        assert [(row["number"], row["checksum"]) for row in recorded] == [
            (migration.number, migration.checksum) for migration in packaged_migrations()
        ]
    finally:
        await connection.close()


async def test_sessions_commit_synchronously_whatever_the_server_says(any_database: str) -> None:
    connection = await connect(any_database, application_name="test")
    name = await connection.fetchval("select current_database()")
    await connection.execute(f'alter database "{name}" set synchronous_commit = off')
    await connection.close()
    pool = await open_pool(any_database, max_size=1, application_name="postroom api")
    shown = await pool.fetchrow(
        """select current_setting('synchronous_commit') as commits, current_setting('timezone') as zone,
                  current_setting('statement_timeout') as longest, current_setting('application_name') as name"""
    )
    assert shown is not None
    assert dict(shown) == {"commits": "on", "zone": "UTC", "longest": "30s", "name": "postroom api"}
    await pool.close()
