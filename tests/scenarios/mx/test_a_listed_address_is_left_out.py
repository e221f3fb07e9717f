"""A host takes connections from all our addresses and no mail from one that is on a list: others carry the mail."""

from pathlib import Path

import msgspec
from tests.conformance.house import House
from tests.scenarios.delivery.workers import all_final, until
from tests.scenarios.mx.internet import internet, working

TABLE = """
[[rule]]
route = "internet"

[route.internet]
mx = true
source = "pool"

[source.pool]
addresses = ["127.0.1.1", "127.0.1.2", "127.0.1.3"]
"""
LISTED = "554 5.7.1 Service unavailable; Client host [127.0.1.1] blocked using zen.spamhaus.org"
TOO_NEW = "421 4.7.1 mail from your IP has been temporarily blocked, its reputation is poor"


async def test_the_mail_goes_from_another_address_and_else_waits(house: House, tmp_path: Path) -> None:
    routes = tmp_path / "routes.toml"
    routes.write_text(TABLE)
    async with internet() as net:
        picky, easy, closed = [await net.host(f"mx.{name}.test") for name in ("picky", "easy", "closed")]
        for name in ("picky", "easy", "closed"):
            net.domain(f"{name}.test", f"mx.{name}.test")
        picky.listed = {"127.0.1.1": ("RCPT", LISTED), "127.0.1.2": ("MAIL", TOO_NEW)}
        closed.listed = {f"127.0.1.{n}": ("RCPT", LISTED) for n in (1, 2, 3)}
        async with working(house, net, delivery="routes", routes=routes) as office:
            keys = await office.send(f"p{n}@{'easy' if n % 2 else 'picky'}.test" for n in range(40))
            assert await all_final(house, 40) == dict.fromkeys(keys, ("sent", None))
            for key in keys:
                assert await house.kinds(key) == ["sent"], "that an address is not wanted is no attempt of a message"
            assert picky.peers == {"127.0.1.3": 20}
            assert picky.callers["127.0.1.1"] <= 5 >= picky.callers["127.0.1.2"], "no more than began together"
            assert len(easy.peers) == 3, "no other site notices"
            keys = await office.send(["nobody@closed.test"])

            async def deferred() -> bool:
                return await house.kinds(keys[0]) == ["deferred"]

            await until(deferred)
            assert sorted(closed.callers) == ["127.0.1.1", "127.0.1.2", "127.0.1.3"]
    detail = msgspec.json.decode(await house.pool.fetchval("select detail from event where kind = 'deferred'"))
    assert (detail["code"], detail["stage"], detail["reply"]) == (554, "rcpt", LISTED)
    assert await house.pool.fetchval("select count(*) from suppression") == 0
