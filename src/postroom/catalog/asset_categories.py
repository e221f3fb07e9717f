"""The folders of Content Builder. Every business unit has a root, whose parent is 0 (contract §7.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import asyncpg

from postroom.store.database import Connection, Database

CategoryOrder: TypeAlias = Literal["category_id", "name", "parent_id"]

_COLUMNS = "category_id, parent_id, name, description"

_PAGE = f"""
    select {_COLUMNS}, count(*) over () as total from asset_category
     where account_id = $1 and ($2::bigint is null or parent_id = $2)
       and ($3::text is null or lower(name collate "C") = lower($3::text collate "C"))
     order by {{order}} limit $4 offset $5
"""  # noqa: S608

_ORDERS: Mapping[CategoryOrder, str] = {
    "category_id": "category_id {way}",
    "name": 'lower(name) collate "C" {way}, category_id',
    "parent_id": "parent_id {way}, category_id",
}

_COUNT = """
    select count(*) from asset_category
     where account_id = $1 and ($2::bigint is null or parent_id = $2)
       and ($3::text is null or lower(name collate "C") = lower($3::text collate "C"))
"""

_FIND = f"select {_COLUMNS} from asset_category where account_id = $1 and category_id = $2"  # noqa: S608

_CREATE = f"""
    insert into asset_category (account_id, parent_id, name, description)
    select $1, category_id, $3, $4 from asset_category where account_id = $1 and category_id = $2 for share
    returning {_COLUMNS}
"""  # noqa: S608

# Folders are few, and whoever changes the tree changes it alone.
_LOCK = f"select {_COLUMNS} from asset_category where account_id = $1 order by category_id for update"  # noqa: S608

_CHANGE = """
    update asset_category set parent_id = $3, name = $4, description = $5 where account_id = $1 and category_id = $2
"""

_DELETE = "delete from asset_category where account_id = $1 and category_id = $2"

_HAS_ASSETS = "select exists (select from asset where account_id = $1 and category_id = $2)"


@dataclass(frozen=True, slots=True)
class AssetCategory:
    """A folder; ``parent_id`` is 0 for the root."""

    category_id: int
    parent_id: int
    name: str
    description: str


class CategoryNameTaken(Exception):
    """The parent has another folder of this name."""


class CategoryFixed(Exception):
    """The folder can't be changed or deleted so; the text says why."""


class CategoryMisplaced(Exception):
    """The folder can't be put there; the text says why."""


async def page_categories(
    database: Database,
    account_id: int,
    *,
    parent_id: int | None,
    name: str | None,
    order: CategoryOrder,
    descending: bool,
    page: int,
    page_size: int,
) -> tuple[list[AssetCategory], int]:
    """One page of the folders (under this parent, of this name), and how many there are in all."""
    statement = _PAGE.format(order=_ORDERS[order].format(way="desc" if descending else "asc"))
    rows = await database.fetch(statement, account_id, parent_id, name, page_size, (page - 1) * page_size)
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


async def change_category(
    connection: Connection,
    account_id: int,
    category_id: int,
    *,
    parent_id: int | None,
    name: str | None,
    description: str | None,
) -> AssetCategory | None:
    """Rename or move a folder; what is None stays. None when there is no such folder.

    Raises CategoryNameTaken, CategoryFixed for the root, CategoryMisplaced. Needs a transaction.
    """
    folders = await _locked(connection, account_id)
    found = folders.get(category_id)
    if found is None:
        return None
    if found.parent_id == 0:
        raise CategoryFixed("the root folder stays as it is")
    wanted = replace(
        found,
        parent_id=found.parent_id if parent_id is None else parent_id,
        name=name or found.name,
        description=found.description if description is None else description,
    )
    above = wanted.parent_id
    if above not in folders:
        raise CategoryMisplaced("there is no such category")
    while above:
        if above == category_id:
            raise CategoryMisplaced("a category can't be put below itself")
        above = folders[above].parent_id
    try:
        await connection.execute(_CHANGE, account_id, category_id, wanted.parent_id, wanted.name, wanted.description)
    except asyncpg.UniqueViolationError:
        raise CategoryNameTaken(wanted.name) from None
    return wanted


async def delete_category(connection: Connection, account_id: int, category_id: int) -> bool:
    """Delete an empty folder; False when there is none. Raises CategoryFixed. Needs a transaction."""
    folders = await _locked(connection, account_id)
    found = folders.get(category_id)
    if found is None:
        return False
    if found.parent_id == 0:
        raise CategoryFixed("the root folder stays as it is")
    if any(folder.parent_id == category_id for folder in folders.values()):
        raise CategoryFixed("the category has other categories in it; delete or move those first")
    if await connection.fetchval(_HAS_ASSETS, account_id, category_id):
        raise CategoryFixed("the category has assets in it; delete or move those first")
    await connection.execute(_DELETE, account_id, category_id)
    return True


async def _locked(connection: Connection, account_id: int) -> dict[int, AssetCategory]:
    return {row["category_id"]: _category(row) for row in await connection.fetch(_LOCK, account_id)}


def _category(row: asyncpg.Record) -> AssetCategory:
    return AssetCategory(row["category_id"], row["parent_id"], row["name"], row["description"])
