"""Claims, leases and fencing (design: crash rules 2 to 5)."""

import asyncio
from datetime import timedelta

import pytest
from tests.conformance.house import ACCOUNT, Hand, House

from postroom.delivery.outcome import Deferred, Sent
from postroom.delivery.slices import Message


async def test_two_workers_never_hold_the_same_slice(house: House) -> None:
    for _ in range(6):
        await house.accept_many(450)
    held: list[int] = []

    async def claim_on(hand: Hand) -> None:
        while slices := await hand.claim(room=2):
            held.extend(each.slice_id for each in slices)

    await asyncio.gather(*(claim_on(Hand(house, f"worker-{n}")) for n in range(8)))
    assert len(held) == len(set(held)) == 6 * 5


async def test_a_claim_names_owner_and_fence_and_is_not_claimable(house: House) -> None:
    await house.accept_many(3)
    (claimed,) = await Hand(house, "a").claim()
    assert (claimed.fence, claimed.attempt) == (1, 0)
    row = await house.pool.fetchrow("select lease_owner, fence, leased_until > now() as leased from queue")
    assert row is not None
    assert tuple(row) == ("a", 1, True)
    assert await Hand(house, "b").claim() == []


async def test_the_longest_due_is_claimed_first(house: House) -> None:
    first, second = await house.accept_many(1), await house.accept_many(1)
    hand = Hand(house, "a")
    for expected in (first, second):
        loaded = await hand.load(await hand.claim(room=1))
        assert [message.message_key for message in loaded.messages] == expected


async def test_a_lease_that_ran_out_is_claimable_by_anybody(house: House) -> None:
    keys = await house.accept_many(5)
    (lost,) = await Hand(house, "dead").claim()
    await house.expire_leases()
    hand = Hand(house, "alive")
    (claimed,) = await hand.claim()
    assert (claimed.slice_id, claimed.fence) == (lost.slice_id, lost.fence + 1)
    assert [message.message_key for message in (await hand.load([claimed])).messages] == keys


async def test_a_settlement_of_a_lost_lease_changes_nothing(house: House) -> None:
    keys = await house.accept_many(5)
    slow, quick = Hand(house, "slow"), Hand(house, "quick")
    slices = await slow.claim()
    loaded = await slow.load(slices)
    await house.expire_leases()
    taken = await quick.claim()
    taken_loaded = await quick.load(taken)

    await slow.settle(slices, loaded, lambda _: Deferred(code=451))
    assert slices[0].lost
    assert await house.count("event") == 0
    assert await house.count("queue") == 1

    await quick.settle(taken, taken_loaded)
    assert await house.final() == dict.fromkeys(keys, ("sent", None))
    assert await house.count("queue") == 0


async def test_a_lease_that_ran_out_but_nobody_took_can_still_be_settled(house: House) -> None:
    keys = await house.accept_many(2)
    hand = Hand(house, "a")
    slices = await hand.claim()
    loaded = await hand.load(slices)
    await house.expire_leases()
    await hand.settle(slices, loaded)
    assert await house.final() == dict.fromkeys(keys, ("sent", None))


async def test_a_slice_claimed_again_skips_what_is_finished(house: House) -> None:
    keys = await house.accept_many(6)
    hand = Hand(house, "dies")
    slices = await hand.claim()
    loaded = await hand.load(slices)
    done = set(keys[::2])
    await hand.settle(slices, loaded, lambda message: Sent() if message.message_key in done else None)
    await house.expire_leases()

    assert sorted(await Hand(house, "next").work()) == sorted(set(keys) - done)
    assert await house.final() == dict.fromkeys(keys, ("sent", None))


async def test_a_slice_whose_messages_are_all_finished_is_over_without_an_attempt(house: House) -> None:
    await house.accept_many(2)
    hand = Hand(house, "dies")
    slices = await hand.claim()
    loaded = await hand.load(slices)
    slices[0].outstanding += 1  # it died between the last outcome and the settlement that deletes the slice
    await hand.settle(slices, loaded)
    assert await house.count("queue") == 1
    await house.expire_leases()
    assert await Hand(house, "next").work() == []
    assert await house.count("queue") == 0
    assert await house.count("event") == 2


