"""Content Builder assets, so far as a definition needs them: the emails it sends are made from (contract §7.1).

An asset is kept as the client sent it. What a definition sends is a copy taken when the definition was published
(`catalog.versions`), so changing an asset changes no mail until then.
"""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

import asyncpg

from postroom.store.database import Connection, Database

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
    230: "jsonmessage",
    20: "gif",
    22: "jpeg",
    23: "jpg",
    28: "png",
    127: "pdf",
}
EMAIL_TYPES = frozenset({207, 208, 209})

FILE_TYPES = {20: "image/gif", 22: "image/jpeg", 23: "image/jpeg", 28: "image/png", 127: "application/pdf"}
"""The media types of the assets that are files: images and PDF documents."""

FILES = "files"
"""The first segment of a public URL's path: /files/{MID}/{key}/{name}."""

COLUMNS = """
    asset.asset_id, asset.customer_key, asset.object_id, asset.asset_type, asset.name, asset.description,
    asset.content, asset.views, asset.document, asset.created_at, asset.modified_at,
    coalesce(asset.category_id, category.category_id) as category_id, category.name as category_name,
    category.parent_id, file.public_key, file.name as file_name, octet_length(file.content) as file_size
"""

# An asset without a folder lies in the root.
TABLES = """
    asset
    left join asset_category category
      on category.account_id = asset.account_id
     and category.category_id = coalesce(asset.category_id, (
         select category_id from asset_category where account_id = $1 and parent_id = 0 order by category_id limit 1))
    left join asset_file file on file.account_id = asset.account_id and file.asset_id = asset.asset_id
"""

_CREATE = """
    insert into asset (account_id, customer_key, object_id, asset_type, name, description, content, views, document,
                       category_id)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    returning asset_id
"""

_BY_ID = f"select {COLUMNS} from {TABLES} where asset.account_id = $1 and asset.asset_id = $2"  # noqa: S608

_FOR_CHANGE = _BY_ID + " for update of asset"

_BY_KEY = f"""
    select {COLUMNS} from {TABLES}
     where asset.account_id = $1 and lower(asset.customer_key collate "C") = lower($2::text collate "C")
"""  # noqa: S608

_REPLACE = """
    update asset set customer_key = $3, asset_type = $4, name = $5, description = $6, content = $7, views = $8,
                     document = $9, category_id = $10, modified_at = now()
     where account_id = $1 and asset_id = $2
    returning true
"""

_DELETE = "delete from asset where account_id = $1 and asset_id = $2 returning true"

_KEEP_FILE = """
    insert into asset_file (account_id, asset_id, name, media_type, content) values ($1, $2, $3, $4, $5)
    on conflict (account_id, asset_id) do update
       set name = excluded.name, media_type = excluded.media_type, content = excluded.content
"""

_FILE = "select media_type, content from asset_file where account_id = $1 and public_key = $2"

_FILE_OF = "select name, media_type, content from asset_file where account_id = $1 and asset_id = $2"


@dataclass(frozen=True, slots=True)
class FileDraft:
    """The bytes of an image asset and the name they are served under."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Where an asset's bytes are to be found; ``size`` is in bytes."""

    public_key: UUID
    name: str
    size: int


def file_path(account_id: int, public_key: UUID, name: str) -> str:
    """Where a stored file is to be had, below the public URL; who has it needs no token."""
    return f"{FILES}/{account_id}/{public_key}/{quote(name, safe='')}"


@dataclass(frozen=True, slots=True)
class Folder:
    """The category an asset lies in; name and parent are None for one that only the client knows."""

    category_id: int
    name: str | None
    parent_id: int | None


@dataclass(frozen=True, slots=True)
class AssetDraft:
    """What a client says of an asset. ``views`` and ``document`` are JSON objects, as text; ``document`` holds
    the fields that mean nothing to the server and are given back as they came. ``category_id`` None is the root;
    ``file`` None leaves the stored bytes as they are."""

    customer_key: str
    asset_type: int
    name: str
    description: str
    content: str | None
    views: str
    document: str
    category_id: int | None = None
    file: FileDraft | None = None


