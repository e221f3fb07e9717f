"""Rows that the database refuses for good: they end, and nothing waits for them."""

import asyncio
from collections import Counter
from collections.abc import Mapping

from structlog.testing import capture_logs
from tests.conformance.house import ACCOUNT, Hand, House
from tests.conformance.refusing import DENIED, NUL, refusing

from postroom.delivery.claimer import Claimer
from postroom.delivery.lanes import Lanes
from postroom.delivery.loading import Loaded
from postroom.delivery.outcome import Deferred, Outcome, Refused, Sent
from postroom.delivery.slices import Message, Slice
from postroom.events.codes import StatusCode
from postroom.intake.backlog import clear_queue
from postroom.metrics.counts import Counts
from postroom.metrics.declared import OUTCOMES, REFUSALS


async def work(house: House, ends: int) -> list[dict[str, object]]:
    """Let a claimer and a settler work, as in a worker, until so many messages have ended; what the log says."""
    hand = Hand(house, "w")
    taken: list[tuple[list[Slice], Loaded]] = []
    came = asyncio.Event()

    def loaded(slices: list[Slice], found: Loaded) -> None:
        taken.append((slices, found))
        came.set()

    claimer = Claimer(
        house.pool,
        hand.queue,
        hand.loader,
        waiting=Lanes().waiting,
        lane_messages=4_000,
        slice_size=100,
        ready=lambda: True,
        held=lambda: (),
        loaded=loaded,
    )
    with capture_logs() as log:
        claimer.announce(ACCOUNT)
        running = asyncio.create_task(claimer.run())
        try:
            async with asyncio.timeout(20):
                while len(await house.final()) < ends:
                    await came.wait()
                    came.clear()
                    while taken:
                        await hand.settle(*taken.pop(0))
                while claimer.loading:  # noqa: ASYNC110 - what is left of the claim is given back
                    await asyncio.sleep(0.01)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    return [dict(line) for line in log]


def told(log: list[dict[str, object]], event: str) -> list[object]:
    """The message keys of the lines of one kind; each of them names a SQLSTATE and what to do."""
    lines = [line for line in log if line["event"] == event]
    assert all(line["log_level"] == "error" and line["sqlstate"] and line["remedy"] for line in lines)
    return [line.get("message_key") for line in lines]


async def test_a_message_whose_contact_is_refused_ends_and_the_others_of_its_slice_are_sent(house: House) -> None:
    keys = await house.accept_many(30)
    more = await house.accept_many(5)
    async with refusing(house, "contact", f"new.contact_key = 'c-{keys[17]}'"):
        log = await work(house, 35)
    final = await house.final()
    assert final.pop(keys[17]) == ("not_sent", StatusCode.ERROR)
    assert Counter(final.values()) == {("sent", None): 34}
    assert set(final) == {*keys, *more} - {keys[17]}
    assert await house.count("queue") == 0
    assert told(log, "message_not_loaded") == [keys[17]]
    detail = await house.pool.fetchval("select detail from event where status_code = 100")
    assert NUL in detail


async def test_a_missing_right_ends_no_message_and_the_others_go_on(house: House) -> None:
    keys = await house.accept_many(3)
    more = await house.accept_many(5)
    async with refusing(house, "contact", f"new.contact_key = 'c-{keys[1]}'", DENIED):
        log = await work(house, 5)
    assert set(await house.final()) == set(more)
    assert len(told(log, "slices_put_off")) == 1
    row = await house.pool.fetchrow("select lease_owner, due_at > now() + interval '30 seconds' as later from queue")
    assert row is not None
    assert (row["lease_owner"], row["later"]) == (None, True)
    assert await house.pool.fetchval("select reason from put_off order by occurred_at desc limit 1") == "database"
    await house.make_due()
    assert await Hand(house, "w").work() == keys


async def test_a_right_that_is_missing_for_all_ends_none_and_is_told_once_a_claim(house: House) -> None:
    for _ in range(20):
        await house.accept_many(2)
    hand = Hand(house, "w")
    claimer = Claimer(
        house.pool, hand.queue, hand.loader, waiting=Lanes().waiting, lane_messages=4_000, slice_size=100,
        ready=lambda: True, held=lambda: (), loaded=lambda _slices, _loaded: None,
    )  # fmt: skip
    async with refusing(house, "contact", "true", DENIED):
        with capture_logs() as log:
            claimer.announce(ACCOUNT)
            running = asyncio.create_task(claimer.run())
            async with asyncio.timeout(20):
                while await house.pool.fetchval("select count(*) from queue where due_at <= now()"):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    assert len(told([dict(line) for line in log], "slices_put_off")) == 1
    assert (await house.final(), await house.count("queue")) == ({}, 20)


async def test_a_slice_that_can_not_be_claimed_ends_and_the_others_of_its_lane_are_claimed(house: House) -> None:
    keys = [(await house.accept_many(1))[0] for _ in range(6)]
    condition = "new.lease_owner is not null and new.slice_id = 3"
    async with refusing(house, "queue", condition, "23514", on="update"):
        log = await work(house, 6)
    final = await house.final()
    assert final.pop(keys[2]) == ("not_sent", StatusCode.ERROR)
    assert set(final.values()) == {("sent", None)}
    assert await house.count("queue") == 0
    assert len(told(log, "slice_not_claimed")) == 1


