"""Suppressed addresses get nothing: whom it concerns, for how long, and what of an erased address is kept."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import pytest_asyncio
from tests.conformance.house import ACCOUNT, Hand, House, Person, open_house

from postroom.audience.suppression import (
    AddressInvalid,
    Cause,
    Entry,
    Written,
    find_suppression,
    forget_addresses,
    lift,
    lift_one,
    list_suppressions,
    suppress,
    suppressed,
    suppressions_of,
)
from postroom.delivery.outcome import Deferred

OTHER = 100002
BOSS = msgspec.Raw(b'{"Boss": "archive@EXAMPLE.com"}')
HELD, UNSUBSCRIBED, EXCLUDED, DELETED = 2, 1, 27, 40


@pytest_asyncio.fixture(loop_scope="session")
async def house(any_database: str) -> AsyncIterator[House]:
    async with open_house(any_database) as opened:
        yield opened


async def put(house: House, *entries: Entry, account_id: int = ACCOUNT) -> Written:
    async with house.pool.acquire() as connection, connection.transaction():
        return await suppress(connection, account_id, entries)


async def take_away(house: House, address: str, *causes: Cause) -> int:
    async with house.pool.acquire() as connection, connection.transaction():
        return await lift(connection, ACCOUNT, [address], causes or None)


def ago(**age: float) -> datetime:
    return datetime.now(UTC) - timedelta(**age)


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        ("bounce", HELD),
        ("complaint", HELD),
        ("unsubscribe", UNSUBSCRIBED),
        ("manual", EXCLUDED),
        ("import", EXCLUDED),
        ("erasure", DELETED),
    ],
)
async def test_a_suppressed_address_is_not_sent_with_the_code_of_its_cause(
    house: House, cause: Cause, code: int
) -> None:
    await put(house, Entry("Ann@EXAMPLE.com", cause))
    await house.accept([Person("c1", "ann@example.com", "m1"), Person("c2", "ben@example.com", "m2")])
    assert await Hand(house, "w").work() == ["m2"]
    assert await house.final() == {"m1": ("not_sent", code), "m2": ("sent", None)}


async def test_copies_to_suppressed_addresses_are_left_out_and_recorded_and_the_message_goes_on(house: House) -> None:
    code = "%%=Lowercase(Boss)=%%"
    left_out = {"written": "archive@example.com", "attribute": "%%Boss%%", "code": code, "waits": code}
    for key, entry in left_out.items():
        text = "%%=ContentBlockByKey('none', '', 0)=%%Hello" if key == "waits" else "Hello"
        await house.define(key, text=text, cc=(entry, "fine@example.com"), bcc=("gone@example.com",))
        await house.accept([Person(f"c-{key}", f"{key}@example.com", key, BOSS)], key)
    await put(house, Entry("Archive@example.com", "manual"), Entry("gone@example.com", "erasure"))
    slices = await (hand := Hand(house, "w")).claim()
    loaded = await hand.load(slices)
    assert {message.message_key: message.left_out for message in loaded.messages} == dict.fromkeys(
        left_out, (("archive@example.com", "manual"), ("gone@example.com", "erasure"))
    )
    await hand.settle(slices, loaded)
    assert await house.final() == dict.fromkeys(left_out, ("sent", None))
    details = await house.pool.fetch("select detail from event where kind = 'sent'")
    assert {json.dumps(json.loads(row["detail"])["left_out"]) for row in details} == {
        '[["archive@example.com", "manual"], ["", "erasure"]]'
    }


async def test_of_several_causes_the_heaviest_gives_the_code(house: House) -> None:
    await put(house, Entry("ann@example.com", "manual"), Entry("ann@example.com", "unsubscribe"))
    assert await suppressed(house.pool, ACCOUNT, ["ann@example.com"]) == {"ann@example.com": "unsubscribe"}
    await put(house, Entry("ann@example.com", "complaint"))
    assert await suppressed(house.pool, ACCOUNT, ["ann@example.com"]) == {"ann@example.com": "complaint"}


async def test_a_suppressed_recipient_makes_no_contact_and_changes_none(house: House) -> None:
    await house.accept([Person("c1", "ann@example.com", "m1")])
    await Hand(house, "w").work()
    await put(house, Entry("new@example.com", "manual"))
    await house.accept([Person("c1", "new@example.com", "m2"), Person("c2", "new@example.com", "m3")])
    await Hand(house, "w").work()
    rows = await house.pool.fetch("select contact_key, address from contact")
    assert [tuple(row) for row in rows] == [("c1", "ann@example.com")]


async def test_a_suppression_between_two_attempts_stops_the_second(house: House) -> None:
    await house.accept([Person("c1", "ann@example.com", "m1")])
    await Hand(house, "w").work(lambda _: Deferred())
    await put(house, Entry("ann@example.com", "bounce"))
    await house.make_due()
    assert await Hand(house, "w").work() == []
    assert await house.final() == {"m1": ("not_sent", HELD)}


async def test_a_lifted_or_expired_suppression_stops_nothing(house: House) -> None:
    await put(
        house,
        Entry("ann@example.com", "bounce"),
        Entry("ben@example.com", "bounce", expires_at=ago(seconds=1)),
        Entry("cid@example.com", "bounce", expires_at=ago(days=-1)),
    )
    assert await take_away(house, "ANN@example.com") == 1
    people = [Person(name, f"{name}@example.com", name) for name in ("ann", "ben", "cid")]
    await house.accept(people)
    assert await Hand(house, "w").work() == ["ann", "ben"]


async def test_lifting_one_cause_leaves_the_others(house: House) -> None:
    await put(house, Entry("ann@example.com", "bounce"), Entry("ann@example.com", "manual"))
    assert await take_away(house, "ann@example.com", "bounce") == 1
    assert await suppressed(house.pool, ACCOUNT, ["ann@example.com"]) == {"ann@example.com": "manual"}


async def test_a_suppression_is_its_business_units_own(house: House) -> None:
    await house.open_account(OTHER)
    await put(house, Entry("ann@example.com", "bounce"), account_id=OTHER)
    assert await suppressed(house.pool, ACCOUNT, ["ann@example.com"]) == {}
    (row,) = await list_suppressions(house.pool, OTHER, limit=10)
    assert await find_suppression(house.pool, ACCOUNT, row.suppression_id) is None
    assert await lift_one(house.pool, ACCOUNT, row.suppression_id) is None
    assert await take_away(house, "ann@example.com") == 0
    assert await suppressed(house.pool, OTHER, ["ann@example.com"]) == {"ann@example.com": "bounce"}
    await put(house, Entry("ann@example.com", "bounce"))
    hashes = await house.pool.fetch("select distinct address_hash from suppression")
    assert len(hashes) == 2


async def test_adding_again_replaces_the_evidence_and_keeps_the_later_expiry(house: House) -> None:
    soon, later = ago(days=-1), ago(days=-9)
    assert await put(house, Entry("ann@example.com", "bounce", "first", later)) == Written(1, 0)
    assert await put(house, Entry("ann@example.com", "bounce", "second", soon)) == Written(0, 1)
    (row,) = await suppressions_of(house.pool, ACCOUNT, "ann@example.com")
    assert (row.evidence, row.expires_at) == ("second", later)
    await put(house, Entry("ann@example.com", "bounce"))
    await put(house, Entry("ann@example.com", "bounce", expires_at=soon))
    (row,) = await suppressions_of(house.pool, ACCOUNT, "ann@example.com")
    assert row.expires_at is None


async def test_twice_in_one_call_is_one_row(house: House) -> None:
    later = ago(days=-9)
    entries = [Entry("ann@example.com", "import", expires_at=later), Entry("Ann@Example.com", "import", "last")]
    assert await put(house, *entries) == Written(1, 0)
    (row,) = await suppressions_of(house.pool, ACCOUNT, "ann@example.com")
    assert (row.evidence, row.expires_at) == ("last", None)


async def test_what_is_no_address_leaves_nothing_written(house: House) -> None:
    with pytest.raises(AddressInvalid, match="'ann' is not an email address"):
        await put(house, Entry("ben@example.com", "manual"), Entry("ann", "manual"))
    assert await house.count("suppression") == 0


async def test_pages_go_on_after_the_last_number(house: House) -> None:
    await put(house, *(Entry(f"p{number}@example.com", "import") for number in range(7)))
    await put(house, Entry("ann@example.org", "bounce"), Entry("old@example.com", "manual", expires_at=ago(days=1)))
    seen: list[str | None] = []
    after = 0
    while page := await list_suppressions(house.pool, ACCOUNT, after=after, limit=3):
        seen += [row.address for row in page]
        after = page[-1].suppression_id
    assert sorted(filter(None, seen)) == ["ann@example.org", *(f"p{number}@example.com" for number in range(7))]
    found = await list_suppressions(house.pool, ACCOUNT, limit=10, containing="EXAMPLE.ORG")
    assert [row.address for row in found] == ["ann@example.org"]
    found = await list_suppressions(house.pool, ACCOUNT, limit=10, cause="manual", expired=True)
    assert [row.address for row in found] == ["old@example.com"]


async def test_of_an_erased_address_only_the_hash_is_kept_and_nothing_brings_it_back(house: House) -> None:
    await put(house, Entry("ann@example.com", "bounce", "550 <ann@example.com> unknown"))
    await put(house, Entry("ann@example.com", "erasure", "asked by ann@example.com"))
    await put(house, Entry("ann@example.com", "complaint", "ann@example.com"))
    rows = await suppressions_of(house.pool, ACCOUNT, "Ann@example.com")
    assert [(row.cause, row.address, row.evidence) for row in rows] == [
        ("bounce", None, ""),
        ("erasure", None, ""),
        ("complaint", None, ""),
    ]
    assert await suppressed(house.pool, ACCOUNT, ["ann@example.com"]) == {"ann@example.com": "complaint"}
    assert "ann" not in str(await house.pool.fetch("select s::text from suppression s"))


async def test_forgetting_an_address_keeps_it_suppressed(house: House) -> None:
    await put(house, Entry("ann@example.com", "manual", "ann wrote"), Entry("ben@example.com", "manual"))
    async with house.pool.acquire() as connection, connection.transaction():
        assert await forget_addresses(connection, ACCOUNT, ["Ann@example.com"]) == 1
    (row,) = await suppressions_of(house.pool, ACCOUNT, "ann@example.com")
    assert (row.address, row.evidence, row.cause) == (None, "", "manual")


async def test_a_business_unit_that_never_suppressed_is_not_looked_up(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def looked_up(*_arguments: object) -> dict[str, Cause]:
        raise AssertionError("the table was asked")

    monkeypatch.setattr("postroom.audience.suppression.SuppressionList.suppressed", looked_up)
    await house.accept([Person("c1", "ann@example.com", "m1")])
    assert await Hand(house, "w").work() == ["m1"]
