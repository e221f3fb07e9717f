"""A message that is given back: it comes again in its time, whatever becomes of the rest of its slice."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

from tests.conformance.house import ACCOUNT, SCHEDULE, Hand, House
from tests.conformance.test_settlement import Troubled

from postroom.bounces.verdict import read_rules
from postroom.delivery.outcome import Deferred, Sent
from postroom.delivery.record import Recorder
from postroom.delivery.settle import Settler
from postroom.delivery.slices import Message, Slice
from postroom.events.put_offs import PutOff
from postroom.store.pool import Pool


async def test_postponed_messages_come_again_without_event_or_attempt(house: House) -> None:
    keys = await house.accept_many(6)
    hand = Hand(house, "first")
    slices = await hand.claim()
    loaded = await hand.load(slices)
    over: list[Slice] = []
    settler = Settler(house.pool, interval=0.0, settled=over.append)
    now = datetime.now(UTC)
    recorder = Recorder(settler, SCHEDULE, rules=read_rules(), now=lambda: now, clock=lambda: 0.0, rand=lambda: 0.5)
    soon = now + timedelta(minutes=7)
    for number, message in enumerate(loaded.messages):
        if number < 2:
            recorder.outcome(message, Sent())
        elif number < 4:
            recorder.outcome(message, Deferred(code=451))
        else:
            recorder.postpone(message, soon + timedelta(minutes=number), PutOff("siteBusy", "mx1"))
    settler.start()
    await settler.close()
    assert over == slices
    rows = await house.pool.fetch(
        "select positions, attempt, due_at from queue where account_id = $1 order by attempt", ACCOUNT
    )
    assert [(len(row["positions"]), row["attempt"]) for row in rows] == [(2, 0), (2, 1)]
    assert rows[0]["due_at"] == soon + timedelta(minutes=4), "the earliest of them"
    assert await house.kinds(loaded.messages[5].message_key) == []
    await house.make_due()
    again = Hand(house, "second")
    assert len(await again.work()) == 4
    assert await house.final() == dict.fromkeys(keys, ("sent", None))


SLOW = PutOff("siteBusy", "mx.slow.test")


async def part(hand: Hand, messages: Sequence[Message], pool: "Troubled | None" = None) -> None:
    """Defer the first of these, postpone the second, and queue both by themselves, while the others are under way."""
    settler = Settler(cast(Pool, pool or hand.pool), interval=0.0, settled=lambda slice_: None)
    recorder = Recorder(
        settler, SCHEDULE, rules=read_rules(), now=lambda: datetime.now(UTC), clock=lambda: 0.0, rand=lambda: 0.5
    )
    recorder.outcome(messages[0], Deferred(code=451))
    recorder.postpone(messages[1], datetime.now(UTC) + timedelta(minutes=5), SLOW)
    recorder.part(messages[0].slice, at_once=True)
    settler.start()
    await settler.close()


async def test_a_part_is_sent_while_another_worker_has_the_rest_of_the_slice(house: House) -> None:
    keys = await house.accept_many(6)
    slow = Hand(house, "slow")
    slices = await slow.claim()
    loaded = await slow.load(slices)
    await part(slow, loaded.messages)
    rows = await house.pool.fetch(
        "select positions, messages, attempt, lease_owner, due_at > now() as later from queue order by slice_id"
    )
    assert [tuple(row) for row in rows] == [
        ([2, 3, 4, 5], 4, 0, "slow", False),
        ([1], 1, 0, None, True),
        ([0], 1, 1, None, True),
    ]
    await house.make_due()
    assert sorted(await Hand(house, "quick").work()) == sorted(keys[:2])
    assert await house.final() == dict.fromkeys(keys[:2], ("sent", None))
    # The slow one never comes back: its lease runs out, and only what it still had is sent by somebody else.
    await house.expire_leases()
    assert sorted(await Hand(house, "third").work()) == sorted(keys[2:])
    assert await house.finals_by_key() == dict.fromkeys(keys, 1)
    assert await house.count("queue") == 0


async def test_a_slice_can_be_parted_again_and_then_be_over(house: House) -> None:
    keys = await house.accept_many(6)
    hand = Hand(house, "a")
    slices = await hand.claim()
    loaded = await hand.load(slices)
    await part(hand, loaded.messages[:2])
    await part(hand, loaded.messages[2:4])
    loaded.messages[:] = loaded.messages[4:]
    assert await hand.settle(slices, loaded) == slices
    rows = await house.pool.fetch("select positions, attempt from queue order by slice_id")
    assert [tuple(row) for row in rows] == [([1], 0), ([0], 1), ([3], 0), ([2], 1)]
    await house.make_due()
    assert len(await hand.work()) == 4
    assert await house.final() == dict.fromkeys(keys, ("sent", None))


async def test_a_lost_answer_queues_no_part_twice(house: House) -> None:
    keys = await house.accept_many(3)
    hand = Hand(house, "a")
    loaded = await hand.load(await hand.claim())
    await part(hand, loaded.messages, Troubled(house.pool, after=2))
    assert await house.kinds(keys[0]) == ["deferred"]
    rows = await house.pool.fetch("select positions from queue order by slice_id")
    assert [row["positions"] for row in rows] == [[2], [1], [0]]


async def test_what_a_late_worker_gives_back_does_not_count(house: House) -> None:
    keys = await house.accept_many(3)
    late = Hand(house, "late")
    loaded = await late.load(await late.claim())
    await house.expire_leases()
    again = Hand(house, "again")
    assert len(await again.claim()) == 1
    await part(late, loaded.messages)
    assert await house.count("queue") == 1
    assert loaded.messages[0].slice.lost
    assert await house.kinds(keys[0]) == []


async def test_a_site_with_room_calls_back_what_waits_for_it_and_nothing_else(house: House) -> None:
    await house.accept_many(6)
    hand = Hand(house, "a")
    loaded = await hand.load(await hand.claim())
    await part(hand, loaded.messages[:2])
    await part(hand, loaded.messages[2:4])
    assert await hand.queue.call_back(ACCOUNT, "mx.other.test", 10) == 0
    assert await hand.queue.call_back(ACCOUNT + 1, "mx.slow.test", 10) == 0
    assert await hand.queue.call_back(ACCOUNT, "mx.slow.test", 1) == 1
    (first,) = await Hand(house, "b").claim()
    assert await hand.queue.call_back(ACCOUNT, "mx.slow.test", 10) == 1, "what is claimed need not be called"
    rows = await house.pool.fetch("select positions from queue where due_at > now() order by slice_id")
    assert [row["positions"] for row in rows] == [[0], [2]], "the deferred wait for their time"
    assert first.attempt == 0
