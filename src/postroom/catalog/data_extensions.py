"""Data extensions: typed tables of a business unit (contract §7.2). Their rows are `catalog.data_rows`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from uuid import UUID

import asyncpg
import msgspec

from postroom.catalog.data_columns import LONGEST_DECIMAL, LONGEST_TEXT, CellRejected, Column, check_default
from postroom.content.attributes import fold_name
from postroom.store.database import Connection, Database

MOST_COLUMNS = 500
LONGEST_NAME = 100
LONGEST_KEY = 36 * 2  # clients use names and two GUIDs as keys
LONGEST_COLUMN_NAME = 128
_LONGEST_KEY_COLUMNS = 900  # characters of all key columns together, the vendor's limit

_COLUMNS = """
    extension_id, object_id, extension_key, name, description, columns, subscriber_column, category_id, created_at,
    modified_at
"""

_CREATE = f"""
    insert into data_extension (account_id, object_id, extension_key, name, description, columns, subscriber_column,
                                category_id)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    returning {_COLUMNS}
"""  # noqa: S608

_BY_KEY = f"""
    select {_COLUMNS} from data_extension
     where account_id = $1 and lower(extension_key collate "C") = lower($2::text collate "C")
"""  # noqa: S608

_BY_NAME = f"""
    select {_COLUMNS} from data_extension
     where account_id = $1 and lower(name collate "C") = lower($2::text collate "C")
"""  # noqa: S608

_BY_OBJECT = f"select {_COLUMNS} from data_extension where account_id = $1 and object_id = $2"  # noqa: S608

_BY_ID = f"select {_COLUMNS} from data_extension where account_id = $1 and extension_id = $2"  # noqa: S608

_PAGE = f"""
    select {_COLUMNS}, (select count(*) from data_row
                         where account_id = $1 and data_row.extension_id = data_extension.extension_id) as row_count
      from data_extension
     where account_id = $1 and ($2::text is null or position(lower($2) in lower(name)) > 0)
       and ($3::bigint is null or category_id = $3)
     order by {{order}} limit $4 offset $5
"""  # noqa: S608

_COUNT = """
    select count(*) from data_extension
     where account_id = $1 and ($2::text is null or position(lower($2) in lower(name)) > 0)
       and ($3::bigint is null or category_id = $3)
"""

_LOCK = f"select {_COLUMNS} from data_extension where account_id = $1 and extension_id = $2 for update"  # noqa: S608

_ROW_COUNT = "select count(*) from data_row where account_id = $1 and extension_id = $2"

_REPLACE = f"""
    update data_extension set name = $3, description = $4, columns = $5, subscriber_column = $6, category_id = $7,
                              modified_at = now()
     where account_id = $1 and extension_id = $2
    returning {_COLUMNS}
"""  # noqa: S608

_DELETE = "delete from data_extension where account_id = $1 and extension_id = $2 returning true"

_USED_BY = """
    select definition_key from definition
     where account_id = $1 and lower(data_extension_key collate "C") = lower($2::text collate "C")
       and status <> 'Deleted'
     order by definition_key limit 1
"""

_columns = msgspec.json.Decoder(list[Column])


class ExtensionOrder(Enum):
    """What a listing can be ordered by: the wire name and the column."""

    NAME = ("name", 'lower(name collate "C")')
    KEY = ("key", 'lower(extension_key collate "C")')
    CREATED_DATE = ("createdDate", "created_at")
    MODIFIED_DATE = ("modifiedDate", "modified_at")


@dataclass(frozen=True, slots=True)
class ExtensionDraft:
    """A data extension to create; ``subscriber_column`` names the column of the contact key and makes it sendable."""

    key: str
    name: str
    description: str
    columns: tuple[Column, ...]
    subscriber_column: str | None = None
    category_id: int = 0


@dataclass(frozen=True, slots=True)
class DataExtension:
    """A data extension of a business unit."""

    account_id: int
    extension_id: int
    object_id: UUID
    key: str
    name: str
    description: str
    columns: tuple[Column, ...]
    subscriber_column: str | None
    category_id: int
    created_at: datetime
    modified_at: datetime

    @property
    def by_name(self) -> dict[str, Column]:
        """The columns by folded name."""
        return {column.folded: column for column in self.columns}

    @property
    def sendable(self) -> bool:
        """Whether a definition can name it."""
        return self.subscriber_column is not None

    @property
    def has_key(self) -> bool:
        """Whether rows have a primary key."""
        return any(column.primary_key for column in self.columns)


class ExtensionRejected(Exception):
    """The data extension can't be so; ``field`` is what is wrong with it, nothing was changed."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class ExtensionTaken(ExtensionRejected):
    """Another data extension of the business unit has this key or name."""


