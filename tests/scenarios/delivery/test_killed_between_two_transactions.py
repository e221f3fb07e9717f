"""A relay takes two recipients at a time, and the worker dies by kill -9 after the first transaction of a mail: it goes
again to all of them, once, with the same bytes, and has one outcome."""

import asyncio
from pathlib import Path

import msgspec
from tests.conformance.house import House
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import all_final, deliver_process, working


async def test_it_goes_again_to_all_with_the_same_bytes(house: House, tmp_path: Path) -> None:
    await house.define("copied", cc=("ann@example.com", "ben@example.com"), bcc=("cat@example.com", "dan@example.com"))
    (key,) = await house.accept_many(1, "copied")
    gate = asyncio.Semaphore(1)
    async with relay(gate=gate, most=2) as peer:
        async with deliver_process(house, peer, tmp_path, lease_seconds=1) as dying:
            await dying.running(peer.came(2))
            await dying.kill_nine()
        (to, first) = peer.transactions[0]
        assert peer.transactions == [(to, "ann"), ("ben", "cat")]
        assert first == "ann"
        assert await house.final() == {}, "nothing is settled before the last transaction"
        for _ in range(9):
            gate.release()
        async with working(house, peer):
            assert await all_final(house, 1) == {key: ("sent", None)}
        assert peer.transactions[2:] == [(to, "ann"), ("ben", "cat"), ("dan",)]
        (body,) = {body for bodies in peer.bodies.values() for body in bodies}
        assert b"To: " in body
    assert await house.kinds(key) == ["sent"]
    detail = msgspec.json.decode(await house.pool.fetchval("select detail from event where kind = 'sent'"))
    assert "refused" not in detail
