"""A message without a value that its mail needs is not sent, code 103; its neighbours are."""

from tests.conformance.house import House
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import all_final, working


async def test_it_ends_alone_and_says_what_is_missing(house: House) -> None:
    await house.define("order", text="Your order %%OrderNumber%%")
    async with relay() as peer, working(house, peer) as office:
        await office.send(["whole"], "order", ordernumber="A-17")
        await office.send(["bare"], "order", Other="x")
        assert await all_final(house, 2) == {"whole": ("sent", None), "bare": ("not_sent", 103)}
    assert b"Your order A-17" in peer.bodies["whole"][0]
    assert "bare" not in peer.bodies
    reason = await house.pool.fetchval("select detail::json ->> 'reason' from event where status_code = 103")
    assert "OrderNumber" in reason
