"""Postroom's own route that tells what is in the queue, and which destinations are behind."""

import msgspec

from postroom.api.endpoint import Call
from postroom.api.errors import ApiError, Code
from postroom.api.reply import Reply
from postroom.api.shape import Route
from postroom.api.shapes import queue_report as shapes
from postroom.api.wire.queue_report import read_definition, shown_queue
from postroom.intake.queue_report import queue_report
from postroom.store.database import Pool

READ = frozenset({"email_read"})

_encode = msgspec.json.Encoder().encode


class QueueReports:
    """The handlers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def routes(self) -> list[Route]:
        """Every route with its scopes."""
        return [Route("GET", "/postroom/v1/queue", READ, self.report, shapes.QUEUE)]

    async def report(self, call: Call) -> Reply:
        """GET /queue: what waits of each definition, and the destinations that are behind with their last reply."""
        definition_key = read_definition(call.query)
        report = await queue_report(self._pool, call.account_id, definition_key)
        if report is None:
            raise ApiError(Code.NOT_FOUND, f"no definition with key {(definition_key or '')[:100]!r}")
        return Reply(_encode(shown_queue(report)))