def checked(draft: ExtensionDraft) -> ExtensionDraft:
    """The draft with canonical defaults. Raises ExtensionRejected naming the field."""
    for field, text, longest in (("name", draft.name, LONGEST_NAME), ("key", draft.key, LONGEST_KEY)):
        if not text.strip():
            raise ExtensionRejected(field, "is required")
        if len(text) > longest:
            raise ExtensionRejected(field, f"has {len(text)} characters; at most {longest} are allowed")
    if not draft.columns:
        raise ExtensionRejected("fields", "at least one is required")
    if len(draft.columns) > MOST_COLUMNS:
        raise ExtensionRejected("fields", f"{len(draft.columns)} are given; at most {MOST_COLUMNS} are allowed")
    columns = tuple(_checked_column(place, column) for place, column in enumerate(draft.columns))
    seen: set[str] = set()
    for place, column in enumerate(columns):
        if column.folded in seen:
            raise ExtensionRejected(f"fields[{place}].name", f"{column.name!r} is there twice")
        seen.add(column.folded)
    key_characters = sum(column.length or LONGEST_TEXT for column in columns if column.primary_key and _is_text(column))
    if key_characters > _LONGEST_KEY_COLUMNS:
        raise ExtensionRejected(
            "fields",
            f"the primary key may have {key_characters} characters; bound its Text columns to {_LONGEST_KEY_COLUMNS}",
        )
    if draft.subscriber_column is not None and fold_name(draft.subscriber_column) not in seen:
        raise ExtensionRejected(
            "sendableCustomObjectField", f"there is no field called {draft.subscriber_column[:100]!r}"
        )
    return replace(draft, columns=columns)


def _is_text(column: Column) -> bool:
    return column.type == "Text"


def _checked_column(place: int, column: Column) -> Column:
    field = f"fields[{place}]"
    if not column.name.strip() or len(column.name) > LONGEST_COLUMN_NAME:
        raise ExtensionRejected(f"{field}.name", f"must have 1 to {LONGEST_COLUMN_NAME} characters")
    if any(ord(each) < 32 for each in column.name):
        raise ExtensionRejected(f"{field}.name", "must not hold control characters")
    if column.type == "Text" and column.length is not None and not 1 <= column.length <= LONGEST_TEXT:
        raise ExtensionRejected(f"{field}.length", f"must be from 1 to {LONGEST_TEXT}, or left out for a long text")
    if column.type == "Decimal":
        precision = 18 if column.length is None else column.length
        if not 1 <= precision <= LONGEST_DECIMAL:
            raise ExtensionRejected(f"{field}.length", f"must be from 1 to {LONGEST_DECIMAL}")
        if not 0 <= column.scale <= precision:
            raise ExtensionRejected(f"{field}.scale", f"must be from 0 to the field's length, {precision}")
        column = replace(column, length=precision)
    elif column.type != "Text":
        column = replace(column, length=None)
    if column.primary_key and column.nullable:
        column = replace(column, nullable=False)
    if column.primary_key and column.type == "Text" and column.length is None:
        raise ExtensionRejected(f"{field}.length", "is required for a primary key")
    try:
        return replace(column, default=check_default(column))
    except CellRejected as rejected:
        raise ExtensionRejected(f"{field}.defaultValue", str(rejected)) from None


async def create_extension(
    database: Database, account_id: int, object_id: UUID, draft: ExtensionDraft
) -> DataExtension:
    """Create it. Raises ExtensionRejected."""
    draft = checked(draft)
    try:
        row = await database.fetchrow(
            _CREATE,
            account_id,
            object_id,
            draft.key,
            draft.name,
            draft.description,
            msgspec.json.encode(draft.columns).decode(),
            draft.subscriber_column,
            draft.category_id,
        )
    except asyncpg.UniqueViolationError as error:
        raise _taken(error, draft.key, draft.name) from None
    assert row is not None
    return _extension(account_id, row)


async def find_extension(database: Database, account_id: int, key: str) -> DataExtension | None:
    """By its key; letter case does not matter."""
    row = await database.fetchrow(_BY_KEY, account_id, key)
    return None if row is None else _extension(account_id, row)


async def find_extension_by_name(database: Database, account_id: int, name: str) -> DataExtension | None:
    """By its name, and by its key when no name is so: what templates write. Letter case does not matter."""
    row = await database.fetchrow(_BY_NAME, account_id, name) or await database.fetchrow(_BY_KEY, account_id, name)
    return None if row is None else _extension(account_id, row)


