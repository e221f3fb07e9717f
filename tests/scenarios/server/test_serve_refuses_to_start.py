"""A start that can't succeed: one sentence with option, value and fix, an exit code, and nothing left running."""

import os
import socket
from pathlib import Path

import pytest
from tests.scenarios.server.running import running


async def test_second_serve_on_the_same_directory_names_the_first(reachable_tmp_path: Path) -> None:
    data_dir = reachable_tmp_path / "data"
    async with running(data_dir, reachable_tmp_path / "diary") as first:
        await first.ready()
        async with running(data_dir, reachable_tmp_path / "diary2") as second:
            ended = await second.exit()
        assert ended.code == 1
        assert ended.errors == (
            f"postroom: option POSTROOM_DATA_DIR={data_dir}: another postroom serve (process {first.process.pid}) "
            "works on this data directory; stop that one, or name another folder\n"
        )
        assert ended.output == ""
        assert first.process.returncode is None
    async with running(data_dir, reachable_tmp_path / "diary3") as third:
        await third.ready()


@pytest.mark.parametrize("option", ["POSTROOM_HTTP", "POSTROOM_SANDBOX_SMTP"])
async def test_a_taken_port_stops_the_start(reachable_tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with running(reachable_tmp_path / "d", reachable_tmp_path / "diary", **{option: address}) as server:
            ended = await server.exit()
    assert ended.code == 2
    assert ended.errors.startswith(f"postroom: option {option}={address}: the port is in use by another program; ")
    assert server.diary() == []


async def test_an_address_of_another_machine_stops_the_start(reachable_tmp_path: Path) -> None:
    where = {"POSTROOM_HTTP": "192.0.2.1:8025"}
    async with running(reachable_tmp_path / "data", reachable_tmp_path / "diary", **where) as server:
        ended = await server.exit()
    assert ended.code == 2
    assert "POSTROOM_HTTP=192.0.2.1:8025: the address is none of this machine's" in ended.errors


async def test_bad_settings_are_told_all_at_once(reachable_tmp_path: Path) -> None:
    bad = {"POSTROOM_KEY_WINDOW_HOURS": "12", "POSTROOM_DELIVRY": "relay"}
    async with running(reachable_tmp_path / "data", reachable_tmp_path / "diary", **bad) as server:
        ended = await server.exit()
    assert ended.code == 2
    assert len(ended.errors.splitlines()) == 2
    assert "did you mean POSTROOM_DELIVERY?" in ended.errors
    assert "POSTROOM_KEY_WINDOW_HOURS=12: it is out of range; give a whole number of hours from 24" in ended.errors
    assert not (reachable_tmp_path / "data").exists()


async def test_a_database_that_refuses_the_user_stops_the_start(reachable_tmp_path: Path, debian_database: str) -> None:
    url = debian_database.replace("postgres@", "nobody_here:secret-word@")
    async with running(reachable_tmp_path / "data", reachable_tmp_path / "diary", POSTROOM_DATABASE_URL=url) as server:
        ended = await server.exit()
    assert ended.code == 2
    assert "option POSTROOM_DATABASE_URL=postgresql://nobody_here:***@127.0.0.1" in ended.errors
    assert 'role "nobody_here" does not exist' in ended.errors
    assert "secret-word" not in ended.errors


async def test_a_process_that_never_starts_ends_the_start(reachable_tmp_path: Path) -> None:
    data_dir = reachable_tmp_path / "data"
    async with running(data_dir, reachable_tmp_path / "diary", CREW_TROUBLE="api") as server:
        ended = await server.exit()
    assert ended.code == 1
    assert "api-1 ended 4 times (exit 1); the log lines above say why" in ended.errors
    assert "the crew was told to fail" in ended.errors
    assert [line[1] for line in server.diary() if line[0] == "end"] == ["deliver", "events", "mailbox"]
    assert "database system is shut down" in (data_dir / "postgresql.log").read_text().splitlines()[-1]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")
async def test_as_root_a_folder_below_a_private_one_is_explained(reachable_tmp_path: Path) -> None:
    private = reachable_tmp_path / "private"
    private.mkdir(mode=0o700)
    async with running(private / "data", reachable_tmp_path / "diary") as server:
        ended = await server.exit()
    assert ended.code == 2
    assert f"option POSTROOM_DATA_DIR={private / 'data'}: the embedded PostgreSQL runs as user " in ended.errors
    assert f"that user can't enter {private}; " in ended.errors
    assert f"chmod o+x {private}" in ended.errors
    assert private.stat().st_mode & 0o777 == 0o700
