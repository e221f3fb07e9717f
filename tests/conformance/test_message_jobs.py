"""Jobs over many messages: what each action does, to which messages, once, and what it leaves alone."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from tests.conformance.house import ACCOUNT, KEY_WINDOW, SLICE_SIZE, Hand, House, Person, people

from postroom.catalog.sending_options import SendingOptions
from postroom.delivery.outcome import Deferred, Outcome, Refused, Sent, Unknown
from postroom.events.search import Wanted
from postroom.intake import message_jobs
from postroom.intake.ledger import Ledger
from postroom.intake.message_jobs import (
    Action,
    MessageJob,
    cancel_job,
    confirm_job,
    count_job,
    find_job,
    keep_jobs,
    resent_messages,
    take_step,
)

OTHER = ACCOUNT + 1
_SOMEBODY_WAITS = """
select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')
"""
WELCOME = Wanted(definition_key="welcome")


async def counted(house: House, action: Action, wanted: Wanted = WELCOME, account_id: int = ACCOUNT) -> MessageJob:
    return await count_job(house.pool, account_id, action, wanted, new_id=uuid4(), requested_by="the test")


async def confirmed(house: House, action: Action, wanted: Wanted = WELCOME) -> UUID:
    job = await counted(house, action, wanted)
    running = await confirm_job(house.pool, ACCOUNT, job.job_id)
    assert running is not None
    assert running.state == "running"
    return job.job_id


async def step(house: House, job_id: UUID, at_once: int = 500) -> bool:
    ledger = Ledger(house.pool, key_window=KEY_WINDOW, slice_size=SLICE_SIZE)
    return await take_step(house.pool, ledger, ACCOUNT, job_id, at_once=at_once)


async def finish(house: House, job_id: UUID, at_once: int = 500) -> dict[str, int]:
    """Work on the job to its end; what became of messages, without zeros."""
    while await step(house, job_id, at_once):
        pass
    job = await find_job(house.pool, ACCOUNT, job_id)
    assert job is not None
    assert job.state == "finished"
    return {name: number for name, number in job.results.items() if number}


async def new_keys(house: House, job_id: UUID) -> dict[str, str]:
    """Old keys and new ones."""
    found = await resent_messages(house.pool, ACCOUNT, job_id, after=0, limit=1_000)
    assert [each.number for each in found] == list(range(1, len(found) + 1))
    return {each.message_key: each.resent_as for each in found}


async def test_it_is_counted_by_state_and_does_nothing_before_it_is_confirmed(house: House) -> None:
    await house.define("careful", sending=SendingOptions(on_unknown="hold"))
    outcomes: dict[str, Outcome] = {"h1": Unknown(), "s1": Sent(), "s2": Sent(), "n1": Refused(code=550)}
    await house.accept(people(list(outcomes)), "careful")
    await Hand(house, "w").work(lambda message: outcomes[message.message_key])
    keys = await house.accept_many(3, "careful")
    job = await counted(house, "cancel", Wanted(definition_key="CAREFUL"))
    assert (job.state, job.complete) == ("counted", True)
    assert job.matching == {"queued": 3, "held": 1, "sent": 2, "notSent": 1}
    assert not await step(house, job.job_id)
    assert await Hand(house, "w").work() == keys


async def test_more_than_are_counted_are_said_to_be_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_jobs, "MOST_COUNTED", 4)
    monkeypatch.setattr(message_jobs, "AT_ONCE", 2)
    await house.accept_many(7)
    job = await counted(house, "cancel")
    assert (job.matching["queued"], job.complete) == (4, False)
    await confirm_job(house.pool, ACCOUNT, job.job_id)
    assert await finish(house, job.job_id) == {"done": 7}


async def test_what_is_held_waits_until_it_is_released(house: House) -> None:
    keys = await house.accept_many(5)
    ann = Wanted(contact_key=f"c-{keys[1]}")
    assert await finish(house, await confirmed(house, "hold", ann)) == {"done": 1}
    assert await finish(house, await confirmed(house, "hold", ann)) == {"otherState": 1}
    assert await Hand(house, "w").work() == [keys[0], *keys[2:]]
    assert await finish(house, await confirmed(house, "release")) == {"done": 1, "otherState": 4}
    assert await Hand(house, "w").work() == [keys[1]]
    assert await house.finals_by_key() == dict.fromkeys(keys, 1)
    assert await house.count("queue") == 0


async def test_retry_makes_due_what_waits_for_its_time_and_not_what_is_held(house: House) -> None:
    await house.define("careful", sending=SendingOptions(on_unknown="hold"))
    keys = await house.accept_many(3, "careful")
    await Hand(house, "w").work(lambda message: Unknown() if message.message_key == keys[0] else Deferred())
    assert await Hand(house, "w").work() == []
    job_id = await confirmed(house, "retry", Wanted(definition_key="careful"))
    assert await finish(house, job_id) == {"done": 2, "otherState": 1}
    assert await Hand(house, "w").work() == keys[1:]


async def test_cancel_ends_what_waits_and_nothing_that_is_over(house: House) -> None:
    sent = await house.accept_many(1)
    await Hand(house, "w").work()
    deferred = await house.accept_many(2)
    await Hand(house, "w").work(lambda _: Deferred())
    fresh = await house.accept_many(2)
    assert await finish(house, await confirmed(house, "cancel")) == {"done": 4, "otherState": 1}
    assert await house.final() == {sent[0]: ("sent", None)} | dict.fromkeys(deferred + fresh, ("not_sent", 39))
    assert await house.count("queue") == 0


@pytest.mark.parametrize("action", ["hold", "cancel", "retry"])
async def test_what_a_worker_has_is_left_to_it(house: House, action: Action) -> None:
    keys = await house.accept_many(3)
    hand = Hand(house, "w")
    slices = await hand.claim()
    loaded = await hand.load(slices)
    assert await finish(house, await confirmed(house, action)) == {"claimed": 3}
    await hand.settle(slices, loaded)
    assert await house.final() == dict.fromkeys(keys, ("sent", None))


async def test_a_claim_that_commits_while_the_job_waits_for_its_slice_wins(house: House) -> None:
    await house.accept_many(2)
    job_id = await confirmed(house, "cancel")
    async with house.pool.acquire() as claiming:
        claim = claiming.transaction()
        await claim.start()
        await claiming.execute(
            "update queue set lease_owner = 'w', leased_until = now() + interval '1 minute', fence = 1"
        )
        work = asyncio.create_task(finish(house, job_id))
        async with asyncio.timeout(20):
            while not await house.pool.fetchval(_SOMEBODY_WAITS):  # noqa: ASYNC110 - the server alone can tell
                await asyncio.sleep(0.01)
        await claim.commit()
    assert await work == {"claimed": 2}
    assert await house.final() == {}


@pytest.mark.parametrize("action", ["cancel", "hold"])
async def test_the_outcomes_of_a_worker_whose_lease_ran_out_do_not_count_beside_the_job(
    house: House, action: Action
) -> None:
    keys = await house.accept_many(3)
    late = Hand(house, "late")
    slices = await late.claim()
    loaded = await late.load(slices)
    await house.expire_leases()
    wanted = Wanted(contact_key=f"c-{keys[1]}")
    assert await finish(house, await confirmed(house, action, wanted)) == {"done": 1}
    await late.settle(slices, loaded)
    assert await house.final() == ({keys[1]: ("not_sent", 39)} if action == "cancel" else {})
    assert await Hand(house, "next").work() == [keys[0], keys[2]]
    await finish(house, await confirmed(house, "release"))
    assert await Hand(house, "next").work() == ([] if action == "cancel" else [keys[1]])
    assert await house.finals_by_key() == dict.fromkeys(keys, 1)


async def test_a_resent_message_is_the_old_one_with_a_key_of_its_own(house: House) -> None:
    name = msgspec.Raw(b'{"Name": "Ann"}')
    long_key = "k" * 100
    await house.accept([Person("ann", "ann@example.com", "order-1", name), Person("ben", "ben@example.com", long_key)])
    await Hand(house, "w").work(lambda message: Sent() if message.message_key == "order-1" else Refused(code=550))
    waiting = await house.accept_many(1)
    await house.pool.execute("update definition set version_id = version_id + 1000")
    job_id = await confirmed(house, "resend")
    assert await finish(house, job_id) == {"done": 2, "otherState": 1}
    keys = await new_keys(house, job_id)
    assert keys["order-1"].startswith("order-1~")
    assert keys[long_key].startswith("k" * 77 + "~")
    assert len(keys[long_key]) == 100
    rows = await house.pool.fetch(
        "select m.message_key, m.contact_key, m.address, m.attributes, r.version_id, q.lane from message m "
        "join send_request r using (account_id, request_id) join queue q using (account_id, request_id) "
        "where m.message_key = any($1) order by m.position",
        list(keys.values()),
    )
    version_id = await house.pool.fetchval("select max(version_id) from definition_version")
    assert [tuple(row) for row in rows] == [
        (keys["order-1"], "ann", "ann@example.com", '{"Name": "Ann"}', version_id, 1),
        (keys[long_key], "ben", "ben@example.com", None, version_id, 1),
    ]
    assert sorted(await Hand(house, "w").work()) == sorted([*keys.values(), *waiting])
    assert set((await house.finals_by_key()).values()) == {1}


async def test_a_resend_never_meets_its_own_messages(house: House) -> None:
    keys = await house.accept_many(6)
    await Hand(house, "w").work()
    job_id = await confirmed(house, "resend")
    while await step(house, job_id, at_once=2):
        await Hand(house, "w").work()
    assert await finish(house, job_id) == {"done": 6}
    assert set(await new_keys(house, job_id)) == set(keys)
    assert await house.count("message") == 12


async def test_what_was_erased_or_has_no_definition_any_more_is_not_resent(house: House) -> None:
    gone = await house.define("gone")
    keys = await house.accept_many(2)
    old = await house.accept_many(1, "gone")
    await Hand(house, "w").work()
    await house.pool.execute(
        "update message set contact_key = '', address = '', attributes = null where message_key = $1", keys[0]
    )
    await house.set_status(gone, "Deleted")
    job_id = await confirmed(house, "resend", Wanted(status="sent"))
    assert await finish(house, job_id) == {"done": 1, "erased": 1, "definitionGone": 1}
    assert set(await new_keys(house, job_id)) == {keys[1]}
    assert old[0] not in await new_keys(house, job_id)


@pytest.mark.parametrize("action", ["resend", "cancel"])
async def test_after_kill_nine_it_goes_on_and_nothing_is_done_twice(
    house: House, action: Action, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = await house.accept_many(7)
    if action == "resend":
        await Hand(house, "w").work()
    job_id = await confirmed(house, action)
    assert await step(house, job_id, at_once=3)
    with monkeypatch.context() as dying:
        work = message_jobs._work

        async def die(*arguments: Any) -> Any:
            await work(*arguments)
            raise ConnectionResetError

        dying.setattr(message_jobs, "_work", die)
        with pytest.raises(ConnectionResetError):
            await step(house, job_id, at_once=3)
    both = await asyncio.gather(*(finish_or_leave(house, job_id) for _ in range(2)))
    assert any(both)
    assert await finish(house, job_id) == {"done": 7}
    if action == "resend":
        assert set(await new_keys(house, job_id)) == set(keys)
        assert await house.count("message") == 14
    assert await house.finals_by_key() == dict.fromkeys(keys, 1)


async def finish_or_leave(house: House, job_id: UUID) -> bool:
    """Work until the job is over or another is at it; whether anything was left after a step."""
    steps = 0
    while await step(house, job_id, at_once=1):
        steps += 1
    return steps > 0


async def test_cancelled_half_way_it_does_no_more(house: House) -> None:
    keys = await house.accept_many(4)
    job_id = await confirmed(house, "cancel")
    assert await step(house, job_id, at_once=2)
    job = await cancel_job(house.pool, ACCOUNT, job_id)
    assert job is not None
    assert (job.state, job.results["done"]) == ("cancelled", 2)
    assert not await step(house, job_id)
    again = await confirm_job(house.pool, ACCOUNT, job_id)
    assert again is not None
    assert again.state == "cancelled"
    assert await Hand(house, "w").work() == keys[:2]


async def test_when_it_is_over_it_names_nobody_and_is_forgotten_later(house: House) -> None:
    await house.accept_many(1)
    wanted = Wanted(address="m1@example.com", contact_key="c-m1")
    job_id = await confirmed(house, "hold", wanted)
    await finish(house, job_id)
    cancelled = await counted(house, "hold", wanted)
    await cancel_job(house.pool, ACCOUNT, cancelled.job_id)
    waiting = await counted(house, "hold", wanted)
    rows = await house.pool.fetch("select address, contact_key from message_job order by counted_at")
    assert [tuple(row) for row in rows] == [(None, None), (None, None), ("m1@example.com", "c-m1")]
    await house.pool.execute("update message_job set counted_at = counted_at - $1::interval", timedelta(hours=25))
    await house.pool.execute("update message_job set ended_at = now() - interval '31 days' where job_id = $1", job_id)
    announced: list[int] = []
    told = asyncio.Event()

    async def announce(account_id: int) -> None:
        announced.append(account_id)
        told.set()

    ledger = Ledger(house.pool, key_window=KEY_WINDOW, slice_size=SLICE_SIZE)
    keeping = asyncio.create_task(keep_jobs(house.pool, ledger, announce=announce, every=0.02))
    async with asyncio.timeout(20):
        while await find_job(house.pool, ACCOUNT, waiting.job_id) is not None:  # noqa: ASYNC110 - the row tells
            await asyncio.sleep(0.01)
        assert await find_job(house.pool, ACCOUNT, job_id) is None
        assert await find_job(house.pool, ACCOUNT, cancelled.job_id) is not None
        last = await confirmed(house, "release")
        await told.wait()
    keeping.cancel()
    assert await finish(house, last) == {"done": 1}
    assert announced == [ACCOUNT]


async def test_tenant_isolation_a_job_reaches_no_message_of_another_business_unit(house: House) -> None:
    await house.open_account(OTHER)
    await house.define("welcome", account_id=OTHER)
    keys = await house.accept_many(2)
    await house.accept(people(["other"]), account_id=OTHER)
    job = await counted(house, "cancel")
    assert job.matching["queued"] == 2
    for reach in (find_job, confirm_job, cancel_job):
        assert await reach(house.pool, OTHER, job.job_id) is None
    assert await resent_messages(house.pool, OTHER, job.job_id, after=0, limit=10) == []
    await confirm_job(house.pool, ACCOUNT, job.job_id)
    assert await finish(house, job.job_id) == {"done": 2}
    assert await house.final() == dict.fromkeys(keys, ("not_sent", 39))
    assert await house.pool.fetchval("select sum(messages) from queue where account_id = $1", OTHER) == 1
    assert await house.pool.fetchval("select count(*) from event where account_id = $1", OTHER) == 0
