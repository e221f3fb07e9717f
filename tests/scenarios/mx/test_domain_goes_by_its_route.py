"""Rules by domain, definition and business unit: relays for some mail, MX hosts for the rest, by one worker."""

from pathlib import Path
from typing import Any

from tests.conformance.house import House
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import all_final, until
from tests.scenarios.mx.internet import internet, working
from tests.scenarios.mx.test_hosts_that_cannot_be_reached import LATER

from postroom.catalog.sending_options import SendingOptions

TABLE = """
[[rule]]
domain = ["partner.test", "*.partner.test"]
route = "partner"

[[rule]]
definition = "code"
route = "codes"

[[rule]]
route = "internet"

[route.partner]
relays = ["smtp://127.0.0.1:{partner}?tls=off"]

[route.codes]
relays = ["smtp://127.0.0.1:{codes}?tls=off"]

[route.internet]
mx = true
"""


def table(folder: Path, partner: int, codes: int) -> dict[str, Any]:
    file = folder / "routes.toml"
    file.write_text(TABLE.format(partner=partner, codes=codes))
    return {"delivery": "routes", "routes": file}


async def test_each_mail_takes_the_way_of_its_first_rule(house: House, tmp_path: Path) -> None:
    await house.define("code")
    await house.define("picky", sending=SendingOptions(route="codes"))
    async with internet() as net, relay() as partner, relay() as codes:
        host = await net.host("mx.one.test")
        net.domain("one.test", "mx.one.test")
        async with working(house, net, **table(tmp_path, partner.port, codes.port)) as office:
            await office.send(["a@one.test", "b@partner.test", "c@sub.partner.test"])
            await office.send(["d@one.test", "e@partner.test"], "code")
            await office.send(["f@one.test", "g@partner.test"], "picky")
            assert set((await all_final(house, 7)).values()) == {("sent", None)}
    assert sorted(host.taken) == ["a@one.test"]
    assert sorted(partner.taken) == ["b", "c", "e"]
    assert sorted(codes.taken) == ["d", "f", "g"], "the definition's own choice passes by the rules"


async def test_copies_take_their_own_way(house: House, tmp_path: Path) -> None:
    await house.define("copied", cc=("cc@one.test",), bcc=("bcc@partner.test", "two@sub.partner.test"))
    async with internet() as net, relay() as partner, relay() as codes:
        host = await net.host("mx.one.test")
        net.domain("one.test", "mx.one.test")
        async with working(house, net, **table(tmp_path, partner.port, codes.port)) as office:
            await office.send(["a@one.test"], "copied")
            assert set((await all_final(house, 1)).values()) == {("sent", None)}
            await office.send(["b@partner.test"], "copied")
            assert set((await all_final(house, 2)).values()) == {("sent", None)}
    assert sorted(host.transactions) == [("a@one.test", "cc@one.test"), ("cc@one.test",)]
    assert len(partner.order) == 2, "recipients by one relay are one transaction"
    details = await house.pool.fetch("select detail::jsonb -> 'refused' as refused from event")
    assert [row["refused"] for row in details] == [None, None]


async def test_a_route_that_is_gone_defers_and_says_so(house: House, tmp_path: Path) -> None:
    await house.define("lost", sending=SendingOptions(route="nowhere"))
    async with internet() as net, relay() as partner, relay() as codes:
        await net.host("mx.one.test")
        async with working(house, net, schedule=LATER, **table(tmp_path, partner.port, codes.port)) as office:
            (key,) = await office.send(["a@one.test"], "lost")

            async def deferred() -> bool:
                return await house.kinds(key) == ["deferred"]

            await until(deferred)
    reply = await house.pool.fetchval("select detail::jsonb ->> 'reply' from event")
    assert reply == "its definition wants the route 'nowhere', which POSTROOM_ROUTES does not have"
