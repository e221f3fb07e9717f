"""A server goes on from a copy made while it worked, as docs/operations.md says: what was queued then is held first."""

import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.conformance.house import ACCOUNT, House, accepting, open_house, people
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import all_final, until, working

from postroom.store.binaries import find_binaries
from postroom.store.directory import server_user
from postroom.store.embedded import EmbeddedPostgres
from postroom.store.migrate import migrate
from postroom.store.partitions import ensure_days
from postroom.store.pool import open_pool

_CONFIRM = re.compile(r"^to begin: postroom (message job confirm .*)$", re.MULTILINE)


def copy_of(data_dir: Path, to: Path) -> None:
    """What pg_basebackup makes of the running server, in the hands of the server's user."""
    cluster = to / "postgresql"
    program = find_binaries(cluster).program("pg_basebackup")
    reached = ("-h", str(data_dir / "run"), "-U", "postroom", "-D", str(cluster), "--checkpoint=fast", "--no-sync")
    subprocess.run([program, *reached], check=True, timeout=60)
    user = server_user(cluster)
    if user is not None:
        for each in (cluster, *cluster.rglob("*")):
            shutil.chown(each, user.uid, user.gid)


def command(data_dir: Path, *words: str) -> str:
    """What a command prints that finds no server on this data directory."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    done = subprocess.run(
        [sys.executable, "-m", "postroom.cli.main", *words, "--mid", str(ACCOUNT)],
        env=environ | {"POSTROOM_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_what_was_sent_after_the_copy_is_held_and_does_not_go_twice(reachable_tmp_path: Path) -> None:
    before, after = reachable_tmp_path / "data", reachable_tmp_path / "copy"
    after.mkdir()
    server = EmbeddedPostgres(before)
    dsn = await server.start()
    try:
        await migrate(dsn)
        async with open_house(dsn) as house, relay() as peer:
            await ensure_days(house.pool, datetime.now(UTC).date())
            keys = house.keys(3)
            await house.accept(people(keys, {}))
            copy_of(before, after)
            async with working(house, peer):
                await all_final(house, 3)
            assert sorted(peer.order) == sorted(keys)
    finally:
        await server.stop()

    begin = _CONFIRM.search(command(after, "message", "job", "count", "hold", "--status", "queued"))
    assert begin is not None
    assert "3 done" in command(after, *begin[1].split())

    restored = EmbeddedPostgres(after)
    dsn = await restored.start()
    pool = await open_pool(dsn, max_size=8, application_name="house")
    try:
        async with accepting(pool) as accepter, relay() as peer:
            house = House(dsn, pool, accepter)
            async with working(house, peer) as office:
                await office.send(["new"])

                async def sent() -> bool:
                    return await house.kinds("new") == ["sent"]

                await until(sent)
            assert peer.order == ["new"]
            for key in keys:
                assert await house.kinds(key) == []
    finally:
        await pool.close()
        await restored.stop()
