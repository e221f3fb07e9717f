"""Content blocks and images for templates: the assets of one business unit, by key, by id, or by folder and name.

Read once a claim: what a block says does not change between two messages that were claimed together.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import asyncpg

from postroom.catalog.assets import file_path
from postroom.catalog.template_check import block_source
from postroom.content.ampscript.run import Block, BlockKind, Image, ImageKind
from postroom.store.pool import Pool

_BY_KEY = """
select asset_id, content, views, '' as folder from asset
where account_id = $1 and lower(customer_key collate "C") = lower($2::text collate "C")
"""

_BY_ID = "select asset_id, content, views, '' as folder from asset where account_id = $1 and asset_id = $2"

_BY_NAME = """
with recursive placed as (
    select a.asset_id, a.content, a.views, a.category_id as above, ''::text as folder
    from asset a
    where a.account_id = $1 and lower(a.name collate "C") = lower($2::text collate "C")
    union all
    select p.asset_id, p.content, p.views, c.parent_id, c.name || '\\' || p.folder
    from placed p
    join asset_category c on c.account_id = $1 and c.category_id = p.above)
select p.asset_id, p.content, p.views, p.folder
from placed p
where not exists (select from asset_category c where c.account_id = $1 and c.category_id = p.above)
order by p.asset_id
"""

_IMAGE_BY_KEY = """
select a.asset_id, a.name, f.public_key, f.name as file_name
from asset a join asset_file f on f.account_id = $1 and f.asset_id = a.asset_id
where a.account_id = $1 and lower(a.customer_key collate "C") = lower($2::text collate "C")
  and f.media_type like 'image/%'
"""

_IMAGE_BY_ID = """
select a.asset_id, a.name, f.public_key, f.name as file_name
from asset a join asset_file f on f.account_id = $1 and f.asset_id = a.asset_id
where a.account_id = $1 and a.asset_id = $2 and f.media_type like 'image/%'
"""

_ROOT = "content builder\\"
_HIGHEST_ID = 2**63 - 1

_Wanted = TypeVar("_Wanted")
_Found = TypeVar("_Found")


class AssetBlocks:
    """A BlockStore on the table of assets, for the messages of one claim."""

    def __init__(self, pool: Pool, account_id: int) -> None:
        self._pool = pool
        self._account_id = account_id
        self._found: dict[tuple[BlockKind, str], asyncio.Task[Block | None]] = {}
        self._images: dict[tuple[ImageKind, str], asyncio.Task[Image | None]] = {}

    async def find(self, kind: BlockKind, name: str) -> Block | None:
        """By customer key, by numeric id, or by ``folder\\path\\name``; None when there is none."""
        wanted = (kind, name.strip().lower())
        return await _once(self._found, wanted, lambda: self._read(kind, name.strip()))

    async def image(self, kind: ImageKind, name: str) -> Image | None:
        """By customer key, or by numeric id; None when there is none."""
        wanted = (kind, name.strip().lower())
        return await _once(self._images, wanted, lambda: self._read_image(kind, name.strip()))

    async def _read(self, kind: BlockKind, name: str) -> Block | None:
        if "\0" in name:
            return None
        if kind == "key":
            row = await self._pool.fetchrow(_BY_KEY, self._account_id, name)
        elif kind == "id":
            number = _number(name)
            row = await self._pool.fetchrow(_BY_ID, self._account_id, number) if number else None
        else:
            row = await self._by_name(name)
        return None if row is None else Block(f"asset {row['asset_id']}", block_source(row["content"], row["views"]))

    async def _read_image(self, kind: ImageKind, name: str) -> Image | None:
        if kind == "key":
            row = None if "\0" in name else await self._pool.fetchrow(_IMAGE_BY_KEY, self._account_id, name)
        else:
            number = _number(name)
            row = await self._pool.fetchrow(_IMAGE_BY_ID, self._account_id, number) if number else None
        if row is None:
            return None
        path = file_path(self._account_id, row["public_key"], row["file_name"])
        return Image(str(row["asset_id"]), f"/{path}", row["name"])

    async def _by_name(self, path: str) -> asyncpg.Record | None:
        folder, _, name = path.rpartition("\\")
        rows = await self._pool.fetch(_BY_NAME, self._account_id, name)
        if not folder:
            # Without a folder the name alone must say which one is meant.
            return rows[0] if len(rows) == 1 else None
        wanted = _below_root(folder + "\\")
        return next((row for row in rows if _below_root(row["folder"]) == wanted), None)


async def _once(
    asked: dict[_Wanted, asyncio.Task[_Found]], wanted: _Wanted, read: Callable[[], Coroutine[Any, Any, _Found]]
) -> _Found:
    """What was found for the same before, or is being looked for."""
    looking = asked.get(wanted)
    if looking is None:
        looking = asked[wanted] = asyncio.ensure_future(read())
    try:
        return await asyncio.shield(looking)
    except Exception:
        asked.pop(wanted, None)
        raise


def _number(text: str) -> int:
    """The id that ``text`` writes; 0 for anything else."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
    return number if number <= _HIGHEST_ID else 0


def _below_root(folder: str) -> str:
    return folder.lower().removeprefix(_ROOT)
