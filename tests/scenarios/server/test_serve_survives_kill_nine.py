"""kill -9 of anything: what died comes back, and what outlives its supervisor ends or is taken over."""

import os
import signal
from pathlib import Path

import asyncpg
import httpx
from tests.scenarios.server.running import embedded_dsn, postmaster, running


def begun(diary: list[list[str]], role: str) -> list[list[str]]:
    return [line for line in diary if line[:2] == ["begin", role]]


async def test_a_delivery_process_is_replaced_and_told_whom_it_replaces(
    reachable_tmp_path: Path, database: str
) -> None:
    where = {"POSTROOM_DATABASE_URL": database}
    async with running(reachable_tmp_path / "data", reachable_tmp_path / "diary", **where) as server:
        await server.ready()
        diary = await server.diary_says(lambda diary: len(begun(diary, "deliver")) == 1)
        _, _, pid, owner, replaces = begun(diary, "deliver")[0]
        assert (owner.split("/")[1:], replaces) == (["deliver-1", "1"], "None")
        os.kill(int(pid), signal.SIGKILL)
        diary = await server.diary_says(lambda diary: len(begun(diary, "deliver")) == 2)
        _, _, _, next_owner, next_replaces = begun(diary, "deliver")[1]
        assert next_owner == owner.removesuffix("/1") + "/2"
        assert next_replaces == owner


async def test_an_api_process_is_replaced_on_the_same_port(reachable_tmp_path: Path, database: str) -> None:
    where = {"POSTROOM_DATABASE_URL": database}
    async with running(reachable_tmp_path / "data", reachable_tmp_path / "diary", **where) as server:
        await server.ready()
        os.kill(int(begun(server.diary(), "api")[0][2]), signal.SIGKILL)
        # Nobody accepts at this moment, but the port is held: the request waits for the new process.
        async with httpx.AsyncClient(timeout=30) as client:
            assert (await client.get(server.url)).status_code == 404
        assert len(begun(server.diary(), "api")) == 2


async def test_postgresql_is_started_again_with_every_committed_row(reachable_tmp_path: Path) -> None:
    data_dir = reachable_tmp_path / "data"
    async with running(data_dir, reachable_tmp_path / "diary") as server:
        await server.ready()
        connection = await asyncpg.connect(embedded_dsn(data_dir))
        await connection.execute("insert into kept values ('committed')")
        os.kill(postmaster(data_dir), signal.SIGKILL)
        await server.says("PostgreSQL answers again")
        connection.terminate()
        again = await asyncpg.connect(embedded_dsn(data_dir))
        assert await again.fetchval("select word from kept") == "committed"
        await again.close()
        assert (await server.stop()).code == 0
    assert "database system is shut down" in (data_dir / "postgresql.log").read_text().splitlines()[-1]


async def test_supervisor_killed_children_end_and_the_next_takes_postgresql_over(reachable_tmp_path: Path) -> None:
    data_dir = reachable_tmp_path / "data"
    async with running(data_dir, reachable_tmp_path / "diary") as server:
        await server.ready()
        orphan = postmaster(data_dir)
        connection = await asyncpg.connect(embedded_dsn(data_dir))
        await connection.execute("insert into kept values ('committed')")
        server.send(signal.SIGKILL)
        diary = await server.diary_says(lambda diary: sum(line[0] == "end" for line in diary) == 4)
        assert sorted(line[1] for line in diary if line[0] == "end") == ["api", "deliver", "events", "mailbox"]
        assert (await server.exit()).code == -signal.SIGKILL

    async with running(data_dir, reachable_tmp_path / "diary2") as following:
        await following.ready()
        assert f"a PostgreSQL (process {orphan}) of a server that was killed still runs here" in following.errors
        assert postmaster(data_dir) != orphan
        connection.terminate()
        again = await asyncpg.connect(embedded_dsn(data_dir))
        assert await again.fetchval("select word from kept") == "committed"
        await again.close()
    # The orphan was shut down, not killed: nothing was ever recovered.
    assert "not properly shut down" not in (data_dir / "postgresql.log").read_text()
