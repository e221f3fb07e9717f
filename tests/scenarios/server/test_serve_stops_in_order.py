"""SIGTERM and Ctrl-C: API first, then delivery, then the mailbox, PostgreSQL last and cleanly."""

import asyncio
import signal
from pathlib import Path

import pytest
from tests.scenarios.server.running import running, until

from postroom.cli.serve import DELIVERY_STOP_SECONDS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_everything_ends_in_order_and_postgresql_is_clean(
    reachable_tmp_path: Path, number: signal.Signals
) -> None:
    data_dir = reachable_tmp_path / "data"
    async with running(data_dir, reachable_tmp_path / "diary", POSTROOM_DELIVERY_PROCESSES="2") as server:
        await server.ready()
        server.send(number)
        ended = await server.exit()
    assert ended.code == 0
    assert [line[1] for line in server.diary() if line[0] == "end"] == [
        "api",
        "deliver",
        "deliver",
        "events",
        "mailbox",
    ]
    assert "database system is shut down" in (data_dir / "postgresql.log").read_text().splitlines()[-1]
    assert not (data_dir / "postgresql" / "postmaster.pid").exists()

    async with running(data_dir, reachable_tmp_path / "diary2") as again:
        await again.ready()
    log = (data_dir / "postgresql.log").read_text()
    assert "not properly shut down" not in log
    assert log.count("database system was shut down at") == 2


async def test_second_ctrl_c_does_not_wait_for_what_is_in_flight(reachable_tmp_path: Path) -> None:
    data_dir = reachable_tmp_path / "data"
    async with running(data_dir, reachable_tmp_path / "diary", CREW_SLOW="deliver") as server:
        await server.ready()
        server.send(signal.SIGINT)
        # The API is gone, so delivery was told to stop; it never will by itself.
        await server.diary_says(lambda diary: any(line[:2] == ["end", "api"] for line in diary))
        hurried = asyncio.get_running_loop().time()
        server.send(signal.SIGINT)
        ended = await server.exit()
    assert ended.code == 0
    assert asyncio.get_running_loop().time() - hurried < DELIVERY_STOP_SECONDS - 1
    assert "does not stop and is killed" in ended.errors
    assert [line[1] for line in server.diary() if line[0] == "end"] == ["api", "events", "mailbox"]
    assert "database system is shut down" in (data_dir / "postgresql.log").read_text().splitlines()[-1]


async def test_a_stop_during_the_start_leaves_nothing_behind(reachable_tmp_path: Path) -> None:
    data_dir = reachable_tmp_path / "data"
    async with running(data_dir, reachable_tmp_path / "diary") as server:
        await until(lambda: any(data_dir.glob("postgresql*")))
        ended = await server.stop()
    assert ended.code == 0
    assert server.diary() == []
    async with running(data_dir, reachable_tmp_path / "diary2") as again:
        await again.ready()
    assert not list(data_dir.glob("postgresql.new-*"))
