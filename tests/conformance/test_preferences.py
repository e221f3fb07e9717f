"""A recipient's choices in the tables: what changes, what never does, and whose they are."""

from tests.conformance.house import ACCOUNT, Hand, House, people

from postroom.audience.memberships import create_list, set_member
from postroom.audience.preferences import (
    join_list,
    leave_everything,
    leave_list,
    load_preferences,
    return_to_everything,
)

OTHER = 200002


async def sent_to(house: House, key: str = "a", definition: str = "welcome") -> tuple[int, int]:
    """Version and contact of a message that was sent."""
    await house.accept(people([key]), definition)
    await Hand(house, "w").work()
    version_id: int = await house.pool.fetchval("select max(version_id) from definition_version")
    contact_id: int = await house.pool.fetchval(
        "select contact_id from contact where account_id = $1 and contact_key = $2", ACCOUNT, f"c-{key}"
    )
    return version_id, contact_id


async def status_of(house: House, contact_id: int) -> str:
    status: str = await house.pool.fetchval("select status from contact where contact_id = $1", contact_id)
    return status


async def test_attack_contact_of_another_business_unit(house: House) -> None:
    """A token's numbers are looked up within its own business unit only."""
    version_id, contact_id = await sent_to(house)
    await house.open_account(OTHER)
    assert await load_preferences(house.pool, ACCOUNT, version_id, contact_id) is not None
    assert await load_preferences(house.pool, OTHER, version_id, contact_id) is None
    async with house.pool.acquire() as connection:
        assert not await leave_everything(connection, OTHER, contact_id)
        made = await create_list(house.pool, OTHER, "theirs")
        assert not await leave_list(connection, ACCOUNT, made.list_id, contact_id)
    assert await status_of(house, contact_id) == "Active"


async def test_leaving_and_returning(house: House) -> None:
    version_id, contact_id = await sent_to(house)
    async with house.pool.acquire() as connection:
        assert [await leave_everything(connection, ACCOUNT, contact_id) for _ in range(2)] == [True, False]
        found = await load_preferences(connection, ACCOUNT, version_id, contact_id)
        assert found is not None
        assert found.unsubscribed
        assert [await return_to_everything(connection, ACCOUNT, contact_id) for _ in range(2)] == [True, False]
    assert await status_of(house, contact_id) == "Active"


async def test_who_is_held_stays_held(house: House) -> None:
    """Unsubscribing and coming back must not let mail through to an address that refuses it."""
    _, contact_id = await sent_to(house)
    made = await create_list(house.pool, ACCOUNT, "news")
    await set_member(house.pool, ACCOUNT, made.list_id, contact_id, "Held")
    await house.pool.execute("update contact set status = 'Held' where contact_id = $1", contact_id)
    async with house.pool.acquire() as connection:
        assert not await leave_everything(connection, ACCOUNT, contact_id)
        assert not await return_to_everything(connection, ACCOUNT, contact_id)
        assert not await leave_list(connection, ACCOUNT, made.list_id, contact_id)
        assert not await join_list(connection, ACCOUNT, made.list_id, contact_id)
    assert await status_of(house, contact_id) == "Held"


async def test_who_was_never_on_a_list_can_still_leave_it(house: House) -> None:
    _, contact_id = await sent_to(house)
    made = await create_list(house.pool, ACCOUNT, "news")
    async with house.pool.acquire() as connection:
        assert await leave_list(connection, ACCOUNT, made.list_id, contact_id)
        assert not await leave_list(connection, ACCOUNT, made.list_id, contact_id)
        assert await join_list(connection, ACCOUNT, made.list_id, contact_id)


async def test_of_a_deleted_contact_nothing_is_shown(house: House) -> None:
    version_id, contact_id = await sent_to(house)
    await house.pool.execute("update contact set status = 'Deleted' where contact_id = $1", contact_id)
    assert await load_preferences(house.pool, ACCOUNT, version_id, contact_id) is None
