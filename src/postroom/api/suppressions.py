"""Postroom's own routes for suppressions: the addresses that a business unit sends nothing to."""

import io
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from postroom.api.definitions import number_field
from postroom.api.endpoint import Call
from postroom.api.errors import ApiError, Code
from postroom.api.reply import Header, Reply, Streamed
from postroom.api.shape import Route
from postroom.api.shapes import suppressions as shapes
from postroom.api.wire.decoding import storable
from postroom.api.wire.suppressions import (
    Removed,
    SuppressionPage,
    checked_address,
    query_cause,
    read_import,
    read_suppression,
    shown_report,
    shown_suppression,
)
from postroom.audience.suppression import (
    Cause,
    find_suppression,
    lift,
    lift_one,
    list_suppressions,
    suppress,
    suppressions_of,
)
from postroom.audience.suppression_file import FileFormat, Line, file_head, file_line, read_file
from postroom.audience.suppression_transfer import every_suppression, import_lines
from postroom.store.database import Pool

DEFAULT_PAGE_SIZE = 50
LARGEST_PAGE_SIZE = 1000

READ = frozenset({"audiences_read", "list_and_subscribers_read"})
WRITE = frozenset({"audiences_write", "list_and_subscribers_write"})

_FORMATS: Mapping[bytes, FileFormat] = {
    b"text/csv": "csv",
    b"application/x-ndjson": "ndjson",
    b"application/ndjson": "ndjson",
    b"application/jsonl": "ndjson",
}
_MEDIA_TYPES: Mapping[FileFormat, bytes] = {
    "csv": b"text/csv; charset=utf-8",
    "ndjson": b"application/x-ndjson; charset=utf-8",
}
_NO_SNIFFING: Header = (b"x-content-type-options", b"nosniff")
_PART_CHARACTERS = 64 * 1024

_encode = msgspec.json.Encoder().encode


