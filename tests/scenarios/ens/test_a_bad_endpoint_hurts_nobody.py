"""Endpoints that hang, refuse, redirect, drip or flood: each keeps its events, and no other callback notices."""

import asyncio
import os
from uuid import UUID

import pytest
from tests.conformance.house import ACCOUNT, House
from tests.scenarios.ens.receiver import (
    BROKEN,
    OK,
    Hook,
    agree,
    events_worker,
    hang,
    receiving,
    refuse,
    send,
    subscribe,
    telling,
)

from postroom.events.callbacks import Callback, find_callback, regenerate_key
from postroom.events.signature import vendor_signature


async def _callback(house: House, callback_id: UUID) -> Callback:
    callback = await find_callback(house.pool, ACCOUNT, callback_id)
    assert callback is not None
    return callback


async def _failing(house: House, callback_id: UUID) -> Callback:
    """Wait until the callback is known to fail."""
    async with asyncio.timeout(30):
        while (callback := await _callback(house, callback_id)).failing_since is None:  # noqa: ASYNC110 - another process would see it only so
            await asyncio.sleep(0.02)
    return callback


async def test_one_that_hangs_and_one_that_refuses_delay_no_other(house: House) -> None:
    async with (
        receiving(hang) as hanging,
        receiving(refuse) as refusing,
        receiving() as good,
        telling(events_worker(house, seconds=3.0)),
    ):
        for receiver in (hanging, refusing, good):
            await subscribe(house, receiver.url)
        await send(house, ["first"])
        await hanging.until(lambda hooks: len(hooks) == 1)
        waits = []
        for number in range(8):
            await send(house, [f"k{number}"])
            settled = asyncio.get_running_loop().time()
            await good.told(2 + number)
            waits.append(good.hooks[-1].at - settled)
        # While the first request to the hanging one is still without an answer.
        assert sorted(waits)[4] < 0.3


async def test_refused_events_are_sent_again_with_the_same_ids_and_fresh_signatures(house: House) -> None:
    answers = [BROKEN, BROKEN, BROKEN]

    async def thrice(_hook: Hook, _writer: asyncio.StreamWriter) -> bytes:
        return answers.pop() if answers else OK

    async with receiving(thrice) as receiver, telling(events_worker(house, longest=0.2)):
        callback_id = await subscribe(house, receiver.url)
        await send(house, ["k1"])
        failing = await _failing(house, callback_id)
        assert failing.last_error == "it answered 500; 200 to 204 is expected"
        await receiver.told(4)
        async with asyncio.timeout(30):
            while (await _callback(house, callback_id)).failing_since is not None:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)
    assert receiver.keys() == ["k1"] * 4
    assert len({event["eventId"] for hook in receiver.hooks for event in hook.events}) == 1
    assert len({hook.headers["webhook-id"] for hook in receiver.hooks}) == 1
    assert (await _callback(house, callback_id)).attempt == 0


async def test_redirect_to_a_private_address_is_not_followed(house: House) -> None:
    async with receiving() as inner:

        async def redirect(_hook: Hook, _writer: asyncio.StreamWriter) -> bytes:
            return f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {inner.url}\r\nContent-Length: 0\r\n\r\n".encode()

        async with receiving(redirect) as outer, telling(events_worker(house)):
            callback_id = await subscribe(house, outer.url)
            await send(house, ["k1"])
            assert "it answered 307" in (await _failing(house, callback_id)).last_error
        assert inner.connections == 0


async def test_answer_byte_by_byte_ends_at_the_deadline(house: House) -> None:
    async def drip(_hook: Hook, writer: asyncio.StreamWriter) -> bytes:
        for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 10_000:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)
        return b""

    async with receiving(drip) as receiver, telling(events_worker(house, seconds=0.4)):
        callback_id = await subscribe(house, receiver.url)
        await send(house, ["k1"])
        assert (await _failing(house, callback_id)).last_error == "no answer within 0.4 s"


@pytest.mark.parametrize(
    ("flood", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 200_000, "the header of the answer is larger than 16,384 bytes"),
        (b"220 smtp.example.com ESMTP\r\n", "the answer is not HTTP"),
    ],
)
async def test_answer_that_is_oversized_or_not_http_is_a_failure(house: House, flood: bytes, error: str) -> None:
    async def answer(_hook: Hook, _writer: asyncio.StreamWriter) -> bytes:
        return flood

    async with receiving(answer) as receiver, telling(events_worker(house)):
        callback_id = await subscribe(house, receiver.url)
        await send(house, ["k1"])
        assert error in (await _failing(house, callback_id)).last_error


async def test_oversized_body_of_a_good_answer_is_not_read(house: House) -> None:
    async def flood(_hook: Hook, _writer: asyncio.StreamWriter) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n" + b"a" * 1_000_000

    async with receiving(flood) as receiver, telling(events_worker(house)):
        callback_id = await subscribe(house, receiver.url)
        await send(house, ["k1"])
        await receiver.told(1)
        await send(house, ["k2"])
        assert await receiver.told(2) == ["k1", "k2"]
        assert (await _callback(house, callback_id)).failing_since is None
    assert receiver.connections == 2


async def test_private_address_is_not_told_where_it_is_not_allowed(house: House) -> None:
    async with receiving(agree) as receiver, telling(events_worker(house, private=False)):
        plain = await subscribe(house, receiver.url)
        named = await subscribe(house, "https://localhost/hooks")
        await send(house, ["k1"])
        assert "must be https without a port" in (await _failing(house, plain)).last_error
        assert (await _failing(house, named)).last_error == "localhost has an address that is not public"
    assert receiver.connections == 0


async def test_signature_key_rotated_in_flight_signs_the_next_attempt(house: House) -> None:
    fresh: list[str] = []

    async def rotate(_hook: Hook, _writer: asyncio.StreamWriter) -> bytes:
        if fresh:
            return OK
        made = await regenerate_key(house.pool, ACCOUNT, callback_id, random_bytes=os.urandom)
        assert made is not None
        fresh.append(made.signature_key)
        return BROKEN

    async with receiving(rotate) as receiver:
        callback_id = await subscribe(house, receiver.url)
        async with telling(events_worker(house)):
            await send(house, ["k1"])
            await receiver.told(2)
    first, second = receiver.hooks
    assert first.body == second.body
    assert second.headers["x-sfmc-ens-signature"] == vendor_signature(second.body, fresh[0], "text")
    assert first.headers["x-sfmc-ens-signature"] != second.headers["x-sfmc-ens-signature"]
