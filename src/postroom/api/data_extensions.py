"""The data extension routes: what they are, and their rows, at once or asynchronously (contract §7.2).

A data extension is named in a path by ``key:<its key>`` or by its id. A rowset is stored as a whole or not at all;
an asynchronous call stores the rows that are good and says of the others why they are not.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from postroom.api.definitions import HIGHEST_PAGE, number_field
from postroom.api.endpoint import Call, Handler
from postroom.api.errors import ApiError, Code
from postroom.api.reply import Reply
from postroom.api.times import fine_time
from postroom.api.wire.data import (
    full_extension,
    key_pairs,
    read_extension,
    read_items,
    read_rows,
    read_values,
    rejection,
    rows_rejected,
    wire_fields,
    wire_row,
)
from postroom.catalog.data_extensions import (
    DataExtension,
    ExtensionRejected,
    count_rows,
    create_extension,
    delete_extension,
    find_extension,
    find_extension_by_object,
    page_extensions,
)
from postroom.catalog.data_jobs import DataJob, find_job, store_job
from postroom.catalog.data_query import QueryRejected, page_rows, parse_query
from postroom.catalog.data_rows import NewRow, RowProblem, delete_rows, insert_rows, upsert_rows
from postroom.store.database import Connection, Pool

DEFAULT_PAGE_SIZE = 50
LARGEST_PAGE_SIZE = 2500
_TOKEN_LIFE = timedelta(hours=24)
_LONGEST_TOKEN = 8_000

DATA_READ = frozenset({"data_extensions_read"})
DATA_WRITE = frozenset({"data_extensions_write"})

_RESULT_CODES = {
    "MISSING": "MissingRequiredField",
    "INVALID": "InvalidFieldValue",
    "UNKNOWN_COLUMN": "InvalidColumnName",
    "DUPLICATE": "PrimaryKeyViolation",
    "NO_SUCH_ROW": "RowNotFound",
    "NO_KEY": "PrimaryKeyMissing",
}

_encode = msgspec.json.Encoder().encode


class DataRoute(NamedTuple):
    """A route: method, template, scopes of which one is enough, handler."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    template: str
    scopes: frozenset[str]
    handler: Handler


class _Page(msgspec.Struct, frozen=True):
    """What a rowset's token stands for: the table and the query, so that any server can give the next page."""

    extension: str
    filter: str | None
    order: str | None


_page = msgspec.json.Decoder(_Page)


class _Undo(Exception):
    """Ends a transaction without its work."""

    def __init__(self, problems: Sequence[RowProblem | None]) -> None:
        self.problems = problems


