"""The asset routes that making a definition needs (contract §7.1)."""

import re
from collections.abc import Callable
from typing import Any

import msgspec
from uuid_utils.compat import uuid7

from postroom.api.definitions import HIGHEST_PAGE, LARGEST_PAGE_SIZE, number_field
from postroom.api.endpoint import Call
from postroom.api.errors import ApiError, Code
from postroom.api.reply import Reply
from postroom.api.wire.assets import full_asset, merge_asset, read_asset
from postroom.catalog.assets import (
    Asset,
    AssetDraft,
    AssetKeyTaken,
    create_asset,
    delete_asset,
    find_asset,
    get_asset,
    lock_asset,
    page_assets,
    replace_asset,
)
from postroom.tenancy.database import Pool

DEFAULT_PAGE_SIZE = 50

_FILTER = re.compile(r"\s*(customerKey|name|id)\s+eq\s+(?:'((?:[^']|'')*)'|(\d{1,18}))\s*", re.IGNORECASE)

_encode = msgspec.json.Encoder().encode


class Assets:
    """The handlers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(self, call: Call) -> Reply:
        """POST /assets."""
        draft = read_asset(await call.json_body(), new_key=lambda: str(uuid7()))
        try:
            asset = await create_asset(self._pool, call.account_id, uuid7(), draft)
        except AssetKeyTaken as taken:
            raise _key_taken(taken) from None
        return Reply(_encode(full_asset(asset)), 201)

    async def get(self, call: Call) -> Reply:
        """GET /assets/{id}."""
        asset_id = _asset_id(call)
        asset = await get_asset(self._pool, call.account_id, asset_id)
        if asset is None:
            raise _unknown(asset_id)
        return Reply(_encode(full_asset(asset)))

    async def page(self, call: Call) -> Reply:
        """GET /assets: oldest first, or the ones a `$filter` of one condition names; `count` is the total."""
        query = call.query
        page = number_field(query, "page", default=1, highest=HIGHEST_PAGE)
        page_size = number_field(query, "pagesize", default=DEFAULT_PAGE_SIZE, highest=LARGEST_PAGE_SIZE)
        field, value = _filter(query.get("filter"))
        if field in ("customerkey", "id"):
            assets = await self._one(call.account_id, field, value)
            total = len(assets)
            assets = assets if page == 1 else []
        else:
            name = value if field == "name" else None
            assets, total = await page_assets(self._pool, call.account_id, name=name, page=page, page_size=page_size)
        body: dict[str, Any] = {
            "count": total,
            "page": page,
            "pageSize": page_size,
            "links": {},
            "items": [full_asset(asset) for asset in assets],
        }
        return Reply(_encode(body))

    async def replace(self, call: Call) -> Reply:
        """PUT /assets/{id}: the body is the whole asset; its key stays unless another is given."""
        body = await call.json_body()
        return await self._write(call, lambda stored: read_asset(body, new_key=lambda: stored.customer_key))

    async def change(self, call: Call) -> Reply:
        """PATCH /assets/{id}: what the body names is replaced."""
        body = await call.json_body()
        return await self._write(call, lambda stored: merge_asset(body, stored))

    async def delete(self, call: Call) -> Reply:
        """DELETE /assets/{id}: the answer is a JSON string, which is what clients parse (contract §7.1)."""
        asset_id = _asset_id(call)
        if not await delete_asset(self._pool, call.account_id, asset_id):
            raise _unknown(asset_id)
        return Reply(b'"OK"')

    async def _write(self, call: Call, changed: Callable[[AssetDraft], AssetDraft]) -> Reply:
        asset_id = _asset_id(call)
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                stored = await lock_asset(connection, call.account_id, asset_id)
                if stored is None:
                    raise _unknown(asset_id)
                asset = await replace_asset(connection, call.account_id, asset_id, changed(stored.draft))
        except AssetKeyTaken as taken:
            raise _key_taken(taken) from None
        assert asset is not None
        return Reply(_encode(full_asset(asset)))

    async def _one(self, account_id: int, field: str, value: str) -> list[Asset]:
        if field == "customerkey":
            asset = await find_asset(self._pool, account_id, value)
        else:
            asset = await get_asset(self._pool, account_id, int(value)) if value.isdecimal() else None
        return [] if asset is None else [asset]


def _asset_id(call: Call) -> int:
    text = call.key("id")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ApiError(Code.INVALID_VALUE, f"the asset id {text[:50]!r} in the path must be a number")
    return int(text)


def _filter(text: str | None) -> tuple[str, str]:
    if text is None:
        return "", ""
    found = _FILTER.fullmatch(text)
    if found is None:
        raise ApiError(
            Code.INVALID_VALUE,
            f"$filter is {text[:100]!r}; it must be customerKey, name or id, then eq and a quoted value",
        )
    value = found[3] if found[2] is None else found[2].replace("''", "'")
    if "\0" in value:
        raise ApiError(Code.INVALID_VALUE, "$filter must not hold a NUL character")
    return found[1].lower(), value


def _unknown(asset_id: int) -> ApiError:
    return ApiError(Code.NOT_FOUND, f"there is no asset with id {asset_id}")


def _key_taken(taken: AssetKeyTaken) -> ApiError:
    return ApiError(Code.ALREADY_EXISTS, f"there is already an asset with customerKey {str(taken)!r}")
