"""The relay is away: what a worker has claimed and can't send is given back, so that it can be cleared or paused."""

from tests.conformance.house import ACCOUNT, House
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import until, working

from postroom.events.codes import StatusCode
from postroom.intake.backlog import clear_queue


async def test_what_waits_for_the_relay_can_be_cleared(house: House) -> None:
    keys = house.keys(50)
    async with relay() as peer:
        await peer.close()
        async with working(house, peer, lease_seconds=1) as office:
            await office.send(keys)

            async def given_back() -> bool:
                return bool(
                    await house.pool.fetchval(
                        "select exists (select from queue where fence > 0 and leased_until < now())"
                    )
                )

            await until(given_back)
            definition_id = await house.pool.fetchval("select definition_id from queue limit 1")
            code = StatusCode.SUBSCRIBER_QUEUE_CLEARED
            assert await clear_queue(house.pool, ACCOUNT, definition_id, code=code) == 50
            await peer.listen()
            later = house.keys(1)
            await office.send(later)

            async def sent() -> bool:
                return peer.taken == {later[0]: 1}

            await until(sent)
        assert await house.final() == dict.fromkeys(keys, ("not_sent", 39)) | {later[0]: ("sent", None)}
