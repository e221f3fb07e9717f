"""A message that is given back without an attempt: it comes again in its time, as if it had never been claimed."""

from datetime import UTC, datetime, timedelta

from tests.conformance.house import ACCOUNT, SCHEDULE, Hand, House

from postroom.bounces.verdict import read_rules
from postroom.delivery.outcome import Deferred, Sent
from postroom.delivery.record import Recorder
from postroom.delivery.settle import Settler
from postroom.delivery.slices import Slice
from postroom.events.put_offs import PutOff


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
