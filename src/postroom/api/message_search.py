"""Postroom's own route to find messages."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from postroom.api.definitions import number_field
from postroom.api.endpoint import Call
from postroom.api.reply import Reply
from postroom.api.shape import Route
from postroom.api.shapes import message_search as shapes
from postroom.api.wire.search import read_cursor, read_wanted, shown_messages
from postroom.events.search import search_messages
from postroom.store.database import Pool

DEFAULT_PAGE_SIZE = 50
LARGEST_PAGE_SIZE = 500

READ = frozenset({"email_read"})

_encode = msgspec.json.Encoder().encode


class MessageSearch:
    """The handlers. ``clock`` gives seconds since the epoch."""

    def __init__(self, pool: Pool, *, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._clock = clock

    def routes(self) -> list[Route]:
        """Every route with its scopes."""
        return [Route("GET", "/postroom/v1/messages", READ, self.search, shapes.SEARCH)]

    async def search(self, call: Call) -> Reply:
        """GET /messages: those that the filter in the query wants, newest first, from where ``cursor`` says."""
        wanted = read_wanted(call.query)
        limit = number_field(call.query, "pagesize", default=DEFAULT_PAGE_SIZE, highest=LARGEST_PAGE_SIZE)
        found = await search_messages(
            self._pool,
            call.account_id,
            wanted,
            after=read_cursor(call.query, wanted),
            limit=limit,
            now=datetime.fromtimestamp(self._clock(), UTC),
        )
        return Reply(_encode(shown_messages(found, wanted)))