async def test_what_was_deferred_becomes_a_slice_of_its_own_due_later(house: House) -> None:
    keys = await house.accept_many(6)
    later = {keys[1], keys[4]}

    def half(message: Message) -> Sent | Deferred:
        return Deferred(code=451) if message.message_key in later else Sent()

    hand = Hand(house, "a")
    await hand.work(half)
    row = await house.pool.fetchrow(
        "select positions, messages, attempt, fence, lease_owner, due_at > now() + interval '40 seconds' as later,"
        " leased_until <= now() as free from queue"
    )
    assert row is not None
    assert tuple(row) == ([1, 4], 2, 1, 0, None, True, True)
    assert await hand.claim() == []
    await house.make_due()
    assert sorted(await hand.work()) == sorted(later)
    assert await house.final() == dict.fromkeys(keys, ("sent", None))
    assert await house.kinds(keys[1]) == ["deferred", "sent"]
    assert await house.count("queue") == 0


async def test_the_age_of_a_deferred_message_counts_from_its_accept(house: House) -> None:
    keys = await house.accept_many(1)
    hand = Hand(house, "a")
    await hand.work(lambda _: Deferred(code=451))
    await house.make_due()
    await house.age(timedelta(hours=25))
    await hand.work(lambda _: Deferred(code=451))
    assert await house.final() == {keys[0]: ("not_sent", 139)}
    assert await house.count("queue") == 0


async def test_a_renewed_lease_stays_and_a_lost_one_is_told(house: House) -> None:
    await house.accept_many(1)
    await house.accept_many(1)
    hand = Hand(house, "a")
    kept, lost = await hand.claim()
    await house.pool.execute("update queue set leased_until = '-infinity' where slice_id = $1", lost.slice_id)
    await Hand(house, "b").claim()
    await house.pool.execute("update queue set leased_until = now() + interval '1 second'")
    before = kept.valid_until
    await hand.queue.renew([kept, lost])
    assert (kept.lost, lost.lost) == (False, True)
    assert kept.valid_until >= before
    left = await house.pool.fetch("select slice_id from queue where leased_until > now() + interval '30 seconds'")
    assert [row["slice_id"] for row in left] == [kept.slice_id]


async def test_a_stopped_or_dead_worker_is_released_by_name(house: House) -> None:
    await house.accept_many(1)
    await house.accept_many(1)
    dead, alive = Hand(house, "dead"), Hand(house, "alive")
    (first,) = await dead.claim(room=1)
    (second,) = await alive.claim(room=1)
    await alive.queue.release_owner("dead")
    assert [each.slice_id for each in await alive.claim()] == [first.slice_id]
    row = await house.pool.fetchrow("select lease_owner, fence from queue where slice_id = $1", second.slice_id)
    assert row is not None
    assert tuple(row) == ("alive", 1)


async def test_renewing_and_settling_at_once_never_deadlocks(house: House) -> None:
    """Both lock many slices of one worker; a deadlock would cost a second and end one of them."""
    hand = Hand(house, "a")
    for _ in range(5):
        await asyncio.gather(*(house.accept_many(1) for _ in range(60)))
        slices = await hand.claim()
        loaded = await hand.load(slices)
        backwards = list(reversed(slices))
        renewals = (hand.queue.renew(backwards) for _ in range(3))
        await asyncio.gather(*renewals, hand.settle(slices, loaded), hand.queue.renew(slices))
    deadlocks = await house.pool.fetchval("select deadlocks from pg_stat_database where datname = current_database()")
    assert deadlocks == 0
    assert await house.count("queue") == 0


@pytest.mark.parametrize("size", [1, 10, 11, 2_000])
async def test_small_requests_and_batches_have_lanes_of_their_own(house: House, size: int) -> None:
    await house.accept_many(size)
    (lane,) = await Hand(house, "a").queue.due_lanes(ACCOUNT)
    assert lane.key.lane == (0 if size <= 10 else 1)
    assert await house.pool.fetchval("select sum(messages) from queue") == size
