"""Postroom's own routes for jobs over many messages."""

from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from postroom.api.definitions import number_field
from postroom.api.endpoint import Call
from postroom.api.errors import ApiError, Code
from postroom.api.reply import Reply
from postroom.api.shape import AllOf, Route
from postroom.api.shapes import message_jobs as shapes
from postroom.api.wire.message_jobs import read_job, shown_job, shown_resent
from postroom.intake.message_jobs import (
    MessageJob,
    cancel_job,
    confirm_job,
    count_job,
    find_job,
    latest_jobs,
    resent_messages,
)
from postroom.store.database import Pool

DEFAULT_PAGE_SIZE = 50
LARGEST_PAGE_SIZE = 1000

READ = frozenset({"email_read"})
SEND = frozenset({"email_send"})

_encode = msgspec.json.Encoder().encode


class MessageJobs:
    """The handlers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def routes(self) -> list[Route]:
        """Every route with its scopes."""
        own = "/postroom/v1/jobs"
        return [
            Route("POST", own, SEND, self.count, shapes.COUNT),
            Route("GET", own, READ, self.latest, shapes.LIST),
            Route("GET", own + "/{id}", READ, self.get, shapes.ONE),
            Route("POST", own + "/{id}/confirm", SEND, self.confirm, shapes.CONFIRM),
            Route("DELETE", own + "/{id}", SEND, self.cancel, shapes.CANCEL),
            Route("GET", own + "/{id}/resent", READ, self.resent, shapes.RESENT),
        ]

    async def count(self, call: Call) -> Reply:
        """POST /jobs: what the filter finds now; nothing is done before the job is confirmed."""
        action, wanted = read_job(await call.json_body())
        job = await count_job(
            self._pool, call.account_id, action, wanted, new_id=uuid7(), requested_by=call.access.client_id
        )
        return _reply(job, 201)

    async def latest(self, call: Call) -> Reply:
        """GET /jobs: the newest jobs, newest first."""
        limit = number_field(call.query, "pagesize", default=DEFAULT_PAGE_SIZE, highest=LARGEST_PAGE_SIZE)
        items = [shown_job(each) for each in await latest_jobs(self._pool, call.account_id, limit)]
        return Reply(_encode(AllOf(items, len(items))))

    async def get(self, call: Call) -> Reply:
        """GET /jobs/{id}: how far it is, and what became of the messages."""
        return _reply(_known(call, await find_job(self._pool, call.account_id, _id(call))))

    async def confirm(self, call: Call) -> Reply:
        """POST /jobs/{id}/confirm: let it begin; repeated, it changes nothing."""
        job = _known(call, await confirm_job(self._pool, call.account_id, _id(call)))
        if job.state == "cancelled":
            raise ApiError(Code.STATE_TRANSITION, "the job was cancelled; count a new one")
        return _reply(job, 202)

    async def cancel(self, call: Call) -> Reply:
        """DELETE /jobs/{id}: it does no more; what it has done stays."""
        job = _known(call, await cancel_job(self._pool, call.account_id, _id(call)))
        if job.state == "finished":
            raise ApiError(Code.STATE_TRANSITION, "the job is finished; there is nothing left to cancel")
        return _reply(job)

    async def resent(self, call: Call) -> Reply:
        """GET /jobs/{id}/resent: which new message stands for which old one."""
        limit = number_field(call.query, "pagesize", default=DEFAULT_PAGE_SIZE, highest=LARGEST_PAGE_SIZE)
        after = call.query.get("after", "0")
        if not after.isascii() or not after.isdigit() or len(after) > 9:
            raise ApiError(Code.INVALID_VALUE, f"after is {after[:50]!r}; it must be the last number of a page, or 0")
        job = _known(call, await find_job(self._pool, call.account_id, _id(call)))
        found = await resent_messages(self._pool, call.account_id, job.job_id, after=int(after), limit=limit)
        return Reply(_encode(AllOf([shown_resent(each) for each in found], len(found))))


def _id(call: Call) -> UUID:
    try:
        return UUID(call.key("id"))
    except ValueError:
        raise _unknown(call) from None


def _known(call: Call, job: MessageJob | None) -> MessageJob:
    if job is None:
        raise _unknown(call)
    return job


def _unknown(call: Call) -> ApiError:
    return ApiError(Code.NOT_FOUND, f"there is no job with id {call.key('id')[:50]!r}")


def _reply(job: MessageJob, status: int = 200) -> Reply:
    return Reply(_encode(shown_job(job)), status)
