"""Content Builder assets, so far as a definition needs them: the emails it sends are made from (contract §7.1).

An asset is kept as the client sent it. What a definition sends is a copy taken when the definition was published
(`catalog.versions`), so changing an asset changes no mail until then.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from postroom.tenancy.database import Connection, Database

ASSET_TYPES = {
    4: "template",
    5: "message",
    196: "textblock",
    197: "htmlblock",
    207: "templatebasedemail",
    208: "htmlemail",
    209: "textonlyemail",
    214: "defaulttemplate",
    220: "codesnippetblock",
}
EMAIL_TYPES = frozenset({207, 208, 209})

_COLUMNS = """
    asset_id, customer_key, object_id, asset_type, name, description, content, views, document, created_at,
    modified_at
"""

_CREATE = f"""
    insert into asset (account_id, customer_key, object_id, asset_type, name, description, content, views, document)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    returning {_COLUMNS}
"""  # noqa: S608

_BY_ID = f"select {_COLUMNS} from asset where account_id = $1 and asset_id = $2"  # noqa: S608

_FOR_CHANGE = _BY_ID + " for update"

_BY_KEY = f"""
    select {_COLUMNS} from asset
     where account_id = $1 and lower(customer_key collate "C") = lower($2::text collate "C")
"""  # noqa: S608

_BY_NAME = f"""
    select {_COLUMNS} from asset where account_id = $1 and name = $2 order by asset_id limit $3 offset $4
"""  # noqa: S608

_COUNT_BY_NAME = "select count(*) from asset where account_id = $1 and name = $2"

_PAGE = f"""
    select {_COLUMNS} from asset where account_id = $1 order by asset_id limit $2 offset $3
"""  # noqa: S608

_COUNT = "select count(*) from asset where account_id = $1"

_REPLACE = f"""
    update asset set customer_key = $3, asset_type = $4, name = $5, description = $6, content = $7, views = $8,
                     document = $9, modified_at = now()
     where account_id = $1 and asset_id = $2
    returning {_COLUMNS}
"""  # noqa: S608

_DELETE = "delete from asset where account_id = $1 and asset_id = $2 returning true"


@dataclass(frozen=True, slots=True)
class AssetDraft:
    """What a client says of an asset. ``views`` and ``document`` are JSON objects, as text; ``document`` holds
    the fields that mean nothing to the server and are given back as they came."""

    customer_key: str
    asset_type: int
    name: str
    description: str
    content: str | None
    views: str
    document: str


@dataclass(frozen=True, slots=True)
class Asset:
    """A stored asset of a business unit."""

    account_id: int
    asset_id: int
    object_id: UUID
    draft: AssetDraft
    created_at: datetime
    modified_at: datetime

    @property
    def is_email(self) -> bool:
        """Whether a definition can send it."""
        return self.draft.asset_type in EMAIL_TYPES


class AssetKeyTaken(Exception):
    """Another asset of the business unit has this customerKey."""


async def create_asset(database: Database, account_id: int, object_id: UUID, draft: AssetDraft) -> Asset:
    """Store a new asset. Raises AssetKeyTaken."""
    try:
        row = await database.fetchrow(
            _CREATE,
            account_id,
            draft.customer_key,
            object_id,
            draft.asset_type,
            draft.name,
            draft.description,
            draft.content,
            draft.views,
            draft.document,
        )
    except asyncpg.UniqueViolationError:
        raise AssetKeyTaken(draft.customer_key) from None
    assert row is not None
    return _asset(account_id, row)


async def get_asset(database: Database, account_id: int, asset_id: int) -> Asset | None:
    """The asset of this number."""
    row = await database.fetchrow(_BY_ID, account_id, asset_id)
    return None if row is None else _asset(account_id, row)


async def lock_asset(connection: Connection, account_id: int, asset_id: int) -> Asset | None:
    """As `get_asset`, and nobody else changes it until the transaction ends."""
    row = await connection.fetchrow(_FOR_CHANGE, account_id, asset_id)
    return None if row is None else _asset(account_id, row)


async def find_asset(database: Database, account_id: int, customer_key: str) -> Asset | None:
    """The asset with this customerKey; letter case does not matter."""
    row = await database.fetchrow(_BY_KEY, account_id, customer_key)
    return None if row is None else _asset(account_id, row)


async def page_assets(
    database: Database, account_id: int, *, name: str | None, page: int, page_size: int
) -> tuple[list[Asset], int]:
    """One page of the assets, oldest first, and how many there are in all; with ``name`` only those called so."""
    offset = (page - 1) * page_size
    if name is None:
        rows = await database.fetch(_PAGE, account_id, page_size, offset)
        total = await database.fetchval(_COUNT, account_id)
    else:
        rows = await database.fetch(_BY_NAME, account_id, name, page_size, offset)
        total = await database.fetchval(_COUNT_BY_NAME, account_id, name)
    return [_asset(account_id, row) for row in rows], total


async def replace_asset(database: Database, account_id: int, asset_id: int, draft: AssetDraft) -> Asset | None:
    """Write the asset anew under its number; None when there is none. Raises AssetKeyTaken."""
    try:
        row = await database.fetchrow(
            _REPLACE,
            account_id,
            asset_id,
            draft.customer_key,
            draft.asset_type,
            draft.name,
            draft.description,
            draft.content,
            draft.views,
            draft.document,
        )
    except asyncpg.UniqueViolationError:
        raise AssetKeyTaken(draft.customer_key) from None
    return None if row is None else _asset(account_id, row)


async def delete_asset(database: Database, account_id: int, asset_id: int) -> bool:
    """Remove the asset; False when there is none. Published definitions keep their copy."""
    return bool(await database.fetchval(_DELETE, account_id, asset_id))


def _asset(account_id: int, row: asyncpg.Record) -> Asset:
    draft = AssetDraft(
        customer_key=row["customer_key"],
        asset_type=row["asset_type"],
        name=row["name"],
        description=row["description"],
        content=row["content"],
        views=row["views"],
        document=row["document"],
    )
    return Asset(account_id, row["asset_id"], row["object_id"], draft, row["created_at"], row["modified_at"])
