"""The data extension routes: what they are, their fields, and reading their rows (contract §7.2).

Their rows are written in `api.data_rows`.
"""

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
from uuid_utils.compat import uuid7

from postroom.api.data_rows import DATA_READ, DATA_WRITE, DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE
from postroom.api.definitions import HIGHEST_PAGE, number_field, order_field
from postroom.api.endpoint import Call
from postroom.api.errors import ApiError, Code
from postroom.api.extension_names import ExtensionNames, unknown_extension
from postroom.api.reply import Reply
from postroom.api.shape import Page, Route
from postroom.api.shapes import data as shapes
from postroom.api.wire.data import (
    JobAccepted,
    Rowset,
    RowsetLinks,
    ShownExtension,
    ShownFields,
    read_columns,
    read_extension,
    rejection,
    shown_extension,
    shown_fields,
    shown_row,
)
from postroom.api.wire.data_fields import (
    changed_extension,
    read_extension_change,
    read_fields,
    with_added_fields,
    with_changed_fields,
    with_fields,
)
from postroom.catalog.data_extensions import (
    DataExtension,
    ExtensionDraft,
    ExtensionOrder,
    ExtensionRejected,
    change_extension,
    count_rows,
    create_extension,
    delete_extension,
    lock_extension,
    page_extensions,
)
from postroom.catalog.data_filter import parse_query
from postroom.catalog.data_jobs import store_job
from postroom.catalog.data_query import QueryRejected, page_rows
from postroom.catalog.data_rows import clear_rows
from postroom.store.database import Connection, Pool

_TOKEN_LIFE = timedelta(hours=24)
_LONGEST_TOKEN = 8_000

_encode = msgspec.json.Encoder().encode


class _Page(msgspec.Struct, frozen=True):
    """What a rowset's token stands for: the table and the query, so that any server can give the next page."""

    extension: str
    filter: str | None
    order: str | None
    fields: str | None = None


_page = msgspec.json.Decoder(_Page)