async def find_extension_by_object(database: Database, account_id: int, object_id: UUID) -> DataExtension | None:
    """By the id that clients see."""
    row = await database.fetchrow(_BY_OBJECT, account_id, object_id)
    return None if row is None else _extension(account_id, row)


async def load_extension(database: Database, account_id: int, extension_id: int) -> DataExtension | None:
    """By its number."""
    row = await database.fetchrow(_BY_ID, account_id, extension_id)
    return None if row is None else _extension(account_id, row)


async def lock_extension(connection: Connection, account_id: int, extension_id: int) -> DataExtension | None:
    """By its number, for a change: nobody else changes it before the transaction ends."""
    row = await connection.fetchrow(_LOCK, account_id, extension_id)
    return None if row is None else _extension(account_id, row)


async def page_extensions(
    database: Database,
    account_id: int,
    *,
    search: str | None = None,
    category_id: int | None = None,
    order: ExtensionOrder = ExtensionOrder.NAME,
    descending: bool = False,
    page: int,
    page_size: int,
) -> tuple[list[tuple[DataExtension, int]], int]:
    """One page, each with the number of its rows, and how many there are in all; ``search`` is part of the name."""
    statement = _PAGE.format(order=f"{order.value[1]} {'desc' if descending else 'asc'}, extension_id")
    rows = await database.fetch(statement, account_id, search, category_id, page_size, (page - 1) * page_size)
    total = await database.fetchval(_COUNT, account_id, search, category_id)
    return [(_extension(account_id, row), row["row_count"]) for row in rows], total


async def count_rows(database: Database, extension: DataExtension) -> int:
    """How many rows it has."""
    number: int = await database.fetchval(_ROW_COUNT, extension.account_id, extension.extension_id)
    return number


async def change_extension(connection: Connection, current: DataExtension, draft: ExtensionDraft) -> DataExtension:
    """Bring it to another shape: columns may be added, and a Text may become longer; what rows hold stays true.

    Raises ExtensionRejected.
    """
    draft = checked(draft)
    _check_compatible(current.columns, draft.columns)
    try:
        row = await connection.fetchrow(
            _REPLACE,
            current.account_id,
            current.extension_id,
            draft.name,
            draft.description,
            msgspec.json.encode(draft.columns).decode(),
            draft.subscriber_column,
            draft.category_id,
        )
    except asyncpg.UniqueViolationError as error:
        raise _taken(error, draft.key, draft.name) from None
    if row is None:
        raise ExtensionRejected("key", f"the data extension {current.key!r} was deleted meanwhile")
    return _extension(current.account_id, row)


async def delete_extension(connection: Connection, extension: DataExtension) -> bool:
    """Remove it with its rows; False when it is gone. Raises ExtensionRejected while a definition names it."""
    used_by = await connection.fetchval(_USED_BY, extension.account_id, extension.key)
    if used_by is not None:
        raise ExtensionRejected("key", f"the definition {used_by!r} sends into it; change or delete that first")
    return bool(await connection.fetchval(_DELETE, extension.account_id, extension.extension_id))


def _check_compatible(old: Sequence[Column], new: Sequence[Column]) -> None:
    by_name = {column.folded: column for column in new}
    for column in old:
        other = by_name.pop(column.folded, None)
        if other is None:
            raise ExtensionRejected("fields", f"{column.name!r} is missing; a column can't be removed")
        longer = other.length is None or (column.length is not None and other.length >= column.length)
        if (
            other.type != column.type
            or other.primary_key != column.primary_key
            or other.scale != column.scale
            or not longer
            or (column.nullable and not other.nullable)
        ):
            raise ExtensionRejected("fields", f"{column.name!r} may only become longer or nullable")
    for column in by_name.values():
        if column.primary_key or (not column.nullable and column.default is None):
            raise ExtensionRejected("fields", f"{column.name!r} is new: it must be nullable or have a default")


def _taken(error: asyncpg.UniqueViolationError, key: str, name: str) -> ExtensionTaken:
    if error.constraint_name == "data_extension_by_name":
        return ExtensionTaken("name", f"there is already a data extension called {name!r}")
    return ExtensionTaken("key", f"there is already a data extension with key {key!r}")


def _extension(account_id: int, row: asyncpg.Record) -> DataExtension:
    return DataExtension(
        account_id=account_id,
        extension_id=row["extension_id"],
        object_id=row["object_id"],
        key=row["extension_key"],
        name=row["name"],
        description=row["description"],
        columns=tuple(_columns.decode(row["columns"])),
        subscriber_column=row["subscriber_column"],
        category_id=row["category_id"],
        created_at=row["created_at"],
        modified_at=row["modified_at"],
    )
