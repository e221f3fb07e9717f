"""Data extensions and content blocks in memory behave as a business unit's own do."""

from datetime import datetime
from decimal import Decimal

import pytest

from postroom.content.ampscript.faults import Fault
from postroom.content.ampscript.memory import MemoryBlocks, MemoryData, TablesRejected

SHOPS = {
    "Shops": {
        "fields": [
            {"name": "Id", "type": "Text", "primary_key": True},
            {"name": "Size", "type": "Number"},
            {"name": "Price", "type": "Decimal", "nullable": True},
            {"name": "Open", "type": "Boolean", "default": False},
            {"name": "Since", "type": "Date", "nullable": True},
        ],
        "rows": [
            {"Id": "a", "Size": 3, "Since": "2026-01-02 03:04:05"},
            {"Id": "B", "Size": "2", "Price": "1.50", "Open": "true"},
        ],
    }
}


def shops() -> MemoryData:
    return MemoryData.load(SHOPS)


async def test_cells_have_the_types_of_their_columns() -> None:
    rows = await shops().find("SHOPS", [])
    assert list(rows.columns) == ["Id", "Size", "Price", "Open", "Since"]
    assert list(rows.rows) == [
        ("a", 3, None, False, datetime(2026, 1, 2, 3, 4, 5)),  # noqa: DTZ001 system time is naive
        ("B", 2, Decimal("1.50"), True, None),
    ]


async def test_matching_ignores_case_unless_exact() -> None:
    data = shops()
    assert len((await data.find("Shops", [("id", "b")])).rows) == 1
    assert len((await data.find("Shops", [("id", "b")], exact=True)).rows) == 0
    assert len((await data.find("Shops", [("size", "3"), ("price", None)])).rows) == 1


@pytest.mark.parametrize(("descending", "first"), [(False, "B"), (True, "a")])
async def test_rows_come_in_order_and_no_more_than_wanted(descending: bool, first: str) -> None:
    rows = await shops().find("Shops", [], order=[("Size", descending)], limit=1)
    assert [row[0] for row in rows.rows] == [first]


async def test_writes() -> None:
    data = shops()
    assert await data.update("Shops", [("Id", "A")], [("Size", 9)]) == 1
    assert await data.update("Shops", [("Id", "nobody")], [("Size", 9)]) == 0
    assert await data.upsert("Shops", [("Id", "c")], [("Size", 1)]) == 1
    assert await data.insert("Shops", [("Id", "d"), ("Size", 1)]) == 1
    assert await data.delete("Shops", [("Size", 1)]) == 2
    assert await data.size("Shops") == 2


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ([("Id", "A"), ("Size", 1)], "DuplicateRow"),
        ([("Id", "x"), ("Size", "many")], "BadColumnValue"),
        ([("Id", "x"), ("Open", "perhaps")], "BadColumnValue"),
        ([("Id", "x"), ("Since", "never")], "BadColumnValue"),
        ([("Nope", "x")], "UnknownColumn"),
    ],
)
async def test_what_a_table_does_not_take(values: list[tuple[str, object]], code: str) -> None:
    with pytest.raises(Fault) as caught:
        await shops().insert("Shops", values)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("described", "says"),
    [
        ({"T": 5}, "data extension T: give an object"),
        ({"T": {"rows": [5]}}, "data extension T: rows is not a list of objects"),
        ({"T": {"fields": 5}}, "data extension T: fields is not a list"),
        ({"T": {"fields": [{}]}}, "data extension T: a field has no name"),
        ({"T": {"fields": [{"name": "a", "type": "x"}]}}, "data extension T: field a has type x"),
        ({"T": {"fields": [{"name": "a", "type": "Number"}], "rows": [{"a": "x"}]}}, "x is not a number"),
        ({"T": {"fields": [{"name": "a"}], "rows": [{"b": "x"}]}}, "has no column b"),
    ],
)
def test_a_description_that_cannot_be_read(described: dict[str, object], says: str) -> None:
    with pytest.raises(TablesRejected, match=says):
        MemoryData.load(described)


async def test_blocks_by_key_id_and_name() -> None:
    store = MemoryBlocks({"Foot": "k"}, {"42": "i"}, {"My\\Path": "n"})
    found = [await store.find("key", "foot"), await store.find("id", "42"), await store.find("name", "my\\path")]
    assert [block.source for block in found if block is not None] == ["k", "i", "n"]
    assert await store.find("key", "42") is None
