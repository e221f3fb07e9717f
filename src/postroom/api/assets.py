"""The asset routes (contract §7.1)."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from uuid_utils.compat import uuid7

from postroom.api.definitions import HIGHEST_PAGE, LARGEST_PAGE_SIZE, number_field
from postroom.api.endpoint import Call
from postroom.api.errors import ApiError, Code
from postroom.api.reply import Reply
from postroom.api.wire.asset_queries import (
    chosen,
    filter_condition,
    order_fields,
    query_condition,
    read_query,
    sort_orders,
)
from postroom.api.wire.assets import full_asset, merge_asset, read_asset
from postroom.api.wire.diagnostics import own_member
from postroom.catalog.asset_query import Condition, Order, QueryRejected, find_assets
from postroom.catalog.assets import (
    Asset,
    AssetDraft,
    AssetKeyTaken,
    asset_file,
    create_asset,
    delete_asset,
    get_asset,
    lock_asset,
    replace_asset,
)
from postroom.catalog.template_check import diagnose_asset
from postroom.content.ampscript.engine import Engine
from postroom.content.model import ContentRejected
from postroom.content.views import flatten_view
from postroom.store.database import Pool

DEFAULT_PAGE_SIZE = 50
_HTML_VIEWS = frozenset({"html", "email", "web"})

_encode = msgspec.json.Encoder().encode


class Assets:
    """The handlers. ``engine`` looks at the templates that are saved; ``base_url`` ends with a slash."""

    def __init__(self, pool: Pool, engine: Engine, *, base_url: str) -> None:
        self._pool = pool
        self._engine = engine
        self._base_url = base_url

    async def create(self, call: Call) -> Reply:
        """POST /assets."""
        draft = read_asset(await call.json_body(), new_key=lambda: str(uuid7()))
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                asset = await create_asset(connection, call.account_id, uuid7(), draft)
        except AssetKeyTaken as taken:
            raise _key_taken(taken) from None
        return await self._saved(call.account_id, asset, 201)

    async def get(self, call: Call) -> Reply:
        """GET /assets/{id}."""
        return Reply(self._shown(await self._asset(call)))

    async def page(self, call: Call) -> Reply:
        """GET /assets: oldest first unless ordered; `count` is the total."""
        query = call.query
        page = number_field(query, "page", default=1, highest=HIGHEST_PAGE)
        page_size = number_field(query, "pagesize", default=DEFAULT_PAGE_SIZE, highest=LARGEST_PAGE_SIZE)
        condition, orders = filter_condition(query.get("filter")), order_fields(query.get("orderby"))
        fields = query["fields"].split(",") if query.get("fields") else None
        return await self._found(call, condition, orders, page, page_size, fields)

    async def query(self, call: Call) -> Reply:
        """POST /assets/query."""
        body = read_query(await call.json_body())
        page = _number("page.page", body.page.page if body.page else None, 1, HIGHEST_PAGE)
        page_size = _number(
            "page.pageSize", body.page.page_size if body.page else None, DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE
        )
        condition, orders = query_condition(body.query), sort_orders(body.sort)
        return await self._found(call, condition, orders, page, page_size, body.fields)

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

    async def channel_view(self, call: Call) -> Reply:
        """GET /assets/{id}/channelviews/{view}: the view with its slots and blocks filled in."""
        asset = await self._asset(call)
        name = call.key("view", 1)
        views = msgspec.json.decode(asset.draft.views, type=dict[str, Any])
        view = views.get("html" if name.lower() in _HTML_VIEWS else name.lower())
        if view is None and name.lower() in _HTML_VIEWS and asset.draft.content is not None:
            view = msgspec.json.decode(asset.draft.document, type=dict[str, Any]) | {"content": asset.draft.content}
        if not isinstance(view, dict):
            known = ", ".join(views) or "none"
            raise ApiError(Code.NOT_FOUND, f"asset {asset.asset_id} has no view {name[:50]!r}; it has {known}")
        try:
            compiled = flatten_view(view)
        except ContentRejected as rejected:
            told = "; ".join(str(problem) for problem in rejected.problems[:5])
            raise ApiError(Code.EMAIL_INVALID, told, extra=own_member(rejected.problems)) from None
        return Reply(_encode({"compiled": compiled}))

    async def file(self, call: Call) -> Reply:
        """GET /assets/{id}/file: the bytes of a file as base64, a JSON string."""
        asset_id = _asset_id(call)
        file = await asset_file(self._pool, call.account_id, asset_id)
        if file is None:
            raise ApiError(Code.NOT_FOUND, f"there is no asset with id {asset_id} that is a file")
        return Reply(_encode(file.content))

    async def _asset(self, call: Call) -> Asset:
        asset_id = _asset_id(call)
        asset = await get_asset(self._pool, call.account_id, asset_id)
        if asset is None:
            raise _unknown(asset_id)
        return asset

    async def _found(
        self,
        call: Call,
        condition: Condition | None,
        orders: Sequence[Order],
        page: int,
        page_size: int,
        fields: list[str] | None,
    ) -> Reply:
        try:
            async with self._pool.acquire() as connection:
                found = await find_assets(
                    connection, call.account_id, condition, orders, page=page, page_size=page_size
                )
        except QueryRejected as rejected:
            raise ApiError(Code.INVALID_VALUE, str(rejected)) from None
        body: dict[str, Any] = {
            "count": found.total,
            "page": page,
            "pageSize": page_size,
            "links": {},
            "items": [chosen(full_asset(asset, self._base_url), fields) for asset in found.assets],
        }
        return Reply(_encode(body))

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
        return await self._saved(call.account_id, asset, 200)

    async def _saved(self, account_id: int, asset: Asset, status: int) -> Reply:
        found = await diagnose_asset(self._pool, account_id, asset.draft, self._engine)
        return Reply(_encode(full_asset(asset, self._base_url) | own_member(found)), status)

    def _shown(self, asset: Asset) -> bytes:
        return _encode(full_asset(asset, self._base_url))


def _number(name: str, given: int | None, default: int, highest: int) -> int:
    if given is None:
        return default
    if given < 1:
        raise ApiError(Code.INVALID_VALUE, f"{name} is {given}; it must be a whole number from 1")
    return min(given, highest)


def _asset_id(call: Call) -> int:
    text = call.key("id")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ApiError(Code.INVALID_VALUE, f"the asset id {text[:50]!r} in the path must be a number")
    return int(text)


def _unknown(asset_id: int) -> ApiError:
    return ApiError(Code.NOT_FOUND, f"there is no asset with id {asset_id}")


def _key_taken(taken: AssetKeyTaken) -> ApiError:
    return ApiError(Code.ALREADY_EXISTS, f"there is already an asset with customerKey {str(taken)!r}")
