"""Writing rows of data extensions, at once or asynchronously (contract §7.2).

A rowset is stored as a whole or not at all; an asynchronous call stores the rows that are good and says of the others
why they are not.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from postroom.api.definitions import HIGHEST_PAGE, number_field
from postroom.api.endpoint import Call
from postroom.api.errors import ApiError, Code
from postroom.api.extension_names import ExtensionNames, shown_name, uuid_of
from postroom.api.reply import Reply
from postroom.api.shape import Route
from postroom.api.shapes import data as shapes
from postroom.api.times import fine_time
from postroom.api.wire.data import (
    JobAccepted,
    JobResults,
    JobState,
    JobStatus,
    ResultMessage,
    RowResult,
    WrittenRow,
    key_pairs,
    read_items,
    read_rows,
    read_values,
    rows_rejected,
)
from postroom.catalog.data_extensions import DataExtension
from postroom.catalog.data_jobs import DataJob, find_job, store_job
from postroom.catalog.data_rows import NewRow, RowProblem, delete_rows, increment_cell, insert_rows, upsert_rows
from postroom.store.database import Connection, Pool

DEFAULT_PAGE_SIZE = 50
LARGEST_PAGE_SIZE = 2500

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
REQUEST_ID = b"postroom-request-id"
_STEP = re.compile(r"[+-]?[0-9]{1,10}")

_encode = msgspec.json.Encoder().encode

Problems: TypeAlias = "Sequence[RowProblem | None]"
Work: TypeAlias = "Callable[[Connection, DataExtension], Awaitable[Problems]]"


class _Undo(Exception):
    """Ends a transaction without its work."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems


