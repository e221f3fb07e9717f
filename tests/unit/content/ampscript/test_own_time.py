"""What a rendering waits for is not its own time."""

import asyncio

import pytest

from postroom.content.ampscript.own_time import OwnTime


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_waiting_is_left_out_and_running_is_counted() -> None:
    clock = Clock()
    own = OwnTime(clock)

    async def wait() -> None:
        await asyncio.sleep(0)
        clock.now += 50

    async def work() -> str:
        clock.now += 1
        assert own() == 1
        # what another task does meanwhile is the other's time
        await asyncio.shield(asyncio.create_task(wait()))
        assert own() == 1
        clock.now += 2
        return "done"

    assert await own.measure(work()) == "done"
    assert own() == 3


async def test_what_the_awaited_raises_reaches_the_work_and_what_the_work_raises_its_caller() -> None:
    own = OwnTime(Clock())
    broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(broken.set_exception, ConnectionResetError())

    async def work() -> None:
        try:
            await broken
        except ConnectionResetError:
            raise KeyError("told") from None

    with pytest.raises(KeyError, match="told"):
        await own.measure(work())


async def test_a_cancelled_rendering_ends() -> None:
    own = OwnTime(Clock())
    begun, cleaned = asyncio.Event(), False

    async def work() -> None:
        nonlocal cleaned
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned = True

    async def measured() -> None:
        await own.measure(work())

    task = asyncio.create_task(measured())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned
