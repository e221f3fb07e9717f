"""The relay vanishes between our final dot and its answer: recorded as unknown, and sent again byte for byte."""

from tests.conformance.house import House
from tests.scenarios.delivery.relay import TAKEN, VANISH, relay
from tests.scenarios.delivery.workers import all_final, working


async def test_the_outcome_is_unknown_and_then_sent(house: House) -> None:
    keys = house.keys(10)
    lost = set(keys[:3])

    def decide(key: str, attempt: int) -> str:
        return VANISH if key in lost and attempt == 1 else TAKEN

    async with relay(decide) as peer, working(house, peer) as office:
        await office.send(keys)
        assert await all_final(house, len(keys)) == dict.fromkeys(keys, ("sent", None))
    for key in keys:
        assert await house.kinds(key) == (["unknown", "sent"] if key in lost else ["sent"])
        first, *again = peer.bodies[key]
        assert again == ([first] if key in lost else [])
        assert b"Message-ID: <" in first
