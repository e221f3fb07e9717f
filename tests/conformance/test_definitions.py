"""What the state of a definition does to its queue (contract §3.6, §3.7, §4.3), and the size of that queue."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.conformance.house import ACCOUNT, SLICE_SIZE, Hand, House, people

from postroom.delivery.outcome import Deferred, Sent
from postroom.events.codes import StatusCode
from postroom.intake.backlog import QueueDepth, clear_queue, expire_queue, queue_depth
from postroom.intake.request import DefinitionUnknown

FOREVER = datetime(2000, 1, 1, tzinfo=UTC)


async def test_an_inactive_definition_queues_and_drains_when_active_again(house: House) -> None:
    paused = await house.define("paused", status="Inactive")
    keys = await house.accept_many(3, "paused")
    hand = Hand(house, "a")
    assert await hand.claim() == []
    await house.set_status(paused, "Active")
    await hand.work()
    assert await house.final() == dict.fromkeys(keys, ("sent", None))


async def test_pausing_in_the_middle_starts_nothing_over(house: House) -> None:
    paused = await house.define("paused")
    keys = await house.accept_many(3 * SLICE_SIZE, "paused")
    hand = Hand(house, "a")
    done = await hand.work(room=1)
    await house.set_status(paused, "Inactive")
    assert await hand.claim() == []
    await house.set_status(paused, "Active")
    rest = await hand.work()
    assert len(done) == SLICE_SIZE
    assert sorted(done + rest) == sorted(keys)
    assert await house.final() == dict.fromkeys(keys, ("sent", None))


async def test_a_deleted_definition_takes_nothing_more(house: House) -> None:
    await house.set_status(await house.define("gone"), "Deleted")
    with pytest.raises(DefinitionUnknown):
        await house.accept_many(1, "gone")
    assert await house.count("message") == 0


async def test_an_unknown_definition_fails_alone_in_its_group(house: House) -> None:
    with pytest.raises(DefinitionUnknown):
        await house.accept(people(["a"]), "nowhere")
    await house.accept(people(["a"]), "WELCOME")


async def test_clearing_ends_what_waits_and_leaves_others_alone(house: House) -> None:
    cleared = await house.define("cleared", status="Inactive")
    ended = await house.accept_many(250, "cleared")
    waiting = await house.accept_many(3)
    assert await clear_queue(house.pool, ACCOUNT, cleared, code=StatusCode.SUBSCRIBER_QUEUE_CLEARED) == 250
    assert await house.final() == dict.fromkeys(ended, ("not_sent", 39))
    assert await Hand(house, "a").work() == waiting


async def test_clearing_leaves_what_is_being_sent_to_its_worker(house: House) -> None:
    definition = await house.define("busy")
    keys = await house.accept_many(2 * SLICE_SIZE, "busy")
    hand = Hand(house, "a")
    slices = await hand.claim(room=1)
    loaded = await hand.load(slices)
    assert await clear_queue(house.pool, ACCOUNT, definition, code=StatusCode.SUBSCRIBER_QUEUE_CLEARED) == SLICE_SIZE
    await hand.settle(slices, loaded)
    final = await house.final()
    assert final == dict.fromkeys(keys[:SLICE_SIZE], ("sent", None)) | dict.fromkeys(
        keys[SLICE_SIZE:], ("not_sent", 39)
    )


async def test_clearing_does_not_end_what_a_dead_worker_has_finished(house: House) -> None:
    definition = await house.define("begun")
    keys = await house.accept_many(4, "begun")
    hand = Hand(house, "dead")
    slices = await hand.claim()
    loaded = await hand.load(slices)
    await hand.settle(slices, loaded, lambda message: Sent() if message.message_key == keys[0] else None)
    await house.expire_leases()
    assert await clear_queue(house.pool, ACCOUNT, definition, code=StatusCode.SUBSCRIBER_QUEUE_CLEARED) == 3
    assert await house.final() == {keys[0]: ("sent", None)} | dict.fromkeys(keys[1:], ("not_sent", 39))


async def test_what_waits_for_an_inactive_definition_expires_after_three_days(house: House) -> None:
    await house.define("paused", status="Inactive")
    old = await house.accept_many(2, "paused")
    active = await house.accept_many(1)
    await house.age(timedelta(hours=73))
    young = await house.accept_many(2, "paused")
    before = datetime.now(UTC) - timedelta(hours=72)
    assert await expire_queue(house.pool, ACCOUNT, inactive_before=before, any_before=FOREVER) == 2
    assert await house.final() == dict.fromkeys(old, ("not_sent", 139))
    assert await house.pool.fetchval("select sum(messages) from queue") == len(young) + len(active)


async def test_what_is_too_old_for_any_relay_expires_whatever_its_definition(house: House) -> None:
    keys = await house.accept_many(2)
    hand = Hand(house, "a")
    await hand.work(lambda message: Sent() if message.message_key == keys[0] else Deferred(code=421))
    await house.age(timedelta(hours=49))
    before = datetime.now(UTC) - timedelta(hours=48)
    assert await expire_queue(house.pool, ACCOUNT, inactive_before=FOREVER, any_before=before) == 1
    assert await house.final() == {keys[0]: ("sent", None), keys[1]: ("not_sent", 139)}
    assert await house.count("queue") == 0


async def test_the_depth_counts_what_is_accepted_and_not_finished(house: House) -> None:
    definition = await house.define("counted")

    async def depth() -> QueueDepth:
        return await queue_depth(house.pool, ACCOUNT, definition)

    assert await depth() == QueueDepth(0, 0)
    keys = await house.accept_many(3 * SLICE_SIZE, "counted")
    await house.accept(people([*keys[:2], *house.keys(2)]), "counted")  # two of these are duplicates
    await house.accept_many(7)
    assert (await depth()).count == 302

    hand = Hand(house, "a")
    slices = await hand.claim(room=1)
    loaded = await hand.load(slices)
    sent, deferred = set(keys[:30]), set(keys[30:40])

    def some(message: object) -> Sent | Deferred | None:
        key = message.message_key  # type: ignore[attr-defined]
        return Sent() if key in sent else Deferred(code=451) if key in deferred else None

    await hand.settle(slices, loaded, some)
    assert (await depth()).count == 272

    await house.age(timedelta(seconds=90))
    found = await depth()
    assert found.count == 272
    assert 90 <= found.age_seconds < 150
