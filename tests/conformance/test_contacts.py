"""Contacts at send time (contract §4.3)."""

import asyncio

import msgspec
import pytest
from tests.conformance.house import ACCOUNT, Hand, House, Person

from postroom.delivery.outcome import Sent


def person(key: str, to: str, message_key: str, **attributes: object) -> Person:
    """A recipient with attributes."""
    return Person(key, to, message_key, msgspec.Raw(msgspec.json.encode(attributes)))


async def contacts(house: House) -> dict[str, tuple[str, dict[str, object]]]:
    """Address and profile of each contact."""
    rows = await house.pool.fetch("select contact_key, address, profile from contact")
    return {row["contact_key"]: (row["address"], msgspec.json.decode(row["profile"])) for row in rows}


async def test_a_new_contact_is_created_with_its_declared_attributes_only(house: House) -> None:
    await house.accept([person("Ada", "ada@example.com", "m", firstname="Ada", OrderNumber="17")])
    await Hand(house, "a").work()
    assert await contacts(house) == {"Ada": ("ada@example.com", {"FirstName": "Ada"})}
    assert await house.final() == {"m": ("sent", None)}


async def test_a_contact_is_found_whatever_the_letter_case_of_its_key(house: House) -> None:
    hand = Hand(house, "a")
    await house.accept([person("Ada", "ada@example.com", "m1")])
    await hand.work()
    await house.accept([person("ADA", "ada@example.com", "m2")])
    await hand.work()
    assert list(await contacts(house)) == ["Ada"]


async def test_an_update_overwrites_address_and_what_the_send_carries(house: House) -> None:
    hand = Hand(house, "a")
    await house.accept([person("c", "old@example.com", "m1", FirstName="Ada", LastName="Byron")])
    await hand.work()
    await house.accept([person("c", "new@example.com", "m2", LastName="Lovelace")])
    await hand.work()
    assert await contacts(house) == {"c": ("new@example.com", {"FirstName": "Ada", "LastName": "Lovelace"})}


async def test_a_contact_that_may_not_be_created_is_11(house: House) -> None:
    await house.define("closed", auto_add=False)
    await house.accept([person("stranger", "s@example.com", "m")], "closed")
    await Hand(house, "a").work()
    assert await house.final() == {"m": ("not_sent", 11)}
    assert await contacts(house) == {}


async def test_another_address_without_update_is_14_and_changes_nothing(house: House) -> None:
    hand = Hand(house, "a")
    await house.define("fixed", update=False)
    await house.accept([person("c", "one@example.com", "m1", FirstName="Ada")], "fixed")
    await hand.work()
    await house.accept([person("c", "two@example.com", "m2", FirstName="Bob")], "fixed")
    await house.accept([person("c", "one@example.com", "m3", FirstName="Eve")], "fixed")
    await hand.work()
    assert await house.final() == {"m1": ("sent", None), "m2": ("not_sent", 14), "m3": ("sent", None)}
    assert await contacts(house) == {"c": ("one@example.com", {"FirstName": "Ada"})}


async def test_of_two_first_messages_without_update_the_first_makes_the_contact(house: House) -> None:
    await house.define("fixed", update=False)
    await house.accept([person("c", "one@example.com", "m1"), person("C", "two@example.com", "m2")], "fixed")
    await Hand(house, "a").work()
    assert await house.final() == {"m1": ("sent", None), "m2": ("not_sent", 14)}
    assert await contacts(house) == {"c": ("one@example.com", {})}


async def test_two_first_messages_with_update_make_one_contact_of_both(house: House) -> None:
    await house.accept(
        [person("c", "one@example.com", "m1", FirstName="Ada"), person("c", "two@example.com", "m2", LastName="L")]
    )
    await Hand(house, "a").work()
    assert await house.final() == {"m1": ("sent", None), "m2": ("sent", None)}
    assert await contacts(house) == {"c": ("two@example.com", {"FirstName": "Ada", "LastName": "L"})}


@pytest.mark.parametrize(("status", "code"), [("Held", 2), ("Deleted", 40)])
async def test_a_held_or_deleted_contact_gets_nothing(house: House, status: str, code: int) -> None:
    hand = Hand(house, "a")
    await house.accept([person("c", "c@example.com", "m1")])
    await hand.work()
    await house.pool.execute("update contact set status = $1", status)
    await house.accept([person("c", "c@example.com", "m2"), person("d", "d@example.com", "m3")])
    assert await hand.work() == ["m3"]
    assert (await house.final())["m2"] == ("not_sent", code)


async def test_an_unsubscribed_contact_still_gets_its_orders(house: House) -> None:
    hand = Hand(house, "a")
    await house.accept([person("c", "c@example.com", "m1")])
    await hand.work()
    await house.pool.execute("update contact set status = 'Unsubscribed'")
    await house.accept([person("c", "c@example.com", "m2")])
    await hand.work()
    assert (await house.final())["m2"] == ("sent", None)


async def test_workers_that_meet_the_same_new_contacts_make_each_once(house: House) -> None:
    for half in range(2):
        order = range(50) if half else reversed(range(50))
        await house.accept([person(f"c{n}", f"c{n}@example.com", f"m{half}-{n}") for n in order])
    hands = [Hand(house, f"worker-{n}") for n in range(2)]
    claimed = [await hand.claim(room=1) for hand in hands]
    loaded = await asyncio.gather(*(hand.load(slices) for hand, slices in zip(hands, claimed, strict=True)))
    ids = [{message.contact_key: message.contact.contact_id for message in each.messages} for each in loaded]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 50
    assert await house.count("contact") == 50
    for hand, slices, each in zip(hands, claimed, loaded, strict=True):
        await hand.settle(slices, each, lambda _: Sent())


async def test_attributes_that_can_not_be_read_are_16_for_that_message_only(house: House) -> None:
    """The accept checks the grammar of attributes; a double beyond all bounds is good grammar."""
    bad = Person("b", "b@example.com", "bad", msgspec.Raw(b'{"Total":1e999}'))
    deep = Person("d", "d@example.com", "deep", msgspec.Raw(b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}"))
    await house.accept([person("a", "a@example.com", "good"), bad, deep])
    await Hand(house, "a").work()
    assert await house.final() == {"good": ("sent", None), "bad": ("not_sent", 16), "deep": ("not_sent", 16)}
    assert await house.pool.fetchval("select count(*) from contact where account_id = $1", ACCOUNT) == 1
