"""`postroom events` is killed while events pour in: none is lost, and what comes again has the same webhook-id.

Only the batch on its way can come again. The first story kills at the worst moment: a request has just arrived. The
second kills each process two seconds after its first request, whatever is on its way then; EVENTS_KILLS=30
EVENTS_RATE=1000 make it the run whose figures docs/webhooks.md has.
"""

import asyncio
import os
import sys
from collections import Counter
from contextlib import AsyncExitStack
from functools import partial

from tests.conformance.house import ACCOUNT, House
from tests.scenarios.crash.post_office import kill_nine
from tests.scenarios.ens.receiver import Hook, Receiver, agree, hang, receiving, subscribe

from postroom.events.subscriptions import EMAIL_SENT

KILLS = int(os.environ.get("EVENTS_KILLS", "2"))
RATE = int(os.environ.get("EVENTS_RATE", "500"))
SECONDS = 2.0
LARGEST = 1_000
_TURNS = 50  # a second: so often does a delivery process settle

_SETTLE = """
insert into event (account_id, occurred_on, occurred_at, request_id, position, definition_id, kind, contact_id)
select m.account_id, (now() at time zone 'utc')::date, now(), m.request_id, m.position, d.definition_id, 'sent', 1
  from message m join definition d using (account_id)
 where m.account_id = $1 and lower(m.message_key collate "C") = any($2::text[])
returning event_id::text
"""


async def _pour(house: House, keys: list[str], stop: asyncio.Event) -> list[str]:
    """Log an event of one message after another, `RATE` a second, until ``stop`` is set; their ids."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    step = RATE // _TURNS
    poured: list[str] = []
    while not stop.is_set():
        place = len(poured) % len(keys)
        rows = await house.pool.fetch(_SETTLE, ACCOUNT, keys[place : place + step])
        poured += [row["event_id"] for row in rows]
        await asyncio.sleep(began + len(poured) / RATE - loop.time())
    return poured


def _more_than(count: int, hooks: list[Hook]) -> bool:
    return len(hooks) > count


async def _events_role(house: House, number: int, held: AsyncExitStack) -> asyncio.subprocess.Process:
    """The process as its supervisor starts it, after the death of the one before."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    environ |= {"POSTROOM_DATABASE_URL": house.dsn, "POSTROOM_ENS_ALLOW_PRIVATE": "1"}
    command = (sys.executable, "-P", "-m", "postroom.cli.main", "events", "--owner", f"here/events-1/{number}")
    process = await asyncio.create_subprocess_exec(
        *command, "--replaces", f"here/events-1/{number - 1}", env=environ, stderr=asyncio.subprocess.DEVNULL
    )

    async def end() -> None:
        if process.returncode is None:
            process.terminate()
        await process.wait()

    held.push_async_callback(end)
    return process


def _repeats(receiver: Receiver) -> tuple[int, int]:
    """Events beyond their first time: of all that came, and without the requests whose webhook-id had come before."""
    every, fresh = Counter[str](), Counter[str]()
    ids = set()
    for hook in receiver.hooks:
        told = [event["eventId"] for event in hook.events]
        every.update(told)
        if hook.headers["webhook-id"] not in ids:
            ids.add(hook.headers["webhook-id"])
            fresh.update(told)
    return every.total() - len(every), fresh.total() - len(fresh)


async def test_killed_at_the_worst_moment_it_sends_the_same_batch_again(house: House) -> None:
    keys = await house.accept_many(2_000)
    async with AsyncExitStack() as held:
        receiver = await held.enter_async_context(receiving(hang))
        await subscribe(house, receiver.url, types=(EMAIL_SENT,))
        await house.pool.execute(_SETTLE, ACCOUNT, keys[:300])
        process = await _events_role(house, 1, held)
        await receiver.told(300)
        kill_nine(process.pid)
        await process.wait()
        # Its successor finds more than there was.
        await house.pool.execute(_SETTLE, ACCOUNT, keys[300:])
        receiver.answer = agree
        await _events_role(house, 2, held)
        await receiver.told(2_300)
    assert [len(hook.events) for hook in receiver.hooks] == [300, 300, 1_000, 700]
    assert _repeats(receiver) == (300, 0)


async def test_killed_every_two_seconds_it_loses_nothing(house: House) -> None:
    keys = await house.accept_many(RATE)
    stop = asyncio.Event()
    async with AsyncExitStack() as held:
        receiver = await held.enter_async_context(receiving())
        await subscribe(house, receiver.url, types=(EMAIL_SENT,), batch=LARGEST)
        process = await _events_role(house, 1, held)
        pouring = asyncio.create_task(_pour(house, keys, stop))
        for number in range(KILLS):
            before = len(receiver.hooks)
            await receiver.until(partial(_more_than, before))
            await asyncio.sleep(SECONDS)
            kill_nine(process.pid)
            await process.wait()
            process = await _events_role(house, number + 2, held)
        stop.set()
        poured = await pouring
        await receiver.until(lambda hooks: hooks[-1].events[-1]["eventId"] == poured[-1])
    told = {event["eventId"] for hook in receiver.hooks for event in hook.events}
    assert told == set(poured)
    again, unknown = _repeats(receiver)
    print(
        f"{RATE} events/s, {KILLS} kills: {len(poured)} events, lost 0, came again {again} "
        f"({100 * again / len(poured):.3f} %), of them under another webhook-id {unknown}; "
        f"{len(receiver.hooks)} requests"
    )
    assert unknown == 0
    assert again <= KILLS * LARGEST
