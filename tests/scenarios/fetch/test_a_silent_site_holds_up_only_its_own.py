"""A template asks a site that never answers: all other mail goes on, that which asks another site too."""

import asyncio
from contextlib import AsyncExitStack

from tests.conformance.house import House
from tests.scenarios.delivery.relay import TAKEN, relay
from tests.scenarios.delivery.workers import until, working
from tests.scenarios.fetch.web import Web, ok, web

SILENT = [f"silent-{number}" for number in range(45)]
"""More than may ask one site at a time."""


async def test_ordinary_mail_is_final_while_a_site_has_still_not_answered(house: House) -> None:
    async with AsyncExitStack() as running:
        silent = await running.enter_async_context(web(*[b""] * len(SILENT), close=False))
        other = await running.enter_async_context(web(ok(b"offers")))
        peer = await running.enter_async_context(relay(lambda _key, _attempt: TAKEN))
        await house.define("silent", text=f"%%=HTTPGet(Concat('http://{here(silent)}/', _subscriberkey))=%%")
        await house.define("other", text=f"[%%=HTTPGet('http://{here(other)}/')=%%]")
        async with working(
            house,
            peer,
            template_http_hosts=f"{here(silent)}, {here(other)}",
            template_http_private="yes",
            template_http_seconds=60,
            lease_seconds=1,
        ) as office:
            await office.send(SILENT, "silent")
            await until(lambda: asyncio.sleep(0, len(silent.requests) == 40))
            ordinary = [f"ordinary-{number}" for number in range(30)]
            for key in ordinary:
                await office.send([key])
            await office.send(["other"], "other")
            await until(lambda: finals(house, len(ordinary) + 1))
            assert set(await house.final()) == {*ordinary, "other"}
            assert b"[offers]" in peer.bodies["other"][0]
            assert len(silent.requests) == 40
            before_stop = asyncio.get_running_loop().time()
        # It is given back as anything else, and nobody waits for the site.
        assert asyncio.get_running_loop().time() - before_stop < 4
        left = await house.pool.fetch("select messages, lease_owner from queue")
        assert [tuple(row) for row in left] == [(len(SILENT), None)]


def here(site: Web) -> str:
    return f"127.0.0.1:{site.port}"


async def finals(house: House, messages: int) -> bool:
    return len(await house.final()) >= messages
