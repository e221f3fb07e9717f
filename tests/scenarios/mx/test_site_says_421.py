"""A host says 421: the mail is sent again later, and the site is fed less."""

from tests.conformance.house import House
from tests.scenarios.delivery.workers import all_final
from tests.scenarios.mx.internet import internet, working


async def test_what_was_put_off_by_421_arrives_once(house: House) -> None:
    def busy_at_first(_recipient: str, attempt: int) -> str:
        return "451 4.7.1 slow down" if attempt == 1 else "250 2.0.0 taken"

    async with internet() as net:
        host = await net.host("mx.one.test", answer=busy_at_first)
        net.domain("one.test", "mx.one.test")
        async with working(house, net) as office:
            keys = await office.send(f"p{number}@one.test" for number in range(12))
            assert await all_final(house, 12) == dict.fromkeys(keys, ("sent", None))
            for key in keys:
                assert await house.kinds(key) == ["deferred", "sent"]
    assert set(host.taken.values()) == {1}
