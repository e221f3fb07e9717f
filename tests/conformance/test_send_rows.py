"""The row that each send writes into its definition's data extension, and the codes when it can't (contract §4.3)."""

import asyncio
from uuid import uuid4

import msgspec
import pytest
from tests.conformance.house import ACCOUNT, Hand, House, Person

from postroom.catalog.data_columns import Column
from postroom.catalog.data_extensions import DataExtension, ExtensionDraft, create_extension, delete_extension
from postroom.delivery.outcome import Deferred

COLUMNS = (
    Column(name="SubscriberKey", type="Text", length=100),
    Column(name="EmailAddress", type="EmailAddress"),
    Column(name="OrderId", type="Number", nullable=False),
    Column(name="City", type="Text", length=10, default="Oslo"),
    Column(name="Note", type="Text"),
)
KEYED = tuple(
    Column(name="OrderId", type="Number", primary_key=True, nullable=False) if column.name == "OrderId" else column
    for column in COLUMNS
)


async def extension(house: House, columns: tuple[Column, ...], key: str = "orders") -> DataExtension:
    """A sendable data extension with the definition of the same key."""
    made = await create_extension(
        house.pool, ACCOUNT, uuid4(), ExtensionDraft(key, key, "", columns, subscriber_column="SubscriberKey")
    )
    await house.define(key, data_extension_id=made.extension_id)
    return made


def person(message_key: str, **attributes: object) -> Person:
    """A recipient with attributes."""
    return Person("c", "c@example.com", message_key, msgspec.Raw(msgspec.json.encode(attributes)))


async def cells(house: House) -> list[dict[str, str]]:
    """All rows, the oldest first."""
    rows = await house.pool.fetch("select cells from data_row where account_id = $1 order by row_id", ACCOUNT)
    return [msgspec.json.decode(row["cells"]) for row in rows]


async def test_a_send_writes_its_row_before_it_is_sent(house: House) -> None:
    await extension(house, COLUMNS)
    await house.accept([person("m1", orderid=7, Unknown="x"), person("m2", OrderId="8", City="Bergen")], "orders")
    assert await Hand(house, "a").work() == ["m1", "m2"]
    common = {"subscriberkey": "c", "emailaddress": "c@example.com"}
    assert await cells(house) == [
        common | {"orderid": "7", "city": "Oslo"},
        common | {"orderid": "8", "city": "Bergen"},
    ]
    assert await house.final() == {"m1": ("sent", None), "m2": ("sent", None)}


async def test_the_mail_sees_defaults_of_columns_and_empty_ones(house: House) -> None:
    await extension(house, COLUMNS)
    await house.accept([person("m", OrderId=7)], "orders")
    hand = Hand(house, "a")
    slices = await hand.claim()
    loaded = await hand.load(slices)
    (message,) = loaded.messages
    assert message.attributes["city"] == "Oslo"
    assert message.attributes["note"] is None
    assert message.attributes["orderid"] == 7
    await hand.settle(slices, loaded)


async def test_a_profile_attribute_stands_in_for_an_empty_column(house: House) -> None:
    await house.accept([person("m0", FirstName="Ada")])
    await Hand(house, "a").work()
    await extension(house, (*COLUMNS, Column(name="FirstName", type="Text", length=20)))
    await house.accept([person("m", OrderId=7)], "orders")
    hand = Hand(house, "a")
    slices = await hand.claim()
    loaded = await hand.load(slices)
    assert "firstname" not in loaded.messages[0].attributes
    assert loaded.messages[0].contact.profile == {"FirstName": "Ada"}
    await hand.settle(slices, loaded)


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({}, 19),
        ({"OrderId": None}, 19),
        ({"OrderId": "seven"}, 20),
        ({"OrderId": 7, "City": "x" * 11}, 20),
        ({"OrderId": 7, "City": "a\0b"}, 20),
        ({"OrderId": 7, "City": ["a"]}, 20),
    ],
)
async def test_a_row_that_can_not_be_is_19_or_20_for_that_message_only(
    house: House, attributes: dict[str, object], code: int
) -> None:
    await extension(house, COLUMNS)
    await house.accept([person("bad", **attributes), person("good", OrderId=1)], "orders")
    await Hand(house, "a").work()
    assert await house.final() == {"bad": ("not_sent", code), "good": ("sent", None)}
    assert [row["orderid"] for row in await cells(house)] == ["1"]


async def test_a_primary_key_that_is_there_is_21(house: House) -> None:
    await extension(house, KEYED)
    await house.accept([person("m1", OrderId=7), person("m2", OrderId="07")], "orders")
    await Hand(house, "a").work()
    await house.accept([person("m3", OrderId=7), person("m4", OrderId=8)], "orders")
    await Hand(house, "a").work()
    final = await house.final()
    assert sorted((final["m1"], final["m2"]), key=str) == [("not_sent", 21), ("sent", None)]
    assert final["m3"] == ("not_sent", 21)
    assert final["m4"] == ("sent", None)
    assert len(await cells(house)) == 2


async def test_a_data_extension_that_is_gone_is_22(house: House) -> None:
    made = await extension(house, COLUMNS)
    await house.accept([person("m", OrderId=7)], "orders")
    async with house.pool.acquire() as connection, connection.transaction():
        await delete_extension(connection, made)
    await Hand(house, "a").work()
    assert await house.final() == {"m": ("not_sent", 22)}


@pytest.mark.parametrize("columns", [COLUMNS, KEYED])
async def test_a_second_attempt_finds_its_own_row(house: House, columns: tuple[Column, ...]) -> None:
    await extension(house, columns)
    await house.accept([person("m", OrderId=7)], "orders")
    hand = Hand(house, "a")
    await hand.work(lambda _: Deferred(stage="rcpt", code=450))
    await house.make_due()
    slices = await hand.claim()
    loaded = await hand.load(slices)
    assert loaded.messages[0].attributes["city"] == "Oslo"
    await hand.settle(slices, loaded)
    assert await house.final() == {"m": ("sent", None)}
    assert len(await cells(house)) == 1


async def test_a_claim_that_was_lost_after_the_row_writes_no_second_one(house: House) -> None:
    await extension(house, KEYED)
    await house.accept([person("m", OrderId=7)], "orders")
    first, second = Hand(house, "a"), Hand(house, "b")
    await first.load(await first.claim())
    await house.expire_leases()
    assert await second.work() == ["m"]
    assert len(await cells(house)) == 1


async def test_workers_that_write_the_same_keys_at_once_make_each_row_once(house: House) -> None:
    await extension(house, KEYED)
    for half in range(2):
        order = range(30) if half else reversed(range(30))
        await house.accept([person(f"m{half}-{n}", OrderId=n) for n in order], "orders")
    hands = [Hand(house, f"worker-{n}") for n in range(2)]
    claimed = [await hand.claim(room=1) for hand in hands]
    loaded = await asyncio.gather(*(hand.load(slices) for hand, slices in zip(hands, claimed, strict=True)))
    for hand, slices, each in zip(hands, claimed, loaded, strict=True):
        await hand.settle(slices, each)
    assert len(await cells(house)) == 30
    outcomes = list((await house.final()).values())
    assert (outcomes.count(("sent", None)), outcomes.count(("not_sent", 21))) == (30, 30)
