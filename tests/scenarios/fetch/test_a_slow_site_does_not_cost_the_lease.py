"""A template that waits longer than a lease lasts: its message stays with its worker, and is fetched for once."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

from tests.conformance.house import ACCOUNT, House, people
from tests.scenarios.delivery.relay import TAKEN, relay
from tests.scenarios.delivery.workers import SOON, all_final, environ

from postroom.assembly.delivery import worker_options
from postroom.delivery.worker import Worker
from postroom.settings import load_settings

SLOW_SECONDS = 2.5


async def test_another_worker_does_not_take_over_what_is_being_loaded(house: House) -> None:
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        await asyncio.sleep(SLOW_SECONDS)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
        writer.close()

    async with AsyncExitStack() as running:
        site = await asyncio.start_server(answer, "127.0.0.1", 0)
        await running.enter_async_context(site)
        host = f"127.0.0.1:{site.sockets[0].getsockname()[1]}"
        peer = await running.enter_async_context(relay(lambda _key, _attempt: TAKEN))
        given = environ(house, peer, lease_seconds=1, template_http_hosts=host, template_http_private="yes")
        await house.define("story", text=f"[%%=HTTPGet('http://{host}/')=%%]")
        await house.accept(people(["one"]), "story")
        stop = asyncio.Event()
        workers = []
        for owner in ("here", "there"):
            options = worker_options(load_settings(given), owner=owner, replaces=None)
            worker = Worker(house.pool, replace(options, schedule=SOON), rand=lambda: 0.5)
            workers.append(asyncio.create_task(worker.run(stop)))
            worker.announce(ACCOUNT)
        try:
            assert await all_final(house, 1) == {"one": ("sent", None)}
        finally:
            stop.set()
            await asyncio.gather(*workers)
    assert len(asked) == 1
    assert [b"[late]" in body for body in peer.bodies["one"]] == [True]
