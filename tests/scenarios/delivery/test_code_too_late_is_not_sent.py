"""A one-time code with deliverBefore: tried while it is of use, and never after."""

import time

from tests.conformance.house import House
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import all_final, working

from postroom.catalog.sending_options import SendingOptions


async def test_attempts_end_with_its_time(house: House) -> None:
    await house.define("code", sending=SendingOptions(deliver_before=2, retry_schedule="0.3s"))
    (key,) = house.keys(1)
    tried: list[float] = []

    def decide(_key: str, _attempt: int) -> str:
        tried.append(time.monotonic())
        return "451 4.3.0 later"

    async with relay(decide) as peer, working(house, peer) as office:
        began = time.monotonic()
        await office.send([key], "code")
        assert await all_final(house, 1) == {key: ("not_sent", 139)}
        ended = time.monotonic()
    assert len(tried) >= 2
    assert max(tried) - began < 2.2
    assert 1.9 < ended - began < 6, "it ends when its time has passed, not with the queue's age limit"
    *attempts, last = await house.kinds(key)
    assert set(attempts) == {"deferred"}
    assert last == "not_sent"


async def test_one_that_waits_for_a_relay_that_is_away_ends_without_an_attempt(house: House) -> None:
    await house.define("code", sending=SendingOptions(deliver_before=1))
    (key,) = house.keys(1)
    async with relay() as peer:
        await peer.close()
        async with working(house, peer, lease_seconds=1) as office:
            await office.send([key], "code")
            await house.pool.execute("update queue set accepted_at = accepted_at - interval '2 seconds'")
            await peer.listen()
            assert await all_final(house, 1) == {key: ("not_sent", 139)}
        assert peer.order == []
