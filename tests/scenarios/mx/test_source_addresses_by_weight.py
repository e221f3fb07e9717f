"""A source pool: connections come from its addresses by weight, each under its own name."""

from pathlib import Path

from tests.conformance.house import House
from tests.scenarios.delivery.workers import all_final
from tests.scenarios.mx.internet import internet, working

TABLE = """
[[rule]]
route = "internet"

[route.internet]
mx = true
source = "pool"

[source.pool]
addresses = [
    {ip = "127.0.1.1", helo = "out1.example.com", weight = 3},
    {ip = "127.0.1.2"},
    {ip = "192.0.2.1", weight = 50},
]
"""
ONE_EACH = """
[default]
connections = 1
messages = 1
"""


async def test_each_address_gets_its_share_and_says_its_name(house: House, tmp_path: Path) -> None:
    routes, shaping = tmp_path / "routes.toml", tmp_path / "shaping.toml"
    routes.write_text(TABLE)
    shaping.write_text(ONE_EACH)
    async with internet() as net:
        host = await net.host("mx.one.test")
        net.domain("one.test", "mx.one.test")
        async with working(house, net, delivery="routes", routes=routes, shaping=shaping) as office:
            keys = await office.send(f"p{number}@one.test" for number in range(40))
            assert await all_final(house, 40) == dict.fromkeys(keys, ("sent", None))
    assert host.peers == {"127.0.1.1": 30, "127.0.1.2": 10}, "and none from an address of another machine"
    assert host.names == {("127.0.1.1", "out1.example.com"), ("127.0.1.2", "mail.example.com")}
    rows = await house.pool.fetch("select detail::jsonb ->> 'source' as source, count(*) from event group by 1")
    assert {row["source"]: row["count"] for row in rows} == {"127.0.1.1": 30, "127.0.1.2": 10}
