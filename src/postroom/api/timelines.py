"""Postroom's own route that tells everything about one message."""

from datetime import timedelta

import msgspec

from postroom.api.endpoint import Call
from postroom.api.errors import ApiError, Code
from postroom.api.reply import Reply
from postroom.api.shape import Route
from postroom.api.shapes import timelines as shapes
from postroom.api.wire.timeline import shown_timeline
from postroom.events.timeline import message_timeline
from postroom.store.database import Pool

READ = frozenset({"email_read"})

_encode = msgspec.json.Encoder().encode


class Timelines:
    """The handlers. Callbacks are ``tried_for`` so long after an event."""

    def __init__(self, pool: Pool, *, tried_for: timedelta) -> None:
        self._pool = pool
        self._tried_for = tried_for

    def routes(self) -> list[Route]:
        """Every route with its scopes."""
        return [Route("GET", "/postroom/v1/messages/{messageKey}/timeline", READ, self.timeline, shapes.TIMELINE)]

    async def timeline(self, call: Call) -> Reply:
        """GET /messages/{messageKey}/timeline: what happened to the newest message of this key that is kept."""
        message_key = call.key("messageKey")
        found = await message_timeline(self._pool, call.account_id, message_key, tried_for=self._tried_for)
        if found is None:
            raise ApiError(Code.NOT_FOUND, f"no message with key {message_key[:100]!r} is kept")
        return Reply(_encode(shown_timeline(found)))