class DataExtensions:
    """The handlers. ``clock`` gives seconds since the epoch."""

    def __init__(self, pool: Pool, *, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._clock = clock

    def routes(self) -> list[DataRoute]:
        """Every route with the scopes of contract §1."""
        objects, rows = "/data/v1/customobjects", "/data/v1/async/dataextensions/{id}/rows"
        events, data, own = "/hub/v1/dataevents/{id}", "/data/v1/customobjectdata", "/postroom/v1/data-extensions"
        job = "/data/v1/async/{requestId}"
        return [
            DataRoute("POST", objects, DATA_WRITE, self.create),
            DataRoute("GET", objects, DATA_READ, self.page),
            DataRoute("GET", objects + "/{id}", DATA_READ, self.get),
            DataRoute("DELETE", objects + "/{id}", DATA_WRITE, self.delete),
            DataRoute("GET", objects + "/{id}/fields", DATA_READ, self.fields),
            DataRoute("GET", own, DATA_READ, self.page),
            DataRoute("GET", own + "/{key}", DATA_READ, self.get_by_key),
            DataRoute("DELETE", own + "/{key}", DATA_WRITE, self.delete_by_key),
            DataRoute("POST", events + "/rowset", DATA_WRITE, self.upsert_rowset),
            DataRoute("PUT", events + "/rows/{keys}", DATA_WRITE, self.upsert_row),
            DataRoute("DELETE", events + "/rows/{keys}", DATA_WRITE, self.delete_row),
            DataRoute("POST", rows, DATA_WRITE, self.insert_async),
            DataRoute("PUT", rows, DATA_WRITE, self.upsert_async),
            DataRoute("DELETE", rows, DATA_WRITE, self.delete_async),
            DataRoute("GET", job + "/status", DATA_READ, self.job_status),
            DataRoute("GET", job + "/results", DATA_READ, self.job_results),
            DataRoute("GET", data + "/key/{key}/rowset", DATA_READ, self.rowset_by_key),
            DataRoute("GET", data + "/token/{token}/rowset", DATA_READ, self.rowset_by_token),
            DataRoute("GET", "/v1/customobjectdata/token/{token}/rowset", DATA_READ, self.rowset_by_token),
            DataRoute("GET", data + "/{id}/rowset", DATA_READ, self.rowset_by_id),
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
        return Reply(_encode(full_extension(extension, 0) | {"fields": wire_fields(extension)}), 201)

    async def page(self, call: Call) -> Reply:
        """GET /customobjects: by name; `$search` is part of the name; `count` is the total."""
        query = call.query
        page = number_field(query, "page", default=1, highest=HIGHEST_PAGE)
        page_size = number_field(query, "pagesize", default=DEFAULT_PAGE_SIZE, highest=LARGEST_PAGE_SIZE)
        search = query.get("search") or None
        if search is not None and "\0" in search:
            raise ApiError(Code.INVALID_VALUE, "$search must not hold a NUL character")
        found, total = await page_extensions(self._pool, call.account_id, search=search, page=page, page_size=page_size)
        body = {
            "count": total,
            "page": page,
            "pageSize": page_size,
            "links": {},
            "items": [full_extension(extension, row_count) for extension, row_count in found],
        }
        return Reply(_encode(body))

    async def get(self, call: Call) -> Reply:
        """GET /customobjects/{id}."""
        return await self._shown(await self._extension(call, call.key("id")))

    async def get_by_key(self, call: Call) -> Reply:
        """GET /postroom/v1/data-extensions/{key}."""
        return await self._shown(await self._by_key(call, call.key("key")))

    async def fields(self, call: Call) -> Reply:
        """GET /customobjects/{id}/fields."""
        extension = await self._extension(call, call.key("id"))
        return Reply(_encode({"id": str(extension.object_id), "fields": wire_fields(extension)}))

    async def delete(self, call: Call) -> Reply:
        """DELETE /customobjects/{id}, with all rows."""
        return await self._delete(await self._extension(call, call.key("id")))

    async def delete_by_key(self, call: Call) -> Reply:
        """DELETE /postroom/v1/data-extensions/{key}, with all rows."""
        return await self._delete(await self._by_key(call, call.key("key")))

    # -- rows, at once

    async def upsert_rowset(self, call: Call) -> Reply:
        """POST /dataevents/{id}/rowset: all rows or none; the answer is the body."""
        rows, echo = read_rows(await call.json_body())
        extension = await self._extension(call, call.key("id"))
        await self._all_or_none(lambda connection: upsert_rows(connection, extension, rows, self._now()))
        return Reply(echo)

    async def upsert_row(self, call: Call) -> Reply:
        """PUT /dataevents/{id}/rows/{Column:value}."""
        keys = key_pairs(call.key("keys", 1))
        values = read_values(await call.json_body())
        extension = await self._extension(call, call.key("id"))
        row = values | dict(keys)
        await self._all_or_none(lambda connection: upsert_rows(connection, extension, [row], self._now()))
        return Reply(_encode({"keys": keys, "values": values}))

    async def delete_row(self, call: Call) -> Reply:
        """DELETE /dataevents/{id}/rows/{Column:value}."""
        keys = key_pairs(call.key("keys", 1))
        extension = await self._extension(call, call.key("id"))
        await self._all_or_none(lambda connection: delete_rows(connection, extension, [keys]))
        return Reply(_encode({"keys": keys, "values": {}}))

    # -- rows, asynchronously

    async def insert_async(self, call: Call) -> Reply:
        """POST /async/dataextensions/{id}/rows."""
        rows = read_items(await call.json_body())
        now = self._now()
        return await self._job(
            call, lambda connection, extension: insert_rows(connection, extension, [NewRow(row) for row in rows], now)
        )

    async def upsert_async(self, call: Call) -> Reply:
        """PUT /async/dataextensions/{id}/rows."""
        rows = read_items(await call.json_body())
        now = self._now()
        return await self._job(call, lambda connection, extension: upsert_rows(connection, extension, rows, now))

    async def delete_async(self, call: Call) -> Reply:
        """DELETE /async/dataextensions/{id}/rows: items are primary keys."""
        rows = read_items(await call.json_body())
        return await self._job(call, lambda connection, extension: delete_rows(connection, extension, rows))

    async def job_status(self, call: Call) -> Reply:
        """GET /async/{requestId}/status."""
        request_id, job = await self._found_job(call)
        status = {
            "callDateTime": fine_time(job.called_at),
            "pickupDateTime": fine_time(job.called_at),
            "completionDateTime": fine_time(job.completed_at),
            "hasErrors": job.has_errors,
            "requestStatus": "Complete",
            "resultStatus": "Error" if job.has_errors else "OK",
            "requestId": request_id,
        }
        return Reply(_encode({"status": status, "requestId": request_id, "resultMessages": []}))

    async def job_results(self, call: Call) -> Reply:
        """GET /async/{requestId}/results: one item a row, in the order of the call."""
        query = call.query
        page = number_field(query, "page", default=1, highest=HIGHEST_PAGE)
        page_size = number_field(query, "pagesize", default=DEFAULT_PAGE_SIZE, highest=LARGEST_PAGE_SIZE)
        request_id, job = await self._found_job(call)
        shown = job.results[(page - 1) * page_size : page * page_size]
        items = [
            {
                "errorCode": _RESULT_CODES.get(result.fault, ""),
                "message": result.text,
                "status": "Error" if result.fault else "OK",
            }
            for result in shown
        ]
        body = {
            "page": page,
            "pageSize": page_size,
            "count": len(job.results),
            "items": items,
            "requestId": request_id,
            "resultMessages": [],
        }
        return Reply(_encode(body))

    # -- reading rows

    async def rowset_by_key(self, call: Call) -> Reply:
        """GET /customobjectdata/key/{key}/rowset."""
        extension = await self._by_key(call, call.key("key"))
        return await self._rowset(call, extension, call.query.get("filter"), call.query.get("orderby"))

    async def rowset_by_id(self, call: Call) -> Reply:
        """GET /customobjectdata/{id}/rowset."""
        extension = await self._extension(call, call.key("id"))
        return await self._rowset(call, extension, call.query.get("filter"), call.query.get("orderby"))

    async def rowset_by_token(self, call: Call) -> Reply:
        """GET /customobjectdata/token/{token}/rowset: further pages of a query."""
        page = _read_token(call.key("token"))
        extension = await self._extension(call, page.extension)
        return await self._rowset(call, extension, page.filter, page.order)

    async def _rowset(self, call: Call, extension: DataExtension, filter_text: str | None, order: str | None) -> Reply:
        page = number_field(call.query, "page", default=1, highest=HIGHEST_PAGE)
        page_size = number_field(call.query, "pagesize", default=DEFAULT_PAGE_SIZE, highest=LARGEST_PAGE_SIZE)
        try:
            query = parse_query(extension, filter_text, order)
        except QueryRejected as rejected:
            raise ApiError(Code.INVALID_VALUE, str(rejected)) from None
        rows, total = await page_rows(self._pool, extension, query, page=page, page_size=page_size)
        token = _token(_Page(str(extension.object_id), filter_text, order))
        link = f"/v1/customobjectdata/token/{token}/rowset?$pageSize={page_size}&$page="
        links = {"self": f"{link}{page}"}
        if page > 1:
            links["previous"] = f"{link}{page - 1}"
        if page * page_size < total:
            links["next"] = f"{link}{page + 1}"
        expires = self._now() + _TOKEN_LIFE
        body = {
            "links": links,
            "requestToken": token,
            "tokenExpireDateUtc": expires.strftime("%Y-%m-%dT%H:%M:%S"),
            "customObjectId": str(extension.object_id),
            "customObjectKey": extension.key,
            "pageSize": page_size,
            "page": page,
            "count": total,
            "items": [wire_row(extension, row) for row in rows],
        }
        return Reply(_encode(body))

    # -- what all share

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    async def _shown(self, extension: DataExtension) -> Reply:
        shown = full_extension(extension, await count_rows(self._pool, extension))
        return Reply(_encode(shown | {"fields": wire_fields(extension)}))

    async def _delete(self, extension: DataExtension) -> Reply:
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                gone = await delete_extension(connection, extension)
        except ExtensionRejected as rejected:
            raise rejection(rejected) from None
        if not gone:
            raise _unknown(extension.key)
        return Reply(b'"OK"')

    async def _all_or_none(self, work: Callable[[Connection], Any]) -> None:
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                problems: list[RowProblem | None] = await work(connection)
                if any(problems):
                    raise _Undo(problems)
        except _Undo as undone:
            raise rows_rejected(undone.problems) from None

    async def _job(self, call: Call, work: Callable[[Connection, DataExtension], Any]) -> Reply:
        name = call.key("id")
        request_id = uuid7()
        extension = await self._find(call, name)
        if extension is None:
            message = {
                "resultType": "Operational",
                "resultClass": "Error",
                "resultCode": "CustomObjectNotFound",
                "message": f"Unable to find a DataExtension with {_named(name)}",
            }
            return Reply(_encode({"requestId": str(request_id), "resultMessages": [message]}))
        called_at = self._now()
        async with self._pool.acquire() as connection, connection.transaction():
            problems = await work(connection, extension)
            await store_job(connection, call.account_id, request_id, called_at, problems)
        return Reply(_encode({"requestId": str(request_id), "resultMessages": []}), 202)

    async def _found_job(self, call: Call) -> tuple[str, DataJob]:
        text = call.key("requestId")
        request_id = _uuid(text)
        job = None if request_id is None else await find_job(self._pool, call.account_id, request_id)
        if job is None:
            raise ApiError(Code.NOT_FOUND, f"there is no asynchronous request {text[:50]!r}")
        return str(request_id), job

    async def _extension(self, call: Call, name: str) -> DataExtension:
        found = await self._find(call, name)
        if found is None:
            raise _unknown(name)
        return found

    async def _by_key(self, call: Call, key: str) -> DataExtension:
        found = await find_extension(self._pool, call.account_id, key)
        if found is None:
            raise _unknown(key)
        return found

    async def _find(self, call: Call, name: str) -> DataExtension | None:
        if name[:4].lower() == "key:":
            return await find_extension(self._pool, call.account_id, name[4:])
        object_id = _uuid(name)
        return None if object_id is None else await find_extension_by_object(self._pool, call.account_id, object_id)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _named(name: str) -> str:
    return f"key {name[4:][:100]!r}" if name[:4].lower() == "key:" else f"id {name[:100]!r}"


def _unknown(name: str) -> ApiError:
    return ApiError(Code.NOT_FOUND, f"there is no data extension {name[:100]!r}; name it by its id or by key:<key>")


def _token(page: _Page) -> str:
    return base64.urlsafe_b64encode(_encode(page)).decode().rstrip("=")


def _read_token(token: str) -> _Page:
    try:
        if len(token) > _LONGEST_TOKEN:
            raise ValueError(token)
        page = _page.decode(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise ApiError(Code.INVALID_VALUE, "the token in the path is none of a rowset") from None
    if "\0" in f"{page.extension}{page.filter}{page.order}":
        raise ApiError(Code.INVALID_VALUE, "the token in the path is none of a rowset")
    return page
