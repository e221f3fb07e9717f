"""A template that uses up a limit of the settings: its message is not sent and says which; the others go out."""

from tests.conformance.house import House
from tests.scenarios.delivery.relay import TAKEN, relay
from tests.scenarios.delivery.workers import all_final, working

TEMPLATE = "%%[ FOR @i = 1 TO Times DO ]%%x%%[ NEXT ]%%"


async def test_the_message_fails_with_the_code_of_the_limit(house: House) -> None:
    await house.define("loop", text=TEMPLATE)
    async with relay(lambda _key, _attempt: TAKEN) as peer, working(house, peer, template_steps=7) as office:
        await office.send(["within"], "loop", Times=7)
        await office.send(["beyond"], "loop", Times=8)
        assert await all_final(house, 2) == {"within": ("sent", None), "beyond": ("not_sent", 103)}
    detail = await house.pool.fetchval("select detail::text from event where kind = 'not_sent'")
    assert "more than 7 steps" in detail
    assert "[StepLimit]" in detail
