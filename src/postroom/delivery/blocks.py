"""Content blocks for templates: the assets of one business unit, by key, by id, or by folder and name.

Read once a claim: what a block says does not change between two messages that were claimed together.
"""

import asyncio

import asyncpg

from postroom.catalog.template_check import block_source
from postroom.content.ampscript.run import Block, BlockKind
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

_ROOT = "content builder\\"
_HIGHEST_ID = 2**63 - 1


class AssetBlocks:
    """A BlockStore on the table of assets, for the messages of one claim."""

    def __init__(self, pool: Pool, account_id: int) -> None:
        self._pool = pool
        self._account_id = account_id
        self._found: dict[tuple[BlockKind, str], asyncio.Task[Block | None]] = {}

    async def find(self, kind: BlockKind, name: str) -> Block | None:
        """By customer key, by numeric id, or by ``folder\\path\\name``; None when there is none."""
        wanted = (kind, name.strip().lower())
        looking = self._found.get(wanted)
        if looking is None:
            looking = self._found[wanted] = asyncio.ensure_future(self._read(kind, name.strip()))
        try:
            return await asyncio.shield(looking)
        except Exception:
            self._found.pop(wanted, None)
            raise

    async def _read(self, kind: BlockKind, name: str) -> Block | None:
        if "\0" in name:
            return None
        if kind == "key":
            row = await self._pool.fetchrow(_BY_KEY, self._account_id, name)
        elif kind == "id":
            number = int(name) if name.isascii() and name.isdigit() and len(name) < 20 else 0
            row = await self._pool.fetchrow(_BY_ID, self._account_id, number) if 0 < number <= _HIGHEST_ID else None
        else:
            row = await self._by_name(name)
        return None if row is None else Block(f"asset {row['asset_id']}", block_source(row["content"], row["views"]))

    async def _by_name(self, path: str) -> asyncpg.Record | None:
        folder, _, name = path.rpartition("\\")
        rows = await self._pool.fetch(_BY_NAME, self._account_id, name)
        if not folder:
            # Without a folder the name alone must say which one is meant.
            return rows[0] if len(rows) == 1 else None
        wanted = _below_root(folder + "\\")
        return next((row for row in rows if _below_root(row["folder"]) == wanted), None)


def _below_root(folder: str) -> str:
    return folder.lower().removeprefix(_ROOT)
