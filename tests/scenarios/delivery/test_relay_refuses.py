"""The relay says 5xx: the message is not sent, code 101, and never tried again; its neighbours go out."""

from datetime import UTC, datetime

from tests.conformance.house import ACCOUNT, House
from tests.scenarios.delivery.relay import TAKEN, relay
from tests.scenarios.delivery.workers import all_final, working

from postroom.events.status import message_status


async def test_a_refused_message_is_final(house: House) -> None:
    good, bad = house.keys(5), house.keys(5)

    def decide(key: str, _attempt: int) -> str:
        return "550 5.1.1 no such user" if key in bad else TAKEN

    async with relay(decide) as peer, working(house, peer) as office:
        await office.send([*good, *bad])
        found = await all_final(house, 10)
    assert found == dict.fromkeys(good, ("sent", None)) | dict.fromkeys(bad, ("not_sent", 101))
    assert all(len(peer.bodies[key]) == 1 for key in bad)
    status = await message_status(house.pool, ACCOUNT, bad[0], since_hours=72, now=datetime.now(UTC))
    assert status is not None
    assert (status.status_code, status.status_message) == (101, "Failure")
    detail = await house.pool.fetchval("select detail::json ->> 'reply' from event where kind = 'not_sent' limit 1")
    assert "no such user" in detail
