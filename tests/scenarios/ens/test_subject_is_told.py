"""From the relay's 250 to the webhook: the subject as it was sent, and how long it takes."""

import time

from tests.conformance.house import House
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import working
from tests.scenarios.ens.receiver import events_worker, receiving, subscribe, telling

AT_LEAST = 20


async def test_the_rendered_subject_is_told_within_a_moment(house: House) -> None:
    async with (
        relay() as peer,
        receiving() as receiver,
        working(house, peer) as office,
        telling(events_worker(house)),
    ):
        await subscribe(house, receiver.url)
        waits = []
        for number in range(AT_LEAST):
            await office.send([f"k{number}"])
            await receiver.told(number + 1)
            event = receiver.hooks[-1].events[-1]
            waits.append(time.time() - event["timestampUTC"] / 1000)
        assert event["info"]["renderedSubject"] == "Hello"
        assert sorted(waits)[AT_LEAST // 2] < 0.3
