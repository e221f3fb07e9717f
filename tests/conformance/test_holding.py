"""Messages with an unknown outcome whose definition says hold: kept, released, given up, ended by age."""

from datetime import UTC, datetime, timedelta

from tests.conformance.house import ACCOUNT, Hand, House

from postroom.catalog.sending_options import SendingOptions
from postroom.delivery.outcome import Unknown
from postroom.events.codes import StatusCode
from postroom.intake.backlog import clear_queue, expire_late, expire_queue, queue_depth
from postroom.intake.holding import Place, cancel_held, held_messages, release_held

HOLD = SendingOptions(on_unknown="hold")


async def held(house: House, count: int) -> list[str]:
    """So many messages of one request, all held; their keys."""
    await house.define("careful", sending=HOLD)
    keys = await house.accept_many(count, "careful")
    assert await Hand(house, "first").work(lambda _: Unknown()) == keys
    return keys


async def places(house: House, keys: list[str] | None = None) -> list[Place]:
    async with house.pool.acquire() as connection:
        return [each.place for each in await held_messages(connection, ACCOUNT, keys)]


async def release(house: House, wanted: list[Place], account_id: int = ACCOUNT) -> int:
    async with house.pool.acquire() as connection:
        return await release_held(connection, account_id, wanted)


async def cancel(house: House, wanted: list[Place]) -> int:
    async with house.pool.acquire() as connection:
        return await cancel_held(connection, ACCOUNT, wanted)


async def test_nobody_claims_what_is_held(house: House) -> None:
    keys = await held(house, 3)
    assert await Hand(house, "second").work() == []
    assert await house.final() == {}
    assert [await house.kinds(key) for key in keys] == [["unknown"]] * 3
    assert [each.position for each in await places(house)] == [0, 1, 2]
    assert await places(house, [keys[1].upper()]) == [(await places(house))[1]], "keys fold as everywhere"


async def test_what_is_released_goes_again_and_the_rest_stays(house: House) -> None:
    keys = await held(house, 5)
    assert await release(house, await places(house, [keys[1], keys[3]])) == 2
    assert await Hand(house, "second").work() == [keys[1], keys[3]]
    assert await house.final() == {keys[1]: ("sent", None), keys[3]: ("sent", None)}
    assert [each.position for each in await places(house)] == [0, 2, 4]
    assert await release(house, await places(house)) == 3
    assert await Hand(house, "second").work() == [keys[0], keys[2], keys[4]]
    assert await house.count("queue") == 0
    assert set((await house.finals_by_key()).values()) == {1}


async def test_what_is_released_twice_goes_once(house: House) -> None:
    await held(house, 1)
    wanted = await places(house)
    assert [await release(house, wanted), await release(house, wanted)] == [1, 0]
    assert await house.count("queue") == 1


async def test_held_again_after_its_release(house: House) -> None:
    keys = await held(house, 1)
    await release(house, await places(house))
    assert await Hand(house, "second").work(lambda _: Unknown()) == keys
    assert await house.kinds(keys[0]) == ["unknown", "unknown"]
    assert len(await places(house)) == 1


async def test_what_is_given_up_counts_as_cleared(house: House) -> None:
    keys = await held(house, 3)
    assert await cancel(house, await places(house, keys[:2])) == 2
    assert await house.final() == dict.fromkeys(keys[:2], ("not_sent", 39))
    assert [each.position for each in await places(house)] == [2]
    assert await cancel(house, [*await places(house), Place((await places(house))[0].request_id, 77)]) == 1
    assert await house.count("queue") == 0


async def test_what_is_not_held_is_left_alone(house: House) -> None:
    keys = await house.accept_many(2)
    request_id = await house.pool.fetchval("select request_id from queue")
    wanted = [Place(request_id, position) for position in range(2)]
    assert [await release(house, wanted), await cancel(house, wanted)] == [0, 0]
    assert await Hand(house, "first").work() == keys


async def test_tenant_isolation_nobody_releases_the_messages_of_another_business_unit(house: House) -> None:
    await house.open_account(ACCOUNT + 1)
    await held(house, 1)
    assert await release(house, await places(house), account_id=ACCOUNT + 1) == 0
    assert len(await places(house)) == 1


async def test_the_age_limit_ends_what_is_held(house: House) -> None:
    keys = await held(house, 2)
    await house.age(timedelta(hours=80))
    before = datetime.now(UTC) - timedelta(hours=72)
    assert await expire_queue(house.pool, ACCOUNT, inactive_before=before, any_before=before) == 2
    assert await house.final() == dict.fromkeys(keys, ("not_sent", 139))


async def test_clearing_the_queue_clears_what_is_held_and_its_depth_counts_it(house: House) -> None:
    keys = await held(house, 2)
    definition_id = await house.pool.fetchval("select definition_id from queue")
    assert (await queue_depth(house.pool, ACCOUNT, definition_id)).count == 2
    await clear_queue(house.pool, ACCOUNT, definition_id, code=StatusCode.SUBSCRIBER_QUEUE_CLEARED)
    assert await house.final() == dict.fromkeys(keys, ("not_sent", 39))


async def test_what_nobody_could_send_in_its_time_is_ended(house: House) -> None:
    await house.define("code", sending=SendingOptions(deliver_before=60))
    late = await house.accept_many(2, "code")
    await house.age(timedelta(seconds=61))
    fresh = await house.accept_many(1, "code")
    other = await house.accept_many(1)
    assert await expire_late(house.pool, ACCOUNT, datetime.now(UTC)) == 2
    assert await house.final() == dict.fromkeys(late, ("not_sent", 139))
    assert sorted(await Hand(house, "first").work()) == sorted(fresh + other)


async def test_what_is_claimed_too_late_ends_without_an_attempt(house: House) -> None:
    await house.define("code", sending=SendingOptions(deliver_before=60))
    late = await house.accept_many(2, "code")
    await house.age(timedelta(seconds=61))
    assert await Hand(house, "first").work() == []
    assert await house.final() == dict.fromkeys(late, ("not_sent", 139))
