"""The pool is closed, or its jobs misbehave: every job taken still gets its one outcome."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.scenarios.smtp.mailroom import Parcel, mailroom
from tests.scenarios.smtp.peer import GOODBYE, HELLO, MAIL, Peer

from postroom.delivery.outcome import Deferred, Outcome, Sent, Unknown
from postroom.delivery.smtp.pool import SmtpPool
from postroom.delivery.smtp.target import SmtpTarget


async def test_close_lets_the_message_on_the_wire_finish_and_takes_no_other() -> None:
    async with (
        Peer(HELLO + MAIL + "HOLD\nS: 250 2.0.0 queued\n" + GOODBYE) as peer,
        mailroom(peer.port) as room,
    ):
        first, second = Parcel(), Parcel()
        room.send(first, second)
        await peer.held.wait()
        closing = asyncio.create_task(room.pool.close(10))
        peer.release()
        await closing
        assert isinstance(await first.outcome(), Sent)
        assert room.taken == [first]
        assert second.outcomes == []
    assert peer.lines[0][-1] == "QUIT"


async def test_close_gives_up_after_its_grace() -> None:
    async with Peer(HELLO + MAIL + "HOLD") as peer, mailroom(peer.port) as room:
        parcel = Parcel()
        room.send(parcel)
        await peer.held.wait()
        await room.pool.close(0.05)
        assert isinstance(await parcel.outcome(), Unknown)
        assert room.pool.connections == 0


async def test_close_defers_what_was_taken_and_not_begun() -> None:
    async with Peer("HOLD") as peer, mailroom(peer.port) as room:
        parcel = Parcel()
        room.send(parcel)
        await peer.held.wait()
        await room.pool.close(5)
        outcome = await parcel.outcome()
        assert isinstance(outcome, Deferred)
        assert outcome.stage == "connect"


async def test_a_job_that_raises_costs_nobody_else_anything() -> None:
    class Broken(Parcel):
        def finish(self, outcome: Outcome) -> None:
            super().finish(outcome)
            raise RuntimeError("a bug in the settling code")

    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))
    script = HELLO + (MAIL + "S: 250 queued\n") * 2 + "SILENCE"
    async with Peer(script) as peer, mailroom(peer.port) as room:
        outcomes = await room.deliver(Broken(), Parcel())
        assert [type(outcome) for outcome in outcomes] == [Sent, Sent]
    assert len(reported) == 1
    assert "job.finish raised for Sent" in reported[0]["message"]


async def test_a_take_that_raises_is_reported_and_the_pool_goes_on() -> None:
    reported = asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.set())

    def take() -> Parcel | None:
        raise RuntimeError("a bug in the claiming code")

    pool = SmtpPool(SmtpTarget("127.0.0.1", 9), size=1, take=take)
    pool.wake()
    await reported.wait()
    assert pool.available
    await pool.close(1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size=0"),
        ({"size": 1, "idle_seconds": 0}, "idle_seconds=0"),
        ({"size": 1, "max_messages_per_connection": 0}, "max_messages_per_connection=0"),
        ({"size": 1, "helo": "me\r\nMAIL FROM:<x>"}, "helo="),
    ],
)
async def test_a_pool_that_makes_no_sense_names_the_field(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SmtpPool(SmtpTarget("127.0.0.1", 9), take=lambda: None, **options)