class Suppressions:
    """The handlers. ``clock`` gives seconds since the epoch."""

    def __init__(self, pool: Pool, *, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._clock = clock

    def routes(self) -> list[Route]:
        """Every route with its scopes."""
        own = "/postroom/v1/suppressions"
        return [
            Route("GET", own, READ, self.page, shapes.LIST),
            Route("POST", own, WRITE, self.add, shapes.ADD),
            Route("DELETE", own, WRITE, self.remove_address, shapes.REMOVE_ADDRESS),
            Route("POST", own + "/import", WRITE, self.import_file, shapes.IMPORT),
            Route("GET", own + "/export", READ, self.export_file, shapes.EXPORT),
            Route("GET", own + "/{id}", READ, self.get, shapes.ONE),
            Route("DELETE", own + "/{id}", WRITE, self.remove, shapes.ONE),
        ]

    async def page(self, call: Call) -> Reply:
        """GET /suppressions: oldest first, from where `next` of the page before left off.

        `address` finds one address however it is written, `containing` a part of it, `cause` one cause; `expired=true`
        shows those that are over, too.
        """
        query = call.query
        page_size = number_field(query, "pagesize", default=DEFAULT_PAGE_SIZE, highest=LARGEST_PAGE_SIZE)
        cause, expired = query_cause(query.get("cause")), _flag("expired", query.get("expired"))
        after, containing = _number("after", query.get("after") or "0"), query.get("containing")
        storable({"containing": containing})
        if (address := query.get("address")) is not None:
            rows = await suppressions_of(
                self._pool, call.account_id, checked_address(address.strip()), cause=cause, expired=expired
            )
            found = [each for each in rows if each.suppression_id > after]
            found = [each for each in found if containing is None or containing.lower() in (each.address or "")]
            found = found[: page_size + 1]
        else:
            found = await list_suppressions(
                self._pool,
                call.account_id,
                after=after,
                limit=page_size + 1,
                cause=cause,
                containing=containing,
                expired=expired,
            )
        more, found = len(found) > page_size, found[:page_size]
        items = [shown_suppression(each) for each in found]
        return Reply(_encode(SuppressionPage(items, len(items), page_size, items[-1].id if more else None)))

    async def add(self, call: Call) -> Reply:
        """POST /suppressions: 201 for a new one; one that is there already keeps its later expiry (200)."""
        entry = read_suppression(await call.json_body(), now=datetime.fromtimestamp(self._clock(), UTC))
        async with self._pool.acquire() as connection, connection.transaction():
            written = await suppress(connection, call.account_id, [entry])
            (found,) = await suppressions_of(connection, call.account_id, entry.address, cause=entry.cause)
        return Reply(_encode(shown_suppression(found)), 201 if written.added else 200)

    async def remove_address(self, call: Call) -> Reply:
        """DELETE /suppressions?address=: send to it again; `cause` removes one cause and leaves the others."""
        address, cause = call.query.get("address"), query_cause(call.query.get("cause"))
        if not address:
            raise ApiError(Code.REQUIRED, "address is required in the query")
        causes = None if cause is None else [cause]
        async with self._pool.acquire() as connection, connection.transaction():
            removed = await lift(connection, call.account_id, [checked_address(address.strip())], causes)
        return Reply(_encode(Removed(removed)))

    async def get(self, call: Call) -> Reply:
        """GET /suppressions/{id}."""
        found = await find_suppression(self._pool, call.account_id, _path_id(call))
        if found is None:
            raise _unknown(call)
        return Reply(_encode(shown_suppression(found)))

    async def remove(self, call: Call) -> Reply:
        """DELETE /suppressions/{id}; the answer is what was removed."""
        found = await lift_one(self._pool, call.account_id, _path_id(call))
        if found is None:
            raise _unknown(call)
        return Reply(_encode(shown_suppression(found)))

    async def import_file(self, call: Call) -> Reply:
        """POST /suppressions/import: CSV, NDJSON or JSON; the good lines are stored, the others told.

        `cause` is that of lines without one, import when it is not given.
        """
        cause: Cause = query_cause(call.query.get("cause")) or "import"
        lines: Iterable[Line]
        kind = _FORMATS.get(call.head.media_type)
        if kind is None:
            lines = read_import(await call.json_body(), cause)
        else:
            lines = read_file(kind, io.StringIO(await call.text_body(), newline=""), cause)
        return Reply(_encode(shown_report(await import_lines(self._pool, call.account_id, lines))))

    async def export_file(self, call: Call) -> Streamed:
        """GET /suppressions/export: all in force but erased addresses, as `format` csv (the default) or ndjson."""
        text = (call.query.get("format") or "csv").lower()
        kind: FileFormat
        if text == "csv":
            kind = "csv"
        elif text == "ndjson":
            kind = "ndjson"
        else:
            raise ApiError(Code.INVALID_VALUE, f"format is {text[:50]!r}; it must be csv or ndjson")
        parts = self._exported(call.account_id, kind, query_cause(call.query.get("cause")))
        named = (b"content-disposition", b'attachment; filename="suppressions.%s"' % kind.encode())
        return Streamed(parts, (named, _NO_SNIFFING), media_type=_MEDIA_TYPES[kind])

    async def _exported(self, account_id: int, kind: FileFormat, cause: Cause | None) -> AsyncIterator[bytes]:
        part, size = [file_head(kind)], 0
        async for each in every_suppression(self._pool, account_id, cause=cause):
            line = file_line(kind, each)
            part.append(line)
            size += len(line)
            if size > _PART_CHARACTERS:
                yield "".join(part).encode()
                part, size = [], 0
        yield "".join(part).encode()


def _path_id(call: Call) -> int:
    text = call.key("id")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise _unknown(call)
    return int(text)


def _unknown(call: Call) -> ApiError:
    return ApiError(Code.NOT_FOUND, f"there is no suppression with id {call.key('id')[:50]!r}")


def _number(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ApiError(Code.INVALID_VALUE, f"{name} is {text[:50]!r}; it must be the next of a reply, or 0")
    return int(text)


def _flag(name: str, text: str | None) -> bool:
    if (text or "false").lower() not in ("true", "false"):
        raise ApiError(Code.INVALID_VALUE, f"{name} is {(text or '')[:50]!r}; it must be true or false")
    return (text or "").lower() == "true"
