"""The two receivers of docs/webhooks.md, run as they stand there."""

import asyncio
import json
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.conformance.house import ACCOUNT, House
from tests.node import NODE
from tests.scenarios.ens.receiver import events_worker, send, subscribe, telling

from postroom.events.callbacks import find_callback
from postroom.events.poster import Posted, Poster
from postroom.events.reach import Endpoint, read_url

PAGE = Path(__file__).parents[3] / "docs" / "webhooks.md"
COMMANDS = {"python": [sys.executable, "-c"], "javascript": [NODE, "-e"]}


@pytest.mark.parametrize("language", ["python", "javascript"])
async def test_receiver_takes_what_is_signed_and_refuses_what_is_forged(house: House, language: str) -> None:
    found = re.search(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    code = found[1]
    assert len(code.splitlines()) <= 10
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/hooks"
    callback_id = await subscribe(house, url)
    callback = await find_callback(house.pool, ACCOUNT, callback_id)
    assert callback is not None
    address = read_url(url, private=True)
    handshake = b'{"callbackId":"a","verificationKey":"b"}'
    async with asyncio.timeout(60):
        # Before it knows the key.
        async with _running(language, code, port) as lines:
            assert (await _posted(address, handshake)).status == 200
            assert json.loads(await lines.readline())["verificationKey"] == "b"
        async with _running(language, code, port, SIGNATURE_KEY=callback.signature_key) as lines:
            # One that was made to look like the handshake is refused as well.
            for body in (b'[{"forged":1}]', handshake):
                assert (await _posted(address, body)).status == 401
                for signature in ("AAAA", "A" * 44):
                    assert (await _posted(address, body, ("x-sfmc-ens-signature", signature))).status == 401
            async with telling(events_worker(house)):
                await send(house, ["k1"])
                (event,) = json.loads(await lines.readline())
            assert event["info"]["messageKey"] == "k1"


@asynccontextmanager
async def _running(language: str, code: str, port: int, **environ: str) -> AsyncIterator[asyncio.StreamReader]:
    """The receiver; gives what it prints."""
    process = await asyncio.create_subprocess_exec(
        *COMMANDS[language],
        code,
        env={"PATH": os.environ["PATH"], "PORT": str(port), **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.kill()
        # Read to the end, which also closes the pipe.
        await process.communicate()


async def _posted(endpoint: Endpoint, body: bytes, *headers: tuple[str, str]) -> Posted:
    """Its answer, as soon as it listens."""
    poster = Poster(private=True)
    try:
        while (posted := await poster.post(endpoint, body, headers, seconds=5)).status == 0:  # noqa: ASYNC110 - it is starting
            await asyncio.sleep(0.05)
    finally:
        poster.close()
    return posted
