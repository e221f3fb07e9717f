"""The data extension routes: what they are, and their rows, at once or asynchronously (contract §7.2).

A data extension is named in a path by ``key:<its key>`` or by its id. A rowset is stored as a whole or not at all;
an asynchronous call stores the rows that are good and says of the others why they are not.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from postroom.api.definitions import HIGHEST_PAGE, number_field
from postroom.api.endpoint import Call
from postroom.api.errors import ApiError, Code
from postroom.api.reply import Reply
from postroom.api.shape import Page, Route
from postroom.api.shapes import data as shapes
from postroom.api.times import fine_time
from postroom.api.wire.data import (
    JobAccepted,
    JobResults,
    JobState,
    JobStatus,
    ResultMessage,
    RowResult,
    Rowset,
    RowsetLinks,
    ShownExtension,
    ShownFields,
    WrittenRow,
    key_pairs,
    read_extension,
    read_items,
    read_rows,
    read_values,
    rejection,
    rows_rejected,
    shown_extension,
    shown_fields,
    shown_row,
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

    def routes(self) -> list[Route]:
        """Every route with the scopes of contract §1."""
        objects, rows = "/data/v1/customobjects", "/data/v1/async/dataextensions/{id}/rows"
        events, data, own = "/hub/v1/dataevents/{id}", "/data/v1/customobjectdata", "/postroom/v1/data-extensions"
        job = "/data/v1/async/{requestId}"
        return [
            Route("POST", objects, DATA_WRITE, self.create, shapes.CREATE),
            Route("GET", objects, DATA_READ, self.page, shapes.LIST),
            Route("GET", objects + "/{id}", DATA_READ, self.get, shapes.GET),
            Route("DELETE", objects + "/{id}", DATA_WRITE, self.delete, shapes.DELETE),
            Route("GET", objects + "/{id}/fields", DATA_READ, self.fields, shapes.FIELDS),
            Route("GET", own, DATA_READ, self.page, shapes.LIST),
            Route("GET", own + "/{key}", DATA_READ, self.get_by_key, shapes.GET),
            Route("DELETE", own + "/{key}", DATA_WRITE, self.delete_by_key, shapes.DELETE),
            Route("POST", events + "/rowset", DATA_WRITE, self.upsert_rowset, shapes.UPSERT_ROWSET),
            Route("PUT", events + "/rows/{keys}", DATA_WRITE, self.upsert_row, shapes.UPSERT_ROW),
            Route("DELETE", events + "/rows/{keys}", DATA_WRITE, self.delete_row, shapes.DELETE_ROW),
            Route("POST", rows, DATA_WRITE, self.insert_async, shapes.ASYNC_ROWS),
            Route("PUT", rows, DATA_WRITE, self.upsert_async, shapes.ASYNC_ROWS),
            Route("DELETE", rows, DATA_WRITE, self.delete_async, shapes.ASYNC_DELETE),
            Route("GET", job + "/status", DATA_READ, self.job_status, shapes.JOB_STATUS),
            Route("GET", job + "/results", DATA_READ, self.job_results, shapes.JOB_RESULTS),
            Route("GET", data + "/key/{key}/rowset", DATA_READ, self.rowset_by_key, shapes.ROWSET),
            Route("GET", data + "/token/{token}/rowset", DATA_READ, self.rowset_by_token, shapes.ROWSET_BY_TOKEN),
            Route(
                "GET",
                "/v1/customobjectdata/token/{token}/rowset",
                DATA_READ,
                self.rowset_by_token,
                shapes.ROWSET_BY_TOKEN,
            ),
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
        """GET /customobjects: by name; `$search` is part of the name; `count` is the total."""
        query = call.query
        page = number_field(query, "page", default=1, highest=HIGHEST_PAGE)
        page_size = number_field(query, "pagesize", default=DEFAULT_PAGE_SIZE, highest=LARGEST_PAGE_SIZE)
        search = query.get("search") or None
        if search is not None and "\0" in search:
            raise ApiError(Code.INVALID_VALUE, "$search must not hold a NUL character")
        found, total = await page_extensions(self._pool, call.account_id, search=search, page=page, page_size=page_size)
        items = [shown_extension(extension, row_count, fields=False) for extension, row_count in found]
        return Reply(_encode(Page[ShownExtension](total, page, page_size, {}, items)))

    async def get(self, call: Call) -> Reply:
        """GET /customobjects/{id}."""
        return await self._shown(await self._extension(call, call.key("id")))

    async def get_by_key(self, call: Call) -> Reply:
        """GET /postroom/v1/data-extensions/{key}."""
        return await self._shown(await self._by_key(call, call.key("key")))

    async def fields(self, call: Call) -> Reply:
        """GET /customobjects/{id}/fields."""
        extension = await self._extension(call, call.key("id"))
        return Reply(_encode(ShownFields(str(extension.object_id), shown_fields(extension))))

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
        return Reply(_encode(WrittenRow(dict(keys), values)))

    async def delete_row(self, call: Call) -> Reply:
        """DELETE /dataevents/{id}/rows/{Column:value}."""
        keys = key_pairs(call.key("keys", 1))
        extension = await self._extension(call, call.key("id"))
        await self._all_or_none(lambda connection: delete_rows(connection, extension, [keys]))
        return Reply(_encode(WrittenRow(dict(keys), {})))

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
        called, completed = fine_time(job.called_at), fine_time(job.completed_at)
        state = JobState(
            called,
            called,
            completed,
            job.has_errors,
            "Complete",
            "Error" if job.has_errors else "OK",
            request_id,
        )
        return Reply(_encode(JobStatus(state, request_id, [])))

    async def job_results(self, call: Call) -> Reply:
        """GET /async/{requestId}/results: one item a row, in the order of the call."""
        query = call.query
        page = number_field(query, "page", default=1, highest=HIGHEST_PAGE)
        page_size = number_field(query, "pagesize", default=DEFAULT_PAGE_SIZE, highest=LARGEST_PAGE_SIZE)
        request_id, job = await self._found_job(call)
        shown = job.results[(page - 1) * page_size : page * page_size]
        items = [
            RowResult(_RESULT_CODES.get(result.fault, ""), result.text, "Error" if result.fault else "OK")
            for result in shown
        ]
        return Reply(_encode(JobResults(page, page_size, len(job.results), items, request_id, [])))

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
        links = RowsetLinks(
            self=f"{link}{page}",
            previous=f"{link}{page - 1}" if page > 1 else msgspec.UNSET,
            next=f"{link}{page + 1}" if page * page_size < total else msgspec.UNSET,
        )
        expires = (self._now() + _TOKEN_LIFE).strftime("%Y-%m-%dT%H:%M:%S")
        items = [shown_row(extension, row) for row in rows]
        object_id = str(extension.object_id)
        return Reply(_encode(Rowset(links, token, expires, object_id, extension.key, page_size, page, total, items)))

    # -- what all share

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    async def _shown(self, extension: DataExtension) -> Reply:
        return Reply(_encode(shown_extension(extension, await count_rows(self._pool, extension), fields=True)))

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
            text = f"Unable to find a DataExtension with {_named(name)}"
            message = ResultMessage("Operational", "Error", "CustomObjectNotFound", text)
            return Reply(_encode(JobAccepted(str(request_id), [message])))
        called_at = self._now()
        async with self._pool.acquire() as connection, connection.transaction():
            problems = await work(connection, extension)
            await store_job(connection, call.account_id, request_id, called_at, problems)
        return Reply(_encode(JobAccepted(str(request_id), [])), 202)

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
