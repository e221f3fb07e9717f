"""A one-time code does not wait behind a newsletter (design: fairness)."""

import asyncio
from uuid import UUID

import pytest
from tests.conformance.house import ACCOUNT, SLICE_SIZE, Hand, House, people

from postroom.delivery.claimer import Claimer
from postroom.delivery.lanes import Lanes
from postroom.delivery.loading import Loaded
from postroom.delivery.slices import LaneKey, Slice

LANE_MESSAGES = 1_000


@pytest.mark.parametrize("same_definition", [True, False])
async def test_a_single_send_is_in_the_next_claim_after_a_backlog_of_20000(house: House, same_definition: bool) -> None:
    for _ in range(10):
        await house.accept_many(2_000)
    code = "welcome"
    if not same_definition:
        code = "one-time-code"
        await house.define(code)
    hand = Hand(house, "a")
    lanes, arrived = Lanes(), asyncio.Event()

    def loaded(_slices: list[Slice], found: Loaded) -> None:
        for message in found.messages:
            lanes.offer(message.slice.key, (message,))
        arrived.set()

    claimer = Claimer(
        house.pool,
        hand.queue,
        hand.loader,
        waiting=lanes.waiting,
        lane_messages=LANE_MESSAGES,
        slice_size=SLICE_SIZE,
        ready=lambda: True,
        held=lambda: (),
        loaded=loaded,
    )
    working = asyncio.create_task(claimer.run())
    async with asyncio.timeout(20):
        await arrived.wait()
        batches = LaneKey(ACCOUNT, _only_definition(lanes), 1)
        while lanes.waiting(batches) <= LANE_MESSAGES // 2:
            arrived.clear()
            await arrived.wait()
        backlog = await house.pool.fetchval("select sum(messages) from queue where fence = 0")
        assert backlog >= 20_000 - LANE_MESSAGES

        arrived.clear()
        await house.accept(people(["the-code"]), code)
        claimer.announce(ACCOUNT)
        await arrived.wait()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)

    assert lanes.waiting(batches) <= LANE_MESSAGES
    turns = [lanes.take() for _ in range(2)]
    assert "the-code" in [message.message_key for message in turns if message is not None]


def _only_definition(lanes: Lanes) -> UUID:
    message = lanes.take()
    assert message is not None
    lanes.put_back(message.slice.key, message)
    return message.slice.definition_id
