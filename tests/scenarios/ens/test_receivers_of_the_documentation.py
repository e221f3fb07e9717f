"""The two receivers of docs/webhooks.md, run as they stand there."""

import asyncio
import json
import os
import re
import socket
import sys
from pathlib import Path

import pytest
from tests.conformance.house import ACCOUNT, House
from tests.scenarios.ens.receiver import events_worker, send, subscribe, telling

from postroom.events.callbacks import find_callback
from postroom.events.poster import Poster
from postroom.events.reach import read_url

PAGE = Path(__file__).parents[3] / "docs" / "webhooks.md"
COMMANDS = {"python": [sys.executable, "-c"], "javascript": ["node", "-e"]}


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
    process = await asyncio.create_subprocess_exec(
        *COMMANDS[language],
        code,
        env={"PATH": os.environ["PATH"], "PORT": str(port), "SIGNATURE_KEY": callback.signature_key},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    poster = Poster(private=True)
    try:
        async with asyncio.timeout(60):
            handshake = b'{"callbackId":"a","verificationKey":"b"}'
            while (posted := await poster.post(read_url(url, private=True), handshake, [], seconds=5)).status == 0:
                assert process.returncode is None, posted
            assert posted.status == 200
            assert json.loads(await process.stdout.readline())["verificationKey"] == "b"
            for headers in ([], [("x-sfmc-ens-signature", "AAAA")], [("x-sfmc-ens-signature", "A" * 44)]):
                forged = await poster.post(read_url(url, private=True), b'[{"forged":1}]', headers, seconds=5)
                assert forged.status == 401
            async with telling(events_worker(house)):
                await send(house, ["k1"])
                (event,) = json.loads(await process.stdout.readline())
            assert event["info"]["messageKey"] == "k1"
    finally:
        poster.close()
        process.kill()
        # Read to the end, which also closes the pipe.
        await process.communicate()
