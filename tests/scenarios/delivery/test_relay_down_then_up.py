"""The relay is away when messages come: they wait without an attempt, and go out once when it is back."""

from tests.conformance.house import ACCOUNT, House
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import all_final, until, working

from postroom.events.timeline import message_timeline


async def test_nothing_is_lost_or_counted_as_an_attempt(house: House) -> None:
    keys = house.keys(50)
    async with relay() as peer:
        await peer.close()
        async with working(house, peer) as office:
            await office.send(keys)

            async def claimed() -> bool:
                return bool(await house.pool.fetchval("select exists (select from queue where fence > 0)"))

            await until(claimed)
            await until(office.relay_is_away)
            assert await house.count("event") == 0
            await peer.listen()
            assert await all_final(house, 50) == dict.fromkeys(keys, ("sent", None))
        assert peer.taken == dict.fromkeys(keys, 1)
        assert [await house.kinds(key) for key in keys] == [["sent"]] * 50
    timeline = await message_timeline(house.pool, ACCOUNT, keys[0])
    assert timeline is not None
    (away,) = timeline.standstills
    assert (away.kind, away.relay.startswith("smtp://127.0.0.1:")) == ("relayAway", True)
    assert away.until is not None
    assert timeline.accepted_at <= away.until <= timeline.steps[0].event.occurred_at
    assert "Connect call failed" in away.reply
    (sent,) = timeline.steps
    claimed, composed = sent.detail["took"]
    assert claimed >= composed >= 0