@dataclass(frozen=True, slots=True)
class Asset:
    """A stored asset of a business unit."""

    account_id: int
    asset_id: int
    object_id: UUID
    draft: AssetDraft
    folder: Folder | None
    file: StoredFile | None
    created_at: datetime
    modified_at: datetime

    @property
    def is_email(self) -> bool:
        """Whether a definition can send it."""
        return self.draft.asset_type in EMAIL_TYPES


class AssetKeyTaken(Exception):
    """Another asset of the business unit has this customerKey."""


async def create_asset(connection: Database, account_id: int, object_id: UUID, draft: AssetDraft) -> Asset:
    """Store a new asset within the caller's transaction. Raises AssetKeyTaken."""
    try:
        asset_id = await connection.fetchval(
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
            draft.category_id,
        )
    except asyncpg.UniqueViolationError:
        raise AssetKeyTaken(draft.customer_key) from None
    return await _written(connection, account_id, asset_id, draft.file)


async def get_asset(database: Database, account_id: int, asset_id: int) -> Asset | None:
    """The asset of this number."""
    row = await database.fetchrow(_BY_ID, account_id, asset_id)
    return None if row is None else asset_of_row(account_id, row)


async def lock_asset(connection: Connection, account_id: int, asset_id: int) -> Asset | None:
    """As `get_asset`, and nobody else changes it until the transaction ends."""
    row = await connection.fetchrow(_FOR_CHANGE, account_id, asset_id)
    return None if row is None else asset_of_row(account_id, row)


async def find_asset(database: Database, account_id: int, customer_key: str) -> Asset | None:
    """The asset with this customerKey; letter case does not matter."""
    row = await database.fetchrow(_BY_KEY, account_id, customer_key)
    return None if row is None else asset_of_row(account_id, row)


async def replace_asset(connection: Connection, account_id: int, asset_id: int, draft: AssetDraft) -> Asset | None:
    """Write the asset anew under its number, within the caller's transaction; None when there is none.

    Raises AssetKeyTaken.
    """
    try:
        found = await connection.fetchval(
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
            draft.category_id,
        )
    except asyncpg.UniqueViolationError:
        raise AssetKeyTaken(draft.customer_key) from None
    return None if found is None else await _written(connection, account_id, asset_id, draft.file)


async def delete_asset(database: Database, account_id: int, asset_id: int) -> bool:
    """Remove the asset; False when there is none. Published definitions keep their copy."""
    return bool(await database.fetchval(_DELETE, account_id, asset_id))


async def public_file(database: Database, account_id: int, public_key: UUID) -> FileDraft | None:
    """The bytes behind a public URL; its name is not looked at."""
    row = await database.fetchrow(_FILE, account_id, public_key)
    return None if row is None else FileDraft("", row["media_type"], row["content"])


async def asset_file(database: Database, account_id: int, asset_id: int) -> FileDraft | None:
    """The bytes of the asset of this number; None when it is no file."""
    row = await database.fetchrow(_FILE_OF, account_id, asset_id)
    return None if row is None else FileDraft(row["name"], row["media_type"], row["content"])


async def _written(connection: Database, account_id: int, asset_id: int, file: FileDraft | None) -> Asset:
    if file is not None:
        await connection.execute(_KEEP_FILE, account_id, asset_id, file.name, file.media_type, file.content)
    asset = await get_asset(connection, account_id, asset_id)
    assert asset is not None
    return asset


def asset_of_row(account_id: int, row: asyncpg.Record) -> Asset:
    """A row of ``COLUMNS``."""
    category_id = row["category_id"]
    draft = AssetDraft(
        customer_key=row["customer_key"],
        asset_type=row["asset_type"],
        name=row["name"],
        description=row["description"],
        content=row["content"],
        views=row["views"],
        document=row["document"],
        category_id=category_id,
    )
    folder = None if category_id is None else Folder(category_id, row["category_name"], row["parent_id"])
    key = row["public_key"]
    file = None if key is None else StoredFile(key, row["file_name"], row["file_size"])
    return Asset(
        account_id, row["asset_id"], row["object_id"], draft, folder, file, row["created_at"], row["modified_at"]
    )
