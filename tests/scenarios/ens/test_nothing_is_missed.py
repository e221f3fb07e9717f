"""The place in the log: late commits, pauses, replays, deaths of the process, endpoints that are away for long."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tests.conformance.house import ACCOUNT, House
from tests.scenarios.ens.receiver import (
    Hook,
    agree,
    events_worker,
    hang,
    receiving,
    refuse,
    send,
    subscribe,
    telling,
)

from postroom.events.callbacks import replay_callback
from postroom.events.subscriptions import EMAIL_NOT_SENT, EMAIL_SENT, change_subscription, subscriptions_of


async def test_event_that_commits_late_under_a_lower_number_is_told(house: House) -> None:
    async with receiving() as receiver, telling(events_worker(house)):
        await subscribe(house, receiver.url)
        await send(house, ["seed"])
        await receiver.told(1)
        late = house.pool.acquire()
        connection = await late
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(
            """insert into event (account_id, occurred_on, occurred_at, request_id, position, definition_id, kind)
               select account_id, occurred_on, now(), request_id, position, definition_id, kind from event"""
        )
        await send(house, ["early"])
        # Its number is higher, and it is committed: it waits for the one that may still come before it.
        await asyncio.sleep(0.5)
        assert receiver.keys() == ["seed"]
        await transaction.commit()
        await house.pool.release(connection)
        assert await receiver.told(3) == ["seed", "seed", "early"]
    numbers = [int(event["eventId"]) for hook in receiver.hooks for event in hook.events]
    assert numbers == sorted(numbers)


async def test_what_occurs_in_a_pause_is_dropped_until_a_replay_asks_for_it(house: House) -> None:
    began = datetime.now(UTC) - timedelta(minutes=1)

    async def set_status(callback_id: UUID, status: str) -> None:
        (subscription,) = await subscriptions_of(house.pool, ACCOUNT, callback_id)
        await change_subscription(
            house.pool,
            ACCOUNT,
            subscription.subscription_id,
            event_types=[EMAIL_SENT, EMAIL_NOT_SENT],
            filters=None,
            name=None,
            status="paused" if status == "paused" else "active",
            status_reason=None,
        )

    async with receiving() as receiver, telling(events_worker(house)):
        callback_id = await subscribe(house, receiver.url)
        await send(house, ["before"])
        await receiver.told(1)
        await set_status(callback_id, "paused")
        await send(house, ["paused"])
        await set_status(callback_id, "active")
        await send(house, ["after"])
        assert await receiver.told(2) == ["before", "after"]
        first = [event["eventId"] for hook in receiver.hooks for event in hook.events]
        assert await replay_callback(house.pool, ACCOUNT, callback_id, began)
        assert await receiver.told(5) == ["before", "after", "before", "paused", "after"]
        again = [event["eventId"] for hook in receiver.hooks for event in hook.events][2:]
        assert [again[0], again[2]] == first


async def test_events_wait_while_the_endpoint_is_down_and_come_in_order(house: House) -> None:
    keys = [f"k{number}" for number in range(5)]
    async with receiving(refuse) as receiver, telling(events_worker(house, longest=0.1)):
        await subscribe(house, receiver.url)
        for key in keys:
            await send(house, [key])
        await receiver.until(lambda hooks: len(hooks) > 6)
        receiver.answer = agree
        await receiver.until(lambda hooks: "k4" in [event["info"]["messageKey"] for event in hooks[-1].events])
        await asyncio.sleep(0.3)
        # Taken, and so not sent once more.
        count = len(receiver.hooks)
        await send(house, ["last"])
        await receiver.until(lambda hooks: len(hooks) > count)
    assert [event["info"]["messageKey"] for event in receiver.hooks[-1].events] == ["last"]


async def test_successor_takes_over_from_a_dead_process_at_once(house: House) -> None:
    async with receiving(hang) as receiver:
        await subscribe(house, receiver.url)
        await send(house, ["k1"])
        stop = asyncio.Event()
        dead = asyncio.create_task(events_worker(house, owner="first").run(stop))
        await receiver.until(lambda hooks: len(hooks) == 1)

        async def answer(_hook: Hook, _writer: asyncio.StreamWriter) -> bytes:
            return b"HTTP/1.1 204 No Content\r\n\r\n"

        receiver.answer = answer
        # The first still holds its lease for 15 s, and its request is still open.
        async with telling(events_worker(house, owner="second", replaces="first")):
            async with asyncio.timeout(5):
                await receiver.told(2)
            await send(house, ["k2"])
            assert await receiver.told(3) == ["k1", "k1", "k2"]
        assert len({hook.headers["webhook-id"] for hook in receiver.hooks[:2]}) == 1
        dead.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await dead


async def test_two_processes_tell_each_event_once(house: House) -> None:
    keys = [f"k{number}" for number in range(20)]
    async with (
        receiving() as receiver,
        telling(events_worker(house, owner="one")),
        telling(events_worker(house, owner="two")),
    ):
        await subscribe(house, receiver.url)
        for key in keys:
            await send(house, [key])
        assert await receiver.told(20) == keys


async def test_an_event_is_given_up_after_seven_days_unless_replayed(house: House) -> None:
    async with receiving() as receiver:
        callback_id = await subscribe(house, receiver.url)
        await send(house, ["old"])
        nine_days = "now() - interval '9 days'"
        await house.pool.execute(f"update callback set events_from = {nine_days}, patient_from = {nine_days}")
        await house.pool.execute("update subscription set events_from = now() - interval '9 days'")
        await house.pool.execute("select ensure_day_partitions((now() - interval '8 days')::date, now()::date)")
        await house.pool.execute(
            "update event set occurred_on = (now() - interval '8 days')::date, occurred_at = now() - interval '8 days'"
        )
        async with telling(events_worker(house)):
            await send(house, ["new"])
            assert await receiver.told(1) == ["new"]
            assert await replay_callback(house.pool, ACCOUNT, callback_id, datetime.now(UTC) - timedelta(days=9))
            assert await receiver.told(3) == ["new", "old", "new"]
