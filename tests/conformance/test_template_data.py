"""What templates read and write of data extensions, on PostgreSQL (ampscript.md §8, §14)."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import asyncpg
import msgspec
import pytest
import pytest_asyncio
from tests.conformance.house import ACCOUNT, House

from postroom.catalog.data_columns import Column
from postroom.catalog.data_extensions import ExtensionDraft, create_extension, delete_extension
from postroom.catalog.data_rows import NewRow, insert_rows
from postroom.content.ampscript.faults import MissingFault, ValueFault
from postroom.content.ampscript.values import DateTime
from postroom.delivery.data_access import ClaimData, MessageData, apply_writes
from postroom.store.pool import Pool

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
COLUMNS = (
    Column(name="Code", type="Text", length=20, primary_key=True, nullable=False),
    Column(name="Value", type="Decimal", length=10, scale=2),
    Column(name="Taken", type="Boolean", default="False"),
    Column(name="Who", type="Text", length=50),
    Column(name="Until", type="Date"),
)
ROWS: list[dict[str, object]] = [
    {"Code": "A", "Value": 5},
    {"Code": "B", "Value": "7.5", "Who": "ada"},
    {"Code": "C", "Value": 7.5, "Who": "ADA", "Until": "2026-12-01"},
    {"Code": "D", "Who": "o\x1eb"},
]


@pytest_asyncio.fixture(loop_scope="session")
async def data(house: House) -> ClaimData:
    """The data extension `Vouchers` with its rows."""
    made = await create_extension(house.pool, ACCOUNT, uuid4(), ExtensionDraft("vouchers-key", "Vouchers", "", COLUMNS))
    async with house.pool.acquire() as connection, connection.transaction():
        assert await insert_rows(connection, made, [NewRow(row) for row in ROWS], NOW) == [None] * len(ROWS)
    return ClaimData(house.pool, ACCOUNT)


def codes(found: object) -> str:
    """The codes of what was found."""
    rows = getattr(found, "rows")  # noqa: B009
    return "".join(str(row[0]) for row in rows)


async def stored(house: House) -> dict[str, dict[str, str]]:
    """All rows by code."""
    rows = await house.pool.fetch("select cells from data_row where account_id = $1 order by row_id", ACCOUNT)
    cells = [msgspec.json.decode(row["cells"]) for row in rows]
    return {each["code"]: each for each in cells}


async def settle(house: House, message: MessageData) -> list[str]:
    """What a settlement does with the writes."""
    async with house.pool.acquire() as connection, connection.transaction():
        return await apply_writes(connection, ACCOUNT, message.writes, NOW)


async def test_rows_are_found_by_equal_values_in_any_case(data: ClaimData) -> None:
    found = await data.rendering().find("vouchers", [("who", "Ada")])
    assert found.columns == ["Code", "Value", "Taken", "Who", "Until"]
    assert found.rows == [
        ("B", Decimal("7.50"), False, "ada", None),
        ("C", Decimal("7.50"), False, "ADA", datetime(2026, 12, 1)),  # noqa: DTZ001
    ]


@pytest.mark.parametrize(
    ("match", "found"),
    [
        ([("Code", "c")], "C"),
        ([("Code", "c"), ("Who", "ada")], "C"),
        ([("Code", "c"), ("Who", "bob")], ""),
        ([("Value", "7.50")], "BC"),
        ([("Value", "seven")], ""),
        ([("Until", DateTime(datetime(2026, 12, 1)))], "C"),  # noqa: DTZ001
        ([("Value", None)], "D"),
        ([("Who", "o\x1eb")], "D"),
        ([("Taken", "no"), ("Who", None)], "A"),
        ([], "ABCD"),
    ],
)
async def test_look_ups(data: ClaimData, match: list[tuple[str, object]], found: str) -> None:
    assert codes(await data.rendering().find("Vouchers", match)) == found


async def test_exact_ordered_and_limited_look_ups(data: ClaimData) -> None:
    message = data.rendering()
    assert codes(await message.find("Vouchers", [("Who", "ada")], exact=True)) == "B"
    assert codes(await message.find("Vouchers", [], order=[("Value", True), ("Code", True)])) == "CBAD"
    assert codes(await message.find("vouchers-key", [("Who", "ada")], limit=1)) == "B"
    assert await message.size("Vouchers") == 4


async def test_what_does_not_exist_is_missing(data: ClaimData) -> None:
    message = data.rendering()
    for table, column in (("Nothing", "Code"), ("Vouchers", "Nothing")):
        with pytest.raises(MissingFault):
            await message.find(table, [(column, "x")])
        with pytest.raises(MissingFault):
            await message.insert(table, [(column, "x")])
        with pytest.raises(MissingFault):
            await message.claim(table, column, "Who", "eve", [])
    with pytest.raises(MissingFault):
        await message.find("Vouchers", [], order=[("Nothing", False)])
    with pytest.raises(MissingFault):
        await ClaimData(data.pool, ACCOUNT + 1).rendering().find("Vouchers", [])


async def test_look_ups_of_many_messages_are_one_statement(data: ClaimData, monkeypatch: pytest.MonkeyPatch) -> None:
    await data.extension("Vouchers")
    statements: list[str] = []
    fetch = asyncpg.Pool.fetch

    async def counted(pool: Pool, query: str, *arguments: object) -> list[asyncpg.Record]:
        statements.append(query)
        return await fetch(pool, query, *arguments)

    monkeypatch.setattr(asyncpg.Pool, "fetch", counted)
    wanted = ["A", "B", "C", "x"] * 10
    found = await asyncio.gather(*(data.rendering().find("Vouchers", [("Code", code)]) for code in wanted))
    assert [codes(each) for each in found] == ["A", "B", "C", ""] * 10
    assert len(statements) == 1
    await data.rendering().find("Vouchers", [("Code", "A")])
    assert len(statements) == 1


async def test_writes_wait_for_the_settlement(house: House, data: ClaimData) -> None:
    before = await stored(house)
    message = data.rendering()
    await message.insert("Vouchers", [("code", "E"), ("Value", "1")])
    assert await message.update("Vouchers", [("Who", "ada")], [("Taken", True)]) == 2
    await message.upsert("Vouchers", [("Code", "F")], [("Who", "eve")])
    await message.upsert("Vouchers", [("Code", "a")], [("Value", None)])
    assert await message.delete("Vouchers", [("Code", "D")]) == 1
    assert await stored(house) == before
    assert await settle(house, message) == []
    assert await stored(house) == {
        "A": {"code": "A", "taken": "False"},
        "B": {"code": "B", "value": "7.50", "taken": "True", "who": "ada"},
        "C": before["C"] | {"taken": "True"},
        "E": {"code": "E", "value": "1.00", "taken": "False"},
        "F": {"code": "F", "taken": "False", "who": "eve"},
    }


async def test_a_write_that_can_not_be_stops_the_template(data: ClaimData) -> None:
    message = data.rendering()
    with pytest.raises(ValueFault, match="already has a row with Code a"):
        await message.insert("Vouchers", [("Code", "a")])
    for values in ([("Value", "much"), ("Code", "x")], [("Value", 1)], [("Code", None)], [("Code", "x" * 21)]):
        with pytest.raises(ValueFault):
            await message.insert("Vouchers", values)
    with pytest.raises(ValueFault, match="primary key"):
        await message.update("Vouchers", [("Who", "ada")], [("Code", "z")])
    assert message.writes == []


async def test_what_can_not_be_applied_any_more_is_told_and_the_rest_is_applied(house: House, data: ClaimData) -> None:
    first, second = data.rendering(), data.rendering()
    await first.insert("Vouchers", [("Code", "E")])
    await second.insert("Vouchers", [("Code", "e")])
    await second.insert("Vouchers", [("Code", "F")])
    assert await settle(house, first) == []
    (problem,) = await settle(house, second)
    assert "Code='e'" in problem
    assert list(await stored(house)) == ["A", "B", "C", "D", "E", "F"]
    await delete_it(house, data)
    assert len(await settle(house, second)) == 2


async def delete_it(house: House, data: ClaimData) -> None:
    async with house.pool.acquire() as connection, connection.transaction():
        await delete_extension(connection, await data.extension("Vouchers"))


async def test_a_row_is_claimed_once_and_the_claimant_gets_it_again(house: House, data: ClaimData) -> None:
    first = await data.rendering().claim("Vouchers", "Taken", "Who", "eve", [("Value", 3)])
    again = await ClaimData(house.pool, ACCOUNT).rendering().claim("Vouchers", "Taken", "Who", "EVE", [])
    assert first.rows == again.rows == [("A", Decimal("3.00"), True, "eve", None)]
    taken = [await data.rendering().claim("Vouchers", "Taken", "Who", f"p{n}", []) for n in range(4)]
    assert [codes(each) for each in taken] == ["B", "C", "D", ""]


async def test_many_claimants_at_once_get_a_row_each(house: House, data: ClaimData) -> None:
    people = ["p0", "p0", "p1", "p2", "p3", "p4"]
    claims = [ClaimData(house.pool, ACCOUNT).rendering().claim("Vouchers", "Taken", "Who", who, []) for who in people]
    found = [codes(each) for each in await asyncio.gather(*claims)]
    assert found[0] == found[1]
    assert sorted(found[1:]) == ["", "A", "B", "C", "D"]
