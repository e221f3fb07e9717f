"""Jobs over many messages on the wire (Postroom's own)."""

from typing import Literal

import msgspec

from postroom.api.errors import ApiError, Code
from postroom.api.times import utc_time
from postroom.api.wire.decoding import decode, refuse_token_in
from postroom.api.wire.search import read_wanted
from postroom.events.search import Wanted
from postroom.intake.message_jobs import ACTIONS, Action, MessageJob, ResentMessage


class WireFilter(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Which messages, as in the search; at least one of these."""

    recipient: str | None = None
    contact_key: str | None = None
    definition_key: str | None = None
    status: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None


class WireJob(msgspec.Struct):
    """What to do with the messages that a filter finds: hold, release, cancel, retry or resend."""

    action: str | None = None
    filter: WireFilter | None = None


class ShownCount(msgspec.Struct, rename="camel"):
    """What was found when it was counted; ``more`` says that there are more than these."""

    queued: int
    held: int
    sent: int
    not_sent: int
    more: bool


class ShownResults(msgspec.Struct, rename="camel"):
    """What became of the messages so far. ``claimed`` ones were left to the worker that had them."""

    done: int
    claimed: int
    erased: int
    definition_gone: int
    other_state: int
    refused: int


class ShownJob(msgspec.Struct, rename="camel"):
    """One job. When it is over, ``filter`` names nobody any more."""

    id: str
    action: Action
    status: Literal["counted", "running", "finished", "cancelled"]
    filter: dict[str, str]
    requested_by: str
    counted: str
    confirmed: str | None
    ended: str | None
    matching: ShownCount
    results: ShownResults


class ShownResent(msgspec.Struct, rename="camel"):
    """A message and the new one that it was sent again as. ``number`` is where a next page begins."""

    number: int
    message_key: str
    resent_as: str


_job = msgspec.json.Decoder(WireJob)
_CODES = {"filter": Code.INVALID_VALUE}


def read_job(body: bytes) -> tuple[Action, Wanted]:
    """What a POST asks for. Raises ApiError."""
    wire = decode(_job, body, _CODES)
    refuse_token_in(body)
    if wire.action is None:
        raise ApiError(Code.REQUIRED, f"action is required; use one of {', '.join(ACTIONS)}")
    action = next((each for each in ACTIONS if each == wire.action), None)
    if action is None:
        raise ApiError(Code.INVALID_VALUE, f"action is {wire.action[:50]!r}; it must be one of {', '.join(ACTIONS)}")
    filter_ = wire.filter or WireFilter()
    fields = {
        "recipient": filter_.recipient,
        "contactkey": filter_.contact_key,
        "definitionkey": filter_.definition_key,
        "status": filter_.status,
        "from": filter_.from_,
        "to": filter_.to,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    if not given:
        # Left out by mistake, it would find everything.
        raise ApiError(Code.REQUIRED, "filter must have at least one field; for everything give a from")
    return action, read_wanted(given)


def shown_job(job: MessageJob) -> ShownJob:
    """A job as replies show it."""
    wanted, matching, results = job.wanted, job.matching, job.results
    fields = {
        "recipient": wanted.address,
        "contactKey": wanted.contact_key,
        "definitionKey": wanted.definition_key,
        "status": wanted.status,
        "from": None if wanted.accepted_from is None else utc_time(wanted.accepted_from),
        "to": None if wanted.accepted_before is None else utc_time(wanted.accepted_before),
    }
    return ShownJob(
        id=str(job.job_id),
        action=job.action,
        status=job.state,
        filter={name: value for name, value in fields.items() if value is not None},
        requested_by=job.requested_by,
        counted=utc_time(job.counted_at),
        confirmed=None if job.confirmed_at is None else utc_time(job.confirmed_at),
        ended=None if job.ended_at is None else utc_time(job.ended_at),
        matching=ShownCount(
            matching["queued"], matching["held"], matching["sent"], matching["notSent"], not job.complete
        ),
        results=ShownResults(
            done=results["done"],
            claimed=results["claimed"],
            erased=results["erased"],
            definition_gone=results["definitionGone"],
            other_state=results["otherState"],
            refused=results["refused"],
        ),
    )


def shown_resent(resent: ResentMessage) -> ShownResent:
    """A message that was sent again, as replies show it."""
    return ShownResent(*resent)
