"""A warm-up: so many messages a day from the new addresses; the rest goes by others, or waits for tomorrow."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.house import House
from tests.scenarios.delivery.workers import all_final, until
from tests.scenarios.dkim.domains import make_domain
from tests.scenarios.mx.internet import internet, working

TABLE = """
[[rule]]
route = "internet"

[route.internet]
mx = true
source = "new"

[source.new]
addresses = ["127.0.1.1"]
warm_up = {{since = {since}, per_day = [8, 100000]}}
{overflow}

[source.old]
addresses = ["127.0.1.2"]
"""


def table(folder: Path, overflow: str = "") -> dict[str, Any]:
    """The settings of a worker on the first day of a warm-up."""
    file = folder / "routes.toml"
    file.write_text(TABLE.format(since=datetime.now(UTC).date(), overflow=overflow))
    return {"delivery": "routes", "routes": file}


async def test_what_is_beyond_it_waits_for_the_next_day_without_an_attempt(house: House, tmp_path: Path) -> None:
    await house.pool.execute("delete from warm_up_count")
    async with internet() as net:
        one = await net.host("mx.one.test")
        two = await net.host("mx.two.test")
        for name in ("one", "two"):
            net.domain(f"{name}.test", f"mx.{name}.test")
        await house.define("named", text="Hello %%FirstName%%")
        async with working(house, net, **table(tmp_path)) as office:
            nameless = await office.send((f"n{number}@one.test" for number in range(5)), "named")
            assert await all_final(house, 5) == dict.fromkeys(nameless, ("not_sent", 103)), "they must not count"
            await office.send(f"p{number}@one.test" for number in range(30))

            async def waits() -> bool:
                waiting = await house.pool.fetchval(
                    "select sum(messages) from queue where due_at > now() and leased_until <= now()"
                )
                return one.taken.total() == 8 and waiting == 22

            await until(waits)
            due = await house.pool.fetchval("select distinct date_trunc('minute', due_at) from queue")
            assert due.astimezone(UTC).time().isoformat("minutes") == "00:00"
            keys = await office.send(["else@two.test"])

            async def through() -> bool:
                return keys[0] in await house.final()

            await until(through)
        assert (one.taken.total(), two.taken.total()) == (8, 1), "each site has its own warm-up"
        assert await house.pool.fetchval("select messages from warm_up_count where site = 'mx.one.test'") == 8
        assert await house.pool.fetchval("select sum(attempt) from queue") == 0

        # A restart changes nothing, and tomorrow's limit is tomorrow's.
        async with working(house, net, **table(tmp_path)) as office:
            await house.make_due()
            await until(waits)
        await house.pool.execute("update warm_up_count set day = day - 1")
        await house.make_due()
        async with working(house, net, **table(tmp_path)) as office:

            async def more() -> bool:
                return one.taken.total() == 16

            await until(more)


async def test_what_is_beyond_it_goes_by_another_pool_where_one_is_named(house: House, tmp_path: Path) -> None:
    await house.pool.execute("delete from warm_up_count")
    async with internet() as net:
        host = await net.host("mx.one.test")
        net.domain("one.test", "mx.one.test")
        async with working(house, net, **table(tmp_path, 'overflow = "old"')) as office:
            keys = await office.send(f"p{number}@one.test" for number in range(30))
            assert await all_final(house, 30) == dict.fromkeys(keys, ("sent", None))
    assert host.peers == {"127.0.1.1": 8, "127.0.1.2": 22}


@pytest.mark.parametrize("signed", [False, True])
async def test_what_a_site_refuses_from_the_new_addresses_goes_by_the_other_pool_at_once(
    house: House, tmp_path: Path, signed: bool
) -> None:
    if signed:
        await make_domain(house, "example.com", "rsa")
    await house.pool.execute("delete from warm_up_count")
    listed = "550 5.7.1 Client host [127.0.1.1] blocked using zen.spamhaus.org"
    async with internet() as net:
        lists, closed, both = [await net.host(f"mx.{name}.test") for name in ("lists", "closed", "both")]
        for name in ("lists", "closed", "both"):
            net.domain(f"{name}.test", f"mx.{name}.test")
        lists.listed = {"127.0.1.1": ("RCPT", listed)}
        closed.unwanted = {"127.0.1.1": "554 5.7.1 not from you"}
        both.unwanted = dict.fromkeys(("127.0.1.1", "127.0.1.2"), "554 5.7.1 not from you")
        await house.define("copied", cc=("cc@closed.test",))
        async with working(house, net, **table(tmp_path, 'overflow = "old"')) as office:
            keys = await office.send(f"p{n}@{'closed' if n % 2 else 'lists'}.test" for n in range(60))
            keys += await office.send(["to@lists.test"], "copied")
            assert await all_final(house, 61) == dict.fromkeys(keys, ("sent", None))
            for key in keys:
                assert await house.kinds(key) == ["sent"], "no attempt is counted"
            (key,) = await office.send(["nobody@both.test"])

            async def deferred() -> bool:
                return await house.kinds(key) == ["deferred"]

            await until(deferred)
    assert lists.peers == {"127.0.1.2": 31}
    assert closed.peers == {"127.0.1.2": 31}
    assert max(lists.callers["127.0.1.1"], closed.callers["127.0.1.1"]) <= 5, "no more than began together"
    counted = await house.pool.fetchval("select coalesce(sum(messages), 0) from warm_up_count where source = 'new'")
    assert counted == 0, "what was not taken does not use up the warm-up"
