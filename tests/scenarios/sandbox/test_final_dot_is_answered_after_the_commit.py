"""250 to the final dot means committed; arrivals of many connections share a commit."""

from __future__ import annotations

import asyncio
import contextlib

import asyncpg
import uvloop
from tests.scenarios.sandbox.conftest import Sandbox, running

from postroom.inbound.smtp_server import ServerLimits
from postroom.sandbox.mailbox import Limits, Mailbox
from postroom.store.pool import Pool, open_pool

HOLD = "select pg_advisory_lock(hashtextextended('captured_mail', 0))"
LET_GO = "select pg_advisory_unlock(hashtextextended('captured_mail', 0))"
WRITERS_HELD_UP = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
MAIL = b"EHLO c\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nhi\r\n.\r\n"


async def until_held_up(pool: Pool) -> None:
    """Until the capture process waits for the lock."""
    async with asyncio.timeout(20):
        while not await pool.fetchval(WRITERS_HELD_UP):  # noqa: ASYNC110  another process's state: no event tells it
            await asyncio.sleep(0.005)


async def replies(reader: asyncio.StreamReader, count: int) -> list[bytes]:
    """That many final reply lines."""
    found: list[bytes] = []
    while len(found) < count:
        line = await reader.readline()
        if line[3:4] == b" ":
            found.append(line[:3])
    return found


async def test_no_answer_before_the_commit(sandbox: Sandbox, pool: Pool) -> None:
    async with pool.acquire() as holder:
        await holder.execute(HOLD)
        reader, writer = await sandbox.smtp()
        writer.write(MAIL)
        assert await replies(reader, 5) == [b"220", b"250", b"250", b"250", b"354"]
        await until_held_up(pool)
        answer = asyncio.create_task(replies(reader, 1))
        assert await pool.fetchval("select count(*) from captured_mail") == 0
        assert not answer.done()
        await holder.execute(LET_GO)
    assert await answer == [b"250"]
    assert await pool.fetchval("select count(*) from captured_mail") == 1
    writer.close()
    await writer.wait_closed()


async def test_arrivals_of_many_connections_are_committed_together(sandbox: Sandbox, pool: Pool) -> None:
    async with pool.acquire() as holder:
        await holder.execute(HOLD)
        first = asyncio.create_task(sandbox.dialogue(MAIL, b"QUIT\r\n"))
        await until_held_up(pool)
        streams = [await sandbox.smtp() for _ in range(50)]
        for reader, writer in streams:
            writer.write(MAIL)
            assert (await replies(reader, 5))[-1] == b"354"
        await holder.execute(LET_GO)
    assert b"captured as" in await first
    for reader, writer in streams:
        assert await replies(reader, 1) == [b"250"]
        writer.close()
        await writer.wait_closed()
    commits = await pool.fetch("select count(*) as mails from captured_mail group by xmin::text order by 1")
    # The first went alone; the others had all arrived, or all but the one whose end of data was on its way.
    assert commits[-1]["mails"] >= 40
    assert sum(row["mails"] for row in commits) == 51


async def test_the_database_away_is_answered_451_and_service_returns_by_itself(database: str, pool: Pool) -> None:
    own = await open_pool(database, max_size=4, application_name="capture")
    name = await pool.fetchval("select current_database()")
    elsewhere = await asyncpg.connect(database.replace(f"/{name}", "/postgres"))
    async with running(Mailbox(own, Limits())) as sandbox:
        await sandbox.send()
        await elsewhere.execute(f'alter database "{name}" allow_connections false')
        await elsewhere.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
        answer = await sandbox.dialogue(MAIL, b"QUIT\r\n")
        assert b"\r\n451 4.3.0 Not stored" in answer
        assert answer.endswith(b"221 2.0.0 Bye\r\n")
        await elsewhere.execute(f'alter database "{name}" allow_connections true')
        await sandbox.send()
        assert (await sandbox.mailbox.total()).messages == 2
    await elsewhere.close()
    await own.close()


async def test_stopping_answers_the_mail_that_is_being_committed(mailbox: Mailbox, pool: Pool) -> None:
    async with contextlib.AsyncExitStack() as running_sandbox, pool.acquire() as holder:
        sandbox = await running_sandbox.enter_async_context(running(mailbox))
        await holder.execute(HOLD)
        idle_reader, idle_writer = await sandbox.smtp()
        await idle_reader.readline()
        reader, writer = await sandbox.smtp()
        writer.write(MAIL)
        await replies(reader, 5)
        await until_held_up(pool)
        stopping = asyncio.create_task(running_sandbox.aclose())
        assert (await idle_reader.readline()).startswith(b"421 4.3.2")
        await holder.execute(LET_GO)
        assert await replies(reader, 2) == [b"250", b"421"]
        assert await reader.read() == b""
        await stopping
        for open_writer in (idle_writer, writer):
            open_writer.close()
            await open_writer.wait_closed()
    assert (await mailbox.total()).messages == 1


async def test_silent_and_surplus_clients_are_hung_up_on(mailbox: Mailbox) -> None:
    async with running(mailbox, ServerLimits(connections=2, idle_seconds=0.2)) as sandbox:
        streams = [await sandbox.smtp() for _ in range(3)]
        greetings = [await reader.readline() for reader, _ in streams]
        assert sorted(line[:3] for line in greetings) == [b"220", b"220", b"421"]
        for reader, writer in streams:
            assert (await reader.read())[:9] in (b"421 4.4.2", b"")
            writer.close()
            await writer.wait_closed()
        assert await sandbox.send() > 0


def test_the_server_runs_on_uvloop_as_well(database: str) -> None:
    async def story() -> int:
        pool = await open_pool(database, max_size=4, application_name="capture")
        async with running(Mailbox(pool, Limits())) as sandbox:
            await asyncio.gather(*(sandbox.send(f"r{n}@example.com") for n in range(20)))
            total = await sandbox.mailbox.total()
        await pool.close()
        return total.messages

    assert uvloop.run(story()) == 20


async def test_smuggled_mail_over_the_wire_stays_one_mail(sandbox: Sandbox) -> None:
    smuggled = b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\nowned\r\n.\r\n"
    for fake_end in (b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n"):
        await sandbox.send(raw=b"Subject: x\r\n\r\nhi" + fake_end + smuggled[:-5])
    listed = (await sandbox.http.get("/sandbox/messages")).json()
    assert [item["envelope"]["to"] for item in listed["items"]] == [["a@example.com"]] * 4
