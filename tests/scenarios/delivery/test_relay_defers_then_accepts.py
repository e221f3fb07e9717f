"""The relay says 4xx at first: the message stays queued, and the same bytes are taken later."""

from datetime import UTC, datetime

from tests.conformance.house import ACCOUNT, House
from tests.scenarios.delivery.relay import TAKEN, relay
from tests.scenarios.delivery.workers import all_final, working

from postroom.events.status import message_status


async def test_a_deferred_message_is_tried_again_with_the_same_bytes(house: House) -> None:
    keys = house.keys(20)
    slow = set(keys[::2])

    def decide(key: str, attempt: int) -> str:
        return "451 4.2.1 come back later" if key in slow and attempt < 3 else TAKEN

    async with relay(decide) as peer, working(house, peer) as office:
        await office.send(keys)
        assert await all_final(house, len(keys)) == dict.fromkeys(keys, ("sent", None))
        for key in keys:
            tries = 3 if key in slow else 1
            assert await house.kinds(key) == [*["deferred"] * (tries - 1), "sent"]
            assert len(peer.bodies[key]) == tries
            assert len(set(peer.bodies[key])) == 1
    detail = await house.pool.fetchval("select detail::json ->> 'reply' from event where kind = 'deferred' limit 1")
    assert "come back later" in detail
    status = await message_status(house.pool, ACCOUNT, keys[0], since_hours=72, now=datetime.now(UTC))
    assert status is not None
    assert status.kind == "sent"
