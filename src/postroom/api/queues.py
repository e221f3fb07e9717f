"""A definition's queue: how much waits in it, and clearing it (contract §3.6, §3.7)."""

import asyncio
from uuid import UUID

import msgspec
import structlog
import uuid_utils

from postroom.api.definitions import unknown_definition
from postroom.api.endpoint import Call
from postroom.api.errors import ApiError, Code
from postroom.api.reply import Reply
from postroom.catalog.definitions import Definition, find_definition
from postroom.events.codes import StatusCode
from postroom.intake.backlog import clear_queue, queue_depth
from postroom.store.database import Pool

# A small queue is clear before the reply, so that a client sees the effect at once; a large one goes on behind it.
_SECONDS_BEFORE_REPLY = 2.0

_encode = msgspec.json.Encoder().encode


class Queues:
    """The handlers, and the clearing that is still going on."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._clearing: set[asyncio.Task[int]] = set()
        self._log = structlog.get_logger("api")

    async def depth(self, call: Call) -> Reply:
        """GET /definitions/{definitionKey}/queue."""
        definition = await self._definition(call)
        depth = await queue_depth(self._pool, call.account_id, definition.definition_id)
        body = {
            "requestId": str(uuid_utils.uuid7()),
            "count": depth.count,
            "ageSeconds": depth.age_seconds,
        }
        return Reply(_encode(body))

    async def clear(self, call: Call) -> Reply:
        """DELETE /definitions/{definitionKey}/queue: only of an inactive definition."""
        definition = await self._definition(call)
        if definition.status != "Inactive":
            raise ApiError(Code.INVALID_OPERATION, "Definition status must be inactive to delete queue")
        task = asyncio.create_task(self._clear(call.account_id, definition.definition_id))
        self._clearing.add(task)
        task.add_done_callback(self._forget)
        done, _ = await asyncio.wait([task], timeout=_SECONDS_BEFORE_REPLY)
        if done:
            task.result()
        return Reply(_encode({"requestId": str(uuid_utils.uuid7()), "message": "Queued"}))

    async def finish(self) -> None:
        """Wait until all clearing has ended, for the end of the process."""
        await asyncio.gather(*self._clearing, return_exceptions=True)

    def _forget(self, task: asyncio.Task[int]) -> None:
        self._clearing.discard(task)
        # The failure is in the log already; asking for it keeps asyncio from reporting it again.
        _ = task.cancelled() or task.exception()

    async def _clear(self, account_id: int, definition_id: UUID) -> int:
        try:
            return await clear_queue(self._pool, account_id, definition_id, code=StatusCode.SUBSCRIBER_QUEUE_CLEARED)
        except Exception as error:
            self._log.error("queue_clearing_failed", account_id=account_id, error=repr(error))
            raise

    async def _definition(self, call: Call) -> Definition:
        key = call.key("definitionKey")
        definition = await find_definition(self._pool, call.account_id, key)
        if definition is None:
            raise unknown_definition(key)
        return definition