class DataRows:
    """The handlers. ``clock`` gives seconds since the epoch."""

    def __init__(self, pool: Pool, names: ExtensionNames, *, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._names = names
        self._clock = clock

    def routes(self) -> list[Route]:
        """Every route with the scopes of contract §1."""
        rows, job = "/data/v1/async/dataextensions/{id}/rows", "/data/v1/async/{requestId}"
        events, later = "/hub/v1/dataevents/{id}", "/hub/v1/dataeventsasync/{id}"
        row, count = "/rows/{keys}", "/rows/{keys}/column/{column}/increment"
        return [
            Route("POST", events + "/rowset", DATA_WRITE, self.upsert_rowset, shapes.UPSERT_ROWSET),
            Route("PUT", events + row, DATA_WRITE, self.upsert_row, shapes.UPSERT_ROW),
            Route("DELETE", events + row, DATA_WRITE, self.delete_row, shapes.DELETE_ROW),
            Route("PUT", events + count, DATA_WRITE, self.increment, shapes.INCREMENT),
            Route("POST", later + "/rowset", DATA_WRITE, self.upsert_rowset_later, shapes.UPSERT_ROWSET_LATER),
            Route("PUT", later + row, DATA_WRITE, self.upsert_row_later, shapes.UPSERT_ROW_LATER),
            Route("PUT", later + count, DATA_WRITE, self.increment_later, shapes.INCREMENT_LATER),
            Route("POST", rows, DATA_WRITE, self.insert_async, shapes.ASYNC_ROWS),
            Route("PUT", rows, DATA_WRITE, self.upsert_async, shapes.ASYNC_ROWS),
            Route("DELETE", rows, DATA_WRITE, self.delete_async, shapes.ASYNC_DELETE),
            Route("GET", job + "/status", DATA_READ, self.job_status, shapes.JOB_STATUS),
            Route("GET", job + "/results", DATA_READ, self.job_results, shapes.JOB_RESULTS),
        ]

    # -- at once

    async def upsert_rowset(self, call: Call) -> Reply:
        """POST /dataevents/{id}/rowset: all rows or none; the answer is the body."""
        rows, echo = read_rows(await call.json_body())
        await self._all_or_none(call, self._upserting(rows))
        return Reply(echo)

    async def upsert_row(self, call: Call) -> Reply:
        """PUT /dataevents/{id}/rows/{Column:value}."""
        keys = key_pairs(call.key("keys", 1))
        values = read_values(await call.json_body())
        await self._all_or_none(call, self._upserting([values | dict(keys)]))
        return Reply(_encode(WrittenRow(dict(keys), values)))

    async def delete_row(self, call: Call) -> Reply:
        """DELETE /dataevents/{id}/rows/{Column:value}."""
        keys = key_pairs(call.key("keys", 1))
        await self._all_or_none(call, lambda connection, extension: delete_rows(connection, extension, [keys]))
        return Reply(_encode(WrittenRow(dict(keys), {})))

    async def increment(self, call: Call) -> Reply:
        """PUT /dataevents/{id}/rows/{Column:value}/column/{column}/increment: the row, with what the cell is now."""
        counted = _Increment(call)
        await self._all_or_none(call, counted)
        return Reply(_encode(WrittenRow(dict(counted.keys), {counted.column: counted.now})))

    # -- asynchronously: an event's reply is an empty text, whose request a header names

    async def upsert_rowset_later(self, call: Call) -> Reply:
        """POST /dataeventsasync/{id}/rowset: the rows that are good; the header Postroom-Request-Id tells of them."""
        rows, _ = read_rows(await call.json_body())
        return await self._event(call, self._upserting(rows))

    async def upsert_row_later(self, call: Call) -> Reply:
        """PUT /dataeventsasync/{id}/rows/{Column:value}."""
        keys = key_pairs(call.key("keys", 1))
        values = read_values(await call.json_body())
        return await self._event(call, self._upserting([values | dict(keys)]))

    async def increment_later(self, call: Call) -> Reply:
        """PUT /dataeventsasync/{id}/rows/{Column:value}/column/{column}/increment."""
        return await self._event(call, _Increment(call))

    async def insert_async(self, call: Call) -> Reply:
        """POST /async/dataextensions/{id}/rows."""
        rows = [NewRow(row) for row in read_items(await call.json_body())]
        now = self._now()
        return await self._job(call, lambda connection, extension: insert_rows(connection, extension, rows, now))

    async def upsert_async(self, call: Call) -> Reply:
        """PUT /async/dataextensions/{id}/rows."""
        return await self._job(call, self._upserting(read_items(await call.json_body())))

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

    # -- what all share

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _upserting(self, rows: Sequence[Mapping[str, object]]) -> Work:
        now = self._now()
        return lambda connection, extension: upsert_rows(connection, extension, rows, now)

    async def _all_or_none(self, call: Call, work: Work) -> None:
        extension = await self._names.named(call, call.key("id"))
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                problems = await work(connection, extension)
                if any(problems):
                    raise _Undo(problems)
        except _Undo as undone:
            raise rows_rejected(undone.problems) from None

    async def _event(self, call: Call, work: Work) -> Reply:
        extension = await self._names.named(call, call.key("id"))
        request_id = await self._done(call, extension, work)
        return Reply(b'""', 202, ((REQUEST_ID, str(request_id).encode("ascii")),))

    async def _job(self, call: Call, work: Work) -> Reply:
        name = call.key("id")
        extension = await self._names.find(call, name)
        if extension is None:
            text = f"Unable to find a DataExtension with {shown_name(name)}"
            message = ResultMessage("Operational", "Error", "CustomObjectNotFound", text)
            return Reply(_encode(JobAccepted(str(uuid7()), [message])))
        return Reply(_encode(JobAccepted(str(await self._done(call, extension, work)), [])), 202)

    async def _done(self, call: Call, extension: DataExtension, work: Work) -> UUID:
        """Do the work and keep what became of each row, together; the id to ask for it with."""
        request_id, called_at = uuid7(), self._now()
        async with self._pool.acquire() as connection, connection.transaction():
            problems = await work(connection, extension)
            await store_job(connection, call.account_id, request_id, called_at, problems)
        return request_id

    async def _found_job(self, call: Call) -> tuple[str, DataJob]:
        text = call.key("requestId")
        request_id = uuid_of(text)
        job = None if request_id is None else await find_job(self._pool, call.account_id, request_id)
        if job is None:
            raise ApiError(Code.NOT_FOUND, f"there is no asynchronous request {text[:50]!r}")
        return str(request_id), job


class _Increment:
    """Counts a cell up as the path says, once; ``now`` is what it is then. Raises ApiError for a path that is none."""

    def __init__(self, call: Call) -> None:
        self.keys = key_pairs(call.key("keys", 1))
        self.column = call.key("column", 2)
        text = call.query.get("step", "1")
        if not _STEP.fullmatch(text):
            raise ApiError(Code.INVALID_VALUE, f"step is {text[:50]!r}; it must be a whole number of up to 10 digits")
        self._step = int(text)
        self.now: str | None = None

    async def __call__(self, connection: Connection, extension: DataExtension) -> Problems:
        """The work: one problem or None."""
        counted = await increment_cell(connection, extension, self.keys, self.column, self._step)
        if isinstance(counted, RowProblem):
            return [counted]
        self.now = counted
        return [None]
