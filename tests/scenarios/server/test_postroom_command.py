"""The program itself, as a user types it: `postroom serve`, and its parts alone against one PostgreSQL."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
from tests.scenarios.server.running import Running

from postroom.store.pool import connect

COMMAND = (sys.executable, "-P", "-m", "postroom.cli.main")


@contextlib.asynccontextmanager
async def postroom(folder: Path, *words: str, **variables: str) -> AsyncIterator[Running]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *words,
        env=environ | {"POSTROOM_LOG_FORMAT": "json"} | variables,
        # Somewhere harmless: a file typer.py here must not be imported.
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    server = Running(process, folder / "no-diary")
    try:
        yield server
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await server.exit()


async def test_serve_gives_credentials_that_work_and_stops_with_connections_open(reachable_tmp_path: Path) -> None:
    (reachable_tmp_path / "typer.py").write_text("raise SystemExit('imported from the working folder')\n")
    words = ["serve", "--data-dir", str(reachable_tmp_path / "data")]
    words += ["--http", "127.0.0.1:0", "--sandbox-smtp", "127.0.0.1:0"]
    async with postroom(reachable_tmp_path, *words) as server, httpx.AsyncClient(timeout=30) as client:
        await server.ready()
        shown = {
            line.split()[0]: line.split()[1]
            for line in server.banner.splitlines()
            if line.startswith("  ") and len(line.split()) == 2
        }
        credentials = {
            "grant_type": "client_credentials",
            "client_id": shown["client_id"],
            "client_secret": shown["client_secret"],
            "account_id": int(shown["account_id"]),
        }
        token = await client.post(f"{server.url}/v2/token", json=credentials)
        assert token.status_code == 200
        assert token.json()["rest_instance_url"] == f"{server.url}/"
        # The client's connection stays open meanwhile.
        ended = await server.stop()
    assert ended.code == 0
    assert "killed" not in ended.errors
    log = (reachable_tmp_path / "data" / "postgresql.log").read_text()
    assert "database system is shut down" in log.splitlines()[-1]


async def test_parts_alone_share_one_database_given_by_url(reachable_tmp_path: Path, debian_database: str) -> None:
    where = {"POSTROOM_DATABASE_URL": debian_database, "POSTROOM_SANDBOX_SMTP": "127.0.0.1:0"}
    async with (
        postroom(reachable_tmp_path, "api", "--http", "127.0.0.1:0", **where) as api,
        postroom(reachable_tmp_path, "deliver", **where) as deliver,
        postroom(reachable_tmp_path, "mailbox", **where) as mailbox,
        postroom(reachable_tmp_path, "events", **where) as events,
    ):
        connection = await connect(debian_database, application_name="test")
        connected: set[str] = set()
        async with asyncio.timeout(60):
            while not {"postroom api", "postroom deliver", "postroom events", "postroom mailbox"} <= connected:
                rows = await connection.fetch("select application_name as name from pg_stat_activity")
                connected = {row["name"] for row in rows}
        await connection.close()
        for server in (api, deliver, events, mailbox):
            assert (await server.stop()).code == 0, server.errors


async def test_a_part_alone_without_a_database_says_what_it_needs(reachable_tmp_path: Path) -> None:
    async with postroom(reachable_tmp_path, "deliver") as server:
        ended = await server.exit()
    assert ended.code == 2
    assert "option POSTROOM_DATABASE_URL=: postroom deliver alone needs a PostgreSQL" in ended.errors
    assert "Traceback" not in ended.errors
