"""Lists at send time: who is added, and who gets nothing (contract §4.3; codes 1, 2, 11)."""

import msgspec
import pytest
from tests.conformance.house import ACCOUNT, Hand, House, Person, people

from postroom.audience.memberships import create_list, member_statuses, set_member


async def on_list(house: House, key: str = "news", **definition: bool) -> int:
    """A definition of a list of its own; the list's number."""
    made = await create_list(house.pool, ACCOUNT, key)
    definition_id = await house.define(key, **definition)  # type: ignore[arg-type]
    for table in ("definition", "definition_version"):
        await house.pool.execute(
            f"update {table} set list_id = $3 where account_id = $1 and definition_id = $2",
            ACCOUNT,
            definition_id,
            made.list_id,
        )
    return made.list_id


async def members(house: House, list_id: int) -> dict[str, str]:
    """Contact keys and their status on the list."""
    rows = await house.pool.fetch("select contact_id, contact_key from contact where account_id = $1", ACCOUNT)
    ids = {row["contact_id"]: row["contact_key"] for row in rows}
    statuses = await member_statuses(house.pool, ACCOUNT, list_id, list(ids))
    return {ids[contact_id]: status for contact_id, status in statuses.items()}


async def contact_id(house: House, key: str) -> int:
    number: int = await house.pool.fetchval("select contact_id from contact where contact_key = $1", key)
    return number


async def test_a_send_puts_its_contacts_on_the_list_of_the_definition(house: House) -> None:
    list_id = await on_list(house)
    await house.accept(people(["a", "b"]), "news")
    await Hand(house, "w").work()
    assert await members(house, list_id) == {"c-a": "Active", "c-b": "Active"}


async def test_who_is_not_on_the_list_is_11_when_it_may_not_be_added(house: House) -> None:
    list_id = await on_list(house, auto_add=False)
    await house.accept(people(["a", "b"]))
    hand = Hand(house, "w")
    await hand.work()
    await set_member(house.pool, ACCOUNT, list_id, await contact_id(house, "c-a"), "Active")
    raw = msgspec.Raw()
    await house.accept([Person("c-a", "a@example.com", "m1", raw), Person("c-b", "b@example.com", "m2", raw)], "news")
    assert await hand.work() == ["m1"]
    assert (await house.final())["m2"] == ("not_sent", 11)
    assert await members(house, list_id) == {"c-a": "Active"}


@pytest.mark.parametrize(("status", "code"), [("Unsubscribed", 1), ("Held", 2)])
async def test_who_left_the_list_gets_nothing_of_it_and_all_else(house: House, status: str, code: int) -> None:
    list_id = await on_list(house)
    hand = Hand(house, "w")
    await house.accept(people(["a"]), "news")
    await hand.work()
    await set_member(house.pool, ACCOUNT, list_id, await contact_id(house, "c-a"), status)
    person = Person("c-a", "a@example.com", "m1", msgspec.Raw())
    await house.accept([person], "news")
    await house.accept([Person("c-a", "a@example.com", "m2", msgspec.Raw())])
    assert await hand.work() == ["m2"]
    final = await house.final()
    assert (final["m1"], final["m2"]) == (("not_sent", code), ("sent", None))
    assert await members(house, list_id) == {"c-a": status}


async def test_a_classification_can_block_who_is_unsubscribed_from_everything(house: House) -> None:
    await house.accept(people(["a"]))
    hand = Hand(house, "w")
    await hand.work()
    await house.pool.execute("update contact set status = 'Unsubscribed'")
    definition_id = await house.define("news")
    await house.pool.execute(
        "update definition_version set block_unsubscribed = true where account_id = $1 and definition_id = $2",
        ACCOUNT,
        definition_id,
    )
    await house.accept([Person("c-a", "a@example.com", "m1", msgspec.Raw())], "news")
    await hand.work()
    assert (await house.final())["m1"] == ("not_sent", 1)
