"""The relay vanishes behind the final dot, and the definition says hold: not sent again until somebody says so."""

import asyncio
import json

from tests.conformance.house import House
from tests.scenarios.delivery.relay import TAKEN, VANISH, relay
from tests.scenarios.delivery.workers import all_final, until, working
from typer.testing import CliRunner

from postroom.catalog.sending_options import SendingOptions
from postroom.cli.main import app


async def test_it_goes_again_when_it_is_released_and_not_before(house: House) -> None:
    await house.define("careful", sending=SendingOptions(on_unknown="hold"))
    keys = house.keys(4)
    lost = set(keys[:2])

    def decide(key: str, attempt: int) -> str:
        return VANISH if key in lost and attempt == 1 else TAKEN

    async with relay(decide) as peer, working(house, peer) as office:
        await office.send(keys, "careful")

        async def decided() -> bool:
            return await house.count("event") == 4

        await until(decided)
        assert set(await house.final()) == set(keys[2:])
        shown = await command(house, "held", "--json")
        assert [each["messageKey"] for each in json.loads(shown)] == keys[:2]
        assert await command(house, "release", keys[0].upper()) == "1 released\n"
        assert await command(house, "cancel", keys[1], "nobody", code=1) == (
            "nobody: no message of business unit 100001 with this key is held\n1 cancelled\n"
        )
        final = await all_final(house, 4)
    assert final == {**dict.fromkeys(keys, ("sent", None)), keys[1]: ("not_sent", 39)}
    assert await house.kinds(keys[0]) == ["unknown", "sent"]
    assert len(peer.bodies[keys[1]]) == 1
    first, again = peer.bodies[keys[0]]
    assert first == again


async def command(house: House, *words: str, code: int = 0) -> str:
    """What `postroom message` prints."""
    arguments = ["message", *words, "--database-url", house.dsn]
    # In a thread, for the command has an event loop of its own.
    result = await asyncio.to_thread(CliRunner().invoke, app, arguments, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output