async def settle(
    house: House, outcomes: Mapping[str, Outcome], counts: Counts | None = None
) -> tuple[list[dict[str, object]], list[Slice]]:
    hand = Hand(house, "w")
    slices = await hand.claim()
    loaded = await hand.load(slices)

    def outcome(message: Message) -> Outcome:
        return outcomes.get(message.message_key, Sent())

    with capture_logs() as log:
        async with asyncio.timeout(20):
            over = await hand.settle(slices, loaded, outcome, counts=counts)
    return [dict(line) for line in log], over


async def test_evidence_that_is_refused_is_left_out_and_the_mail_counts_as_sent(house: House) -> None:
    keys = await house.accept_many(40)
    more = await house.accept_many(1)
    counts = Counts()
    async with refusing(house, "event", "new.detail like '%poison%'"):
        log, over = await settle(
            house, {keys[5]: Sent(code=250, text="250 poison"), keys[6]: Refused(code=550, text="poison")}, counts
        )
    assert await house.final() == dict.fromkeys([*keys, *more], ("sent", None)) | {keys[6]: ("not_sent", 101)}
    assert len(over) == 2
    assert await house.count("queue") == 0
    assert told(log, "outcome_written_without_texts") == [keys[5], keys[6]]
    row = await house.pool.fetchval("select detail from event where detail like '%as it was%' and kind = 'sent'")
    assert '"code":250' in row
    assert NUL in row
    taken = counts.take()
    assert (taken[OUTCOMES, ("sent",)], taken[OUTCOMES, ("not_sent",)]) == (40, 1)
    assert taken[REFUSALS, ("settle", "value")] == 2


async def test_an_outcome_that_is_refused_in_every_form_is_held_and_nobody_sends_the_mail_again(house: House) -> None:
    keys = await house.accept_many(8)
    async with refusing(house, "event", "new.position = 3"):
        log, over = await settle(house, {})
        assert told(log, "outcome_not_written_message_held") == [keys[3]]
        assert len(over) == 1
        await house.expire_leases()
        assert await Hand(house, "v").claim() == []
    assert set(await house.final()) == {*keys} - {keys[3]}
    row = await house.pool.fetchrow("select positions, due_at = 'infinity' as held, lease_owner from queue")
    assert row is not None
    assert tuple(row.values()) == ([3], True, None)
    assert await house.pool.fetchval("select reason from put_off order by occurred_at desc limit 1") == "notRecorded"


async def test_an_attempt_that_can_not_be_written_is_made_again_all_the_same(house: House) -> None:
    keys = await house.accept_many(4)
    async with refusing(house, "event", "new.kind = 'deferred'"):
        log, _ = await settle(house, {keys[1]: Deferred(code=451)})
    assert told(log, "attempt_not_written") == [keys[1]]
    assert set(await house.final()) == {*keys} - {keys[1]}
    await house.make_due()
    assert await Hand(house, "w").work() == [keys[1]]


async def test_a_message_that_can_not_be_queued_again_ends(house: House) -> None:
    keys = await house.accept_many(4)
    async with refusing(house, "queue", "new.attempt > 0", "23514"):
        log, over = await settle(house, {keys[1]: Deferred(code=451)})
    assert told(log, "not_queued_again") == [keys[1]]
    assert (await house.final())[keys[1]] == ("not_sent", StatusCode.ERROR)
    assert (len(over), await house.count("queue")) == (1, 0)


async def test_a_suppression_that_is_refused_is_left_out_and_the_outcome_is_written(house: House) -> None:
    keys = await house.accept_many(4)
    refused = Refused(code=550, enhanced="5.1.1", text="550 5.1.1 no such user")
    async with refusing(house, "suppression", f"new.address = '{keys[1]}@example.com'"):
        log, _ = await settle(house, {keys[1]: refused, keys[2]: refused})
    assert told(log, "suppression_left_out") == [keys[1]]
    assert (await house.final())[keys[1]] == ("not_sent", 101)
    assert await house.pool.fetchval("select array_agg(address) from suppression") == [f"{keys[2]}@example.com"]


async def test_a_settlement_without_rights_waits_and_is_written_when_they_are_given(house: House) -> None:
    """Nothing ends by it and nothing is forgotten; meanwhile nothing more is sent for the business unit."""
    keys = await house.accept_many(6)
    guard = refusing(house, "event", "true", DENIED)
    await guard.__aenter__()
    hand = Hand(house, "w")
    slices = await hand.claim()
    loaded = await hand.load(slices)
    with capture_logs() as log:
        settling = asyncio.create_task(hand.settle(slices, loaded))
        async with asyncio.timeout(20):
            while not any(line["event"] == "settlement_refused" for line in log):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert await house.final() == {}
        await guard.__aexit__(None, None, None)
        async with asyncio.timeout(20):
            await settling
    assert told([dict(line) for line in log], "settlement_refused")
    assert await house.final() == dict.fromkeys(keys, ("sent", None))


async def test_a_slice_that_can_not_be_cleared_stays_and_the_others_are_cleared(house: House) -> None:
    keys = [(await house.accept_many(1))[0] for _ in range(9)]
    definition_id = await house.pool.fetchval("select definition_id from definition")
    async with refusing(house, "queue", "old.slice_id = 4", on="delete"):
        with capture_logs() as log:
            ended = await clear_queue(house.pool, ACCOUNT, definition_id, code=StatusCode.SUBSCRIBER_QUEUE_CLEARED)
    assert (ended, await house.count("queue")) == (8, 1)
    assert set(await house.final()) == {*keys} - {keys[3]}
    assert len(told([dict(line) for line in log], "slice_not_ended")) == 1
