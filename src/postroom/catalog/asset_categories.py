"""The folders of Content Builder. Every business unit has a root, whose parent is 0 (contract §7.1)."""

from dataclasses import dataclass

import asyncpg

from postroom.store.database import Database

_COLUMNS = "category_id, parent_id, name, description"

_PAGE = f"""
    select {_COLUMNS}, count(*) over () as total from asset_category
     where account_id = $1 and ($2::bigint is null or parent_id = $2)
       and ($3::text is null or lower(name collate "C") = lower($3::text collate "C"))
     order by category_id limit $4 offset $5
"""  # noqa: S608

_COUNT = """
    select count(*) from asset_category
     where account_id = $1 and ($2::bigint is null or parent_id = $2)
       and ($3::text is null or lower(name collate "C") = lower($3::text collate "C"))
"""

_FIND = f"select {_COLUMNS} from asset_category where account_id = $1 and category_id = $2"  # noqa: S608

_CREATE = f"""
    insert into asset_category (account_id, parent_id, name, description)
    select $1, category_id, $3, $4 from asset_category where account_id = $1 and category_id = $2
    returning {_COLUMNS}
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class AssetCategory:
    """A folder; ``parent_id`` is 0 for the root."""

    category_id: int
    parent_id: int
    name: str
    description: str


class CategoryNameTaken(Exception):
    """The parent has another folder of this name."""


async def page_categories(
    database: Database, account_id: int, *, parent_id: int | None, name: str | None, page: int, page_size: int
) -> tuple[list[AssetCategory], int]:
    """One page of the folders (under this parent, of this name), oldest first, and how many there are in all."""
    rows = await database.fetch(_PAGE, account_id, parent_id, name, page_size, (page - 1) * page_size)
    total = rows[0]["total"] if rows else await database.fetchval(_COUNT, account_id, parent_id, name)
    return [_category(row) for row in rows], total


async def find_category(database: Database, account_id: int, category_id: int) -> AssetCategory | None:
    """The folder of this number."""
    row = await database.fetchrow(_FIND, account_id, category_id)
    return None if row is None else _category(row)


async def create_category(
    database: Database, account_id: int, parent_id: int, name: str, description: str
) -> AssetCategory | None:
    """Make a folder; None when there is no such parent. Raises CategoryNameTaken."""
    try:
        row = await database.fetchrow(_CREATE, account_id, parent_id, name, description)
    except asyncpg.UniqueViolationError:
        raise CategoryNameTaken(name) from None
    return None if row is None else _category(row)


def _category(row: asyncpg.Record) -> AssetCategory:
    return AssetCategory(row["category_id"], row["parent_id"], row["name"], row["description"])