class DataExtensions:
    """The handlers. ``clock`` gives seconds since the epoch."""

    def __init__(self, pool: Pool, names: ExtensionNames, *, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._names = names
        self._clock = clock

    def routes(self) -> list[Route]:
        """Every route with the scopes of contract §1."""
        objects, later = "/data/v1/customobjects", "/data/v1/customobjectsasync/{id}/fields"
        data, own, token = "/data/v1/customobjectdata", "/postroom/v1/data-extensions", "/token/{token}/rowset"
        by_token = shapes.ROWSET_BY_TOKEN
        return [
            Route("POST", objects, DATA_WRITE, self.create, shapes.CREATE),
            Route("GET", objects, DATA_READ, self.page, shapes.LIST),
            Route("GET", objects + "/category/{categoryId}", DATA_READ, self.category, shapes.CATEGORY),
            Route("GET", objects + "/{id}", DATA_READ, self.get, shapes.GET),
            Route("PATCH", objects + "/{id}", DATA_WRITE, self.change, shapes.CHANGE),
            Route("DELETE", objects + "/{id}", DATA_WRITE, self.delete, shapes.DELETE),
            Route("POST", objects + "/{id}/cleardata", DATA_WRITE, self.clear, shapes.CLEAR),
            Route("GET", objects + "/{id}/fields", DATA_READ, self.fields, shapes.FIELDS),
            Route("POST", later, DATA_WRITE, self.add_fields, shapes.ADD_FIELDS),
            Route("PATCH", later, DATA_WRITE, self.change_fields, shapes.CHANGE_FIELDS),
            Route("GET", own, DATA_READ, self.page, shapes.LIST),
            Route("GET", own + "/{key}", DATA_READ, self.get_by_key, shapes.GET),
            Route("DELETE", own + "/{key}", DATA_WRITE, self.delete_by_key, shapes.DELETE),
            Route("GET", data + "/key/{key}/rowset", DATA_READ, self.rowset_by_key, shapes.ROWSET),
            Route("GET", data + token, DATA_READ, self.rowset_by_token, by_token),
            Route("GET", "/v1/customobjectdata" + token, DATA_READ, self.rowset_by_token, by_token),
            Route("GET", data + "/{id}/rowset", DATA_READ, self.rowset_by_id, shapes.ROWSET),
        ]

    # -- what they are

    async def create(self, call: Call) -> Reply:
        """POST /customobjects."""
        object_id = uuid7()
        draft = read_extension(await call.json_body(), new_key=str(object_id).upper())
        try:
            extension = await create_extension(self._pool, call.account_id, object_id, draft)
        except ExtensionRejected as rejected:
            raise rejection(rejected) from None
        return Reply(_encode(shown_extension(extension, 0, fields=True)), 201)

    async def page(self, call: Call) -> Reply:
        """GET /customobjects: by name unless ordered; `$search` is part of the name; `count` is the total."""
        return await self._page(call, None)

    async def category(self, call: Call) -> Reply:
        """GET /customobjects/category/{categoryId}: those that were made with this categoryId."""
        text = call.key("categoryId")
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise ApiError(Code.INVALID_VALUE, f"the categoryId {text[:50]!r} in the path must be a number")
        return await self._page(call, int(text))

    async def _page(self, call: Call, category_id: int | None) -> Reply:
        query = call.query
        page = number_field(query, "page", default=1, highest=HIGHEST_PAGE)
        page_size = number_field(query, "pagesize", default=DEFAULT_PAGE_SIZE, highest=LARGEST_PAGE_SIZE)
        search = query.get("search") or None
        if search is not None and "\0" in search:
            raise ApiError(Code.INVALID_VALUE, "$search must not hold a NUL character")
        order, descending = order_field(query.get("orderby"), ExtensionOrder, ExtensionOrder.NAME)
        found, total = await page_extensions(
            self._pool,
            call.account_id,
            search=search,
            category_id=category_id,
            order=order,
            descending=descending,
            page=page,
            page_size=page_size,
        )
        items = [shown_extension(extension, row_count, fields=False) for extension, row_count in found]
        return Reply(_encode(Page[ShownExtension](total, page, page_size, {}, items)))

    async def get(self, call: Call) -> Reply:
        """GET /customobjects/{id}."""
        return await self._shown(await self._names.named(call, call.key("id")))

    async def get_by_key(self, call: Call) -> Reply:
        """GET /postroom/v1/data-extensions/{key}."""
        return await self._shown(await self._names.keyed(call, call.key("key")))

    async def fields(self, call: Call) -> Reply:
        """GET /customobjects/{id}/fields."""
        extension = await self._names.named(call, call.key("id"))
        return Reply(_encode(ShownFields(str(extension.object_id), shown_fields(extension))))

    async def change(self, call: Call) -> Reply:
        """PATCH /customobjects/{id}: what the body names is changed; its fields are added or changed."""
        wire = read_extension_change(await call.json_body())
        named = await self._names.named(call, call.key("id"))
        async with self._pool.acquire() as connection, connection.transaction():
            stored = await _locked(connection, named)
            extension = await _reshaped(connection, stored, changed_extension(stored, wire))
        return await self._shown(extension)

    async def clear(self, call: Call) -> Reply:
        """POST /customobjects/{id}/cleardata: all rows are removed."""
        await clear_rows(self._pool, await self._names.named(call, call.key("id")))
        return Reply(b'"OK"')

    async def add_fields(self, call: Call) -> Reply:
        """POST /customobjectsasync/{id}/fields: done when it is answered."""
        fields = read_fields(await call.json_body())
        return await self._refielded(call, lambda stored: with_fields(stored, with_added_fields(stored, fields)))

    async def change_fields(self, call: Call) -> Reply:
        """PATCH /customobjectsasync/{id}/fields: each is named by its id or name; done when it is answered."""
        fields = read_fields(await call.json_body())
        return await self._refielded(call, lambda stored: with_fields(stored, with_changed_fields(stored, fields)))

    async def _refielded(self, call: Call, changed: Callable[[DataExtension], ExtensionDraft]) -> Reply:
        named = await self._names.named(call, call.key("id"))
        request_id, called_at = uuid7(), datetime.fromtimestamp(self._clock(), UTC)
        async with self._pool.acquire() as connection, connection.transaction():
            stored = await _locked(connection, named)
            await _reshaped(connection, stored, changed(stored))
            await store_job(connection, call.account_id, request_id, called_at, [None])
        return Reply(_encode(JobAccepted(str(request_id), [])), 202)

    async def delete(self, call: Call) -> Reply:
        """DELETE /customobjects/{id}, with all rows."""
        return await self._delete(await self._names.named(call, call.key("id")))

    async def delete_by_key(self, call: Call) -> Reply:
        """DELETE /postroom/v1/data-extensions/{key}, with all rows."""
        return await self._delete(await self._names.keyed(call, call.key("key")))

    # -- reading rows

    async def rowset_by_key(self, call: Call) -> Reply:
        """GET /customobjectdata/key/{key}/rowset."""
        extension = await self._names.keyed(call, call.key("key"))
        return await self._rowset(call, extension, _asked(call, extension))

    async def rowset_by_id(self, call: Call) -> Reply:
        """GET /customobjectdata/{id}/rowset."""
        extension = await self._names.named(call, call.key("id"))
        return await self._rowset(call, extension, _asked(call, extension))

    async def rowset_by_token(self, call: Call) -> Reply:
        """GET /customobjectdata/token/{token}/rowset: further pages of a query."""
        page = _read_token(call.key("token"))
        extension = await self._names.named(call, page.extension)
        return await self._rowset(call, extension, page)

    async def _rowset(self, call: Call, extension: DataExtension, asked: _Page) -> Reply:
        page = number_field(call.query, "page", default=1, highest=HIGHEST_PAGE)
        page_size = number_field(call.query, "pagesize", default=DEFAULT_PAGE_SIZE, highest=LARGEST_PAGE_SIZE)
        try:
            query = parse_query(extension, asked.filter, asked.order)
        except QueryRejected as rejected:
            raise ApiError(Code.INVALID_VALUE, str(rejected)) from None
        rows, total = await page_rows(self._pool, extension, query, page=page, page_size=page_size)
        token = _token(asked)
        chosen = read_columns(extension, asked.fields)
        link = f"/v1/customobjectdata/token/{token}/rowset?$pageSize={page_size}&$page="
        links = RowsetLinks(
            self=f"{link}{page}",
            previous=f"{link}{page - 1}" if page > 1 else msgspec.UNSET,
            next=f"{link}{page + 1}" if page * page_size < total else msgspec.UNSET,
        )
        expires = (datetime.fromtimestamp(self._clock(), UTC) + _TOKEN_LIFE).strftime("%Y-%m-%dT%H:%M:%S")
        items = [shown_row(chosen, row) for row in rows]
        object_id = str(extension.object_id)
        return Reply(_encode(Rowset(links, token, expires, object_id, extension.key, page_size, page, total, items)))

    # -- what all share

    async def _shown(self, extension: DataExtension) -> Reply:
        return Reply(_encode(shown_extension(extension, await count_rows(self._pool, extension), fields=True)))

    async def _delete(self, extension: DataExtension) -> Reply:
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                gone = await delete_extension(connection, extension)
        except ExtensionRejected as rejected:
            raise rejection(rejected) from None
        if not gone:
            raise unknown_extension(extension.key)
        return Reply(b'"OK"')


async def _locked(connection: Connection, named: DataExtension) -> DataExtension:
    stored = await lock_extension(connection, named.account_id, named.extension_id)
    if stored is None:
        raise unknown_extension(named.key)
    return stored


async def _reshaped(connection: Connection, stored: DataExtension, draft: ExtensionDraft) -> DataExtension:
    try:
        return await change_extension(connection, stored, draft)
    except ExtensionRejected as rejected:
        raise rejection(rejected) from None


def _asked(call: Call, extension: DataExtension) -> _Page:
    query = call.query
    return _Page(str(extension.object_id), query.get("filter"), query.get("orderby"), query.get("fields"))


def _token(page: _Page) -> str:
    return base64.urlsafe_b64encode(_encode(page)).decode().rstrip("=")


def _read_token(token: str) -> _Page:
    try:
        if len(token) > _LONGEST_TOKEN:
            raise ValueError(token)
        page = _page.decode(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise ApiError(Code.INVALID_VALUE, "the token in the path is none of a rowset") from None
    if "\0" in f"{page.extension}{page.filter}{page.order}{page.fields}":
        raise ApiError(Code.INVALID_VALUE, "the token in the path is none of a rowset")
    return page
