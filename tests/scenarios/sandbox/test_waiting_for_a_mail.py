"""GET /sandbox/wait answers as soon as the mail is there, for any number of waiters, and survives a lost listener."""

from __future__ import annotations

import asyncio

import httpx
from tests.scenarios.sandbox.conftest import Sandbox

from postroom.sandbox.mailbox import Mailbox, MailFilter
from postroom.sandbox.watch import MailWatch
from postroom.store.pool import Pool

END_LISTENER = "select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen %'"


async def until(watch: MailWatch, waiting: int) -> None:
    """Until that many wait and the database tells of arrivals."""
    async with asyncio.timeout(20):
        while watch.waiting < waiting or not watch.listening:  # noqa: ASYNC110  only tests would want an event
            await asyncio.sleep(0.005)


async def ask(sandbox: Sandbox, **parameters: object) -> httpx.Response:
    return await sandbox.http.get("/sandbox/wait", params={name: str(value) for name, value in parameters.items()})


async def test_a_mail_that_is_there_is_given_at_once_the_newest_first(sandbox: Sandbox) -> None:
    await sandbox.send("a@example.com")
    newest = await sandbox.send("A@Example.com", raw=b"Subject: Second\r\n\r\nbody of it")
    answer = await ask(sandbox, to="a@EXAMPLE.com", timeout=0)
    assert answer.status_code == 200
    assert answer.json()["id"] == newest
    assert answer.json()["text"] == "body of it\r\n"
    assert (await ask(sandbox, subject="sec", timeout=0)).json()["id"] == newest


async def test_a_mail_that_comes_later_wakes_its_waiter_only(sandbox: Sandbox) -> None:
    waiting = asyncio.create_task(ask(sandbox, to="late@example.com", timeout=30))
    other = asyncio.create_task(ask(sandbox, subject="never", timeout=30))
    await until(sandbox.watch, 2)
    await sandbox.send("someone@example.com")
    number = await sandbox.send("late@example.com")
    assert (await waiting).json()["id"] == number
    assert not other.done()
    await sandbox.watch.close()
    stopped = await other
    assert stopped.status_code == 503
    assert stopped.json()["errorcode"] == 50300


async def test_after_leaves_out_what_was_captured_before(sandbox: Sandbox) -> None:
    first = await sandbox.send()
    assert (await ask(sandbox, to="a@example.com", after=first, timeout=0)).status_code == 404
    second = await sandbox.send()
    assert (await ask(sandbox, to="a@example.com", after=first, timeout=0)).json()["id"] == second


async def test_nothing_in_time_is_a_404_that_says_what_was_waited_for(sandbox: Sandbox) -> None:
    await sandbox.send()
    answer = await ask(sandbox, to="nobody@example.com", timeout=0.05)
    assert answer.status_code == 404
    assert answer.json() == {
        "message": "Sandbox_ObjectNotFound: no captured mail with to=nobody@example.com within 0.05 seconds;"
        " the mailbox holds 1",
        "errorcode": 30003,
        "documentation": "",
    }


async def test_two_hundred_waiters_share_one_listening_connection(sandbox: Sandbox, pool: Pool) -> None:
    waiting = [asyncio.create_task(ask(sandbox, to=f"r{n}@example.com", timeout=60)) for n in range(200)]
    await until(sandbox.watch, 200)
    listeners = "select count(*) from pg_stat_activity where datname = current_database() and query ilike 'listen %'"
    assert await pool.fetchval(listeners) == 1
    for n in reversed(range(200)):
        await sandbox.send(f"r{n}@example.com")
    answers = [(await task).json() for task in waiting]
    assert [answer["envelope"]["to"] for answer in answers] == [[f"r{n}@example.com"] for n in range(200)]
    assert sandbox.watch.waiting == 0


async def test_no_mail_falls_between_looking_and_waiting(sandbox: Sandbox) -> None:
    for n in range(30):
        answer, number = await asyncio.gather(
            ask(sandbox, to=f"race{n}@example.com"), sandbox.send(f"race{n}@example.com")
        )
        assert answer.json()["id"] == number


async def test_a_lost_listener_is_replaced_while_someone_waits(sandbox: Sandbox, pool: Pool) -> None:
    waiting = asyncio.create_task(ask(sandbox, to="late@example.com", timeout=30))
    await until(sandbox.watch, 1)
    assert await pool.fetchval(END_LISTENER)
    number = await sandbox.send("late@example.com")
    assert (await waiting).json()["id"] == number
    again = asyncio.create_task(ask(sandbox, to="later@example.com", timeout=30))
    await until(sandbox.watch, 1)
    await sandbox.send("later@example.com")
    assert (await again).status_code == 200


async def test_a_lost_notification_costs_one_look_by_the_clock(sandbox: Sandbox, mailbox: Mailbox) -> None:
    watch = MailWatch(mailbox, unheard_seconds=0.1)
    waiting = asyncio.create_task(watch.wait(MailFilter(to="late@example.com"), 30))
    await until(watch, 1)
    assert watch._listener is not None
    await watch._listener.execute("unlisten *")
    number = await sandbox.send("late@example.com")
    assert await waiting == number
    await watch.close()
    assert await watch.wait(MailFilter(to="late@example.com"), 30) is None
