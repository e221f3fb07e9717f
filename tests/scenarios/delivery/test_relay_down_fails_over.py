"""A route with several relays: the next one takes over at once, and the first is back when it answers again."""

import time
from pathlib import Path
from typing import Any

from tests.conformance.house import House, Person
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import all_final, until, working

TABLE = """
[[rule]]
domain = "slow.test"
route = "alone"

[[rule]]
route = "relays"

[route.relays]
relays = [
    "smtp://127.0.0.1:{first}?tls=off",
    {{url = "smtp://127.0.0.1:{second}?tls=off", priority = 2}},
]

[route.alone]
relays = ["smtp://127.0.0.1:{third}?tls=off"]
"""


def table(folder: Path, first: int, second: int, third: int = 9) -> dict[str, Any]:
    """The settings of a worker with these relays."""
    file = folder / "routes.toml"
    file.write_text(TABLE.format(first=first, second=second, third=third))
    return {"delivery": "routes", "routes": file}


async def test_the_next_takes_over_and_the_first_comes_back(house: House, tmp_path: Path) -> None:
    async with (
        relay() as first,
        relay() as second,
        working(house, first, **table(tmp_path, first.port, second.port)) as office,
    ):
        both = house.keys(5)
        await office.send(both)
        await all_final(house, 5)
        assert (first.taken.total(), second.taken.total()) == (5, 0), "the second is a spare"

        await first.close()
        lost = house.keys(200)
        began = time.monotonic()
        await office.send(lost)
        assert (await all_final(house, 205))[lost[0]] == ("sent", None)
        assert time.monotonic() - began < 10
        for key in lost:
            assert await house.kinds(key) == ["sent"], "a relay that was not reached is no attempt"
        assert second.taken.total() == 200

        await first.listen()

        async def back() -> bool:
            (key,) = house.keys(1)
            await office.send([key])
            await all_final(house, 1)
            return first.taken[key] == 1

        await until(back)


async def test_a_relay_that_breaks_off_again_and_again_is_left(house: House, tmp_path: Path) -> None:
    def broken(_key: str, _attempt: int) -> str:
        return "421 4.3.0 I am going down"

    async with (
        relay(broken) as first,
        relay() as second,
        working(house, first, **table(tmp_path, first.port, second.port)) as office,
    ):
        keys = house.keys(100)
        await office.send(keys)
        assert await all_final(house, 100) == dict.fromkeys(keys, ("sent", None))
    assert second.taken.total() == 100
    assert len(first.order) < 60, "it is tried a few times, not by every message"


async def test_while_all_relays_of_a_route_are_away_others_go_and_its_own_use_no_attempt(
    house: House, tmp_path: Path
) -> None:
    async with relay() as first, relay() as second, relay() as third:
        await third.close()
        settings = table(tmp_path, first.port, second.port, third.port)
        async with working(house, first, claim_messages=40, **settings) as office:
            await to_domain(house, "slow.test", 300)
            keys = house.keys(100)
            await office.send(keys)

            async def through() -> bool:
                return set(await house.final()) == set(keys)

            await until(through)
            assert (first.taken.total(), second.taken.total()) == (100, 0)
            await third.listen()
            await all_final(house, 400)
    assert third.taken.total() == 300
    assert await house.pool.fetchval("select count(*) from event") == 400, "no attempt was made while it was away"


async def to_domain(house: House, domain: str, count: int) -> None:
    """Accept one request for so many people of a domain."""

    keys = house.keys(count)
    await house.accept([Person(f"c-{key}", f"{key}@{domain}", key) for key in keys])
