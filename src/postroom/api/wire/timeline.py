"""The timeline of a message on the wire (Postroom's own): one list of entries, told apart by ``type``.

Fields without a value are left out of entries.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

import msgspec

from postroom.api.times import utc_time
from postroom.events.codes import StatusCode, status_message
from postroom.events.payloads import KINDS
from postroom.events.posted import Posted
from postroom.events.put_offs import Reason
from postroom.events.timeline import Standstill, Step, Timeline, Told, Waiting, WaitState

_STATUSES: Mapping[str, Literal["queued", "sent", "notSent"]] = {
    "queued": "queued",
    "sent": "sent",
    "not_sent": "notSent",
}


class _Entry(msgspec.Struct, rename="camel", omit_defaults=True, tag_field="type", kw_only=True):
    at: str


class AcceptedEntry(_Entry, tag="accepted", kw_only=True):
    """The 202. ``version`` is the definition's version that the message is composed with."""

    request_id: str
    position: int
    definition_key: str
    version: int


class ClaimedEntry(_Entry, tag="claimed", kw_only=True):
    """A worker took the message out of the queue, for the attempt of this number."""

    number: int


class ComposedEntry(_Entry, tag="composed", kw_only=True):
    """Its mail was made, for the attempt of this number."""

    number: int


class PutOffEntry(_Entry, tag="putOff", kw_only=True):
    """It was put off, ``times`` in a row for one ``reason``; ``place`` is the site, route or process that it was about.

    ``until`` is the last time that was set for it, and left out where none was.
    """

    reason: Reason
    place: str = ""
    until: str = ""
    times: int = 1


class RelayAwayEntry(_Entry, tag="relayAway", kw_only=True):
    """From ``at`` to ``until`` the relay could not be reached, as a delivery process saw it."""

    relay: str
    reply: str
    until: str


class InactiveEntry(_Entry, tag="inactive", kw_only=True):
    """From ``at`` to ``until`` the definition was not active; ``until`` is left out while that lasts."""

    until: str = ""


class AttemptEntry(_Entry, tag="attempt", kw_only=True):
    """One attempt at delivering. ``retryAt`` is when another follows.

    ``held`` says that it is not sent again until somebody releases it.
    """

    event_id: str
    number: int
    outcome: Literal["sent", "deferred", "unknown", "refused"]
    host: str = ""
    address: str = ""
    source: str = ""
    tls: str = ""
    certificate: dict[str, str] = {}
    stage: str = ""
    code: int | None = None
    enhanced: str = ""
    reply: str = ""
    verdict: dict[str, str] = {}
    refused_copies: list[dict[str, str]] = []
    suppressed_copies: list[dict[str, str]] = []
    retry_at: str = ""
    held: bool = False


class SentEntry(_Entry, tag="sent", kw_only=True):
    """The end of a message that was taken; ``subject`` as it was composed."""

    event_id: str
    subject: str = ""


class NotSentEntry(_Entry, tag="notSent", kw_only=True):
    """The end of a message that was not sent."""

    event_id: str
    status_code: int
    status_message: str
    reason: str = ""


class BouncedEntry(_Entry, tag="bounced", kw_only=True):
    """A report after the end. ``recipient`` is there when it is of a cc or bcc recipient."""

    event_id: str
    host: str = ""
    reporting_mta: str = ""
    enhanced: str = ""
    reply: str = ""
    recipient: str = ""
    verdict: dict[str, str] = {}


class ComplainedEntry(_Entry, tag="complained", kw_only=True):
    """A complaint; ``feedback`` is its type (RFC 5965)."""

    event_id: str
    feedback: str = ""
    reporting_mta: str = ""
    recipient: str = ""


class OpenedEntry(_Entry, tag="opened", kw_only=True):
    """An open; ``verdict`` says whether it was a person or a machine."""

    event_id: str
    verdict: str = ""
    verdict_reason: str = ""
    address: str = ""
    user_agent: str = ""


class ClickedEntry(_Entry, tag="clicked", kw_only=True):
    """A click on a link."""

    event_id: str
    target: str = ""
    link_name: str = ""
    verdict: str = ""
    verdict_reason: str = ""
    address: str = ""
    user_agent: str = ""


class UnsubscribedEntry(_Entry, tag="unsubscribed", kw_only=True):
    """An unsubscription; ``listId`` is there when it is of one list."""

    event_id: str
    method: str = ""
    list_id: int | None = None


class WebhookEntry(_Entry, tag="webhook", kw_only=True):
    """An event and a callback.

    ``told``: taken at ``at``, with the answer's ``status``, after so many ``milliseconds``, in a batch of ``events``.
    ``failed``: not taken, ``times`` in a row from ``at`` to ``until``; status 0 is no answer.
    ``waiting``: to be told; ``attempt`` counts the failures in a row, ``due`` is the next attempt's time.
    ``passed``: not told and not to be told: it was not wanted then, or given up. ``at`` of these two is the event's,
    or the last attempt's.
    """

    event_id: str
    event_type: str
    callback_id: str
    callback_name: str
    state: Literal["told", "failed", "waiting", "passed"]
    status: int = 0
    milliseconds: int = 0
    webhook_id: str = ""
    events: int = 0
    times: int = 0
    until: str = ""
    attempt: int = 0
    due: str = ""
    failing_since: str = ""
    last_error: str = ""


class WaitingEntry(_Entry, tag="waiting", kw_only=True):
    """Why it is still queued, since ``at``. ``until`` is left out where no time is set."""

    state: WaitState
    attempts: int
    claims: int
    until: str = ""
    lease_owner: str = ""
    domain: str = ""


Entry: TypeAlias = (
    AcceptedEntry
    | RelayAwayEntry
    | InactiveEntry
    | PutOffEntry
    | ClaimedEntry
    | ComposedEntry
    | AttemptEntry
    | SentEntry
    | NotSentEntry
    | BouncedEntry
    | ComplainedEntry
    | OpenedEntry
    | ClickedEntry
    | UnsubscribedEntry
    | WebhookEntry
    | WaitingEntry
)


class ShownTimeline(msgspec.Struct, rename="camel"):
    """One message and all that is recorded of it; ``complete`` is false when it has more events than are shown."""

    message_key: str
    contact_key: str
    to: str
    status: Literal["queued", "sent", "notSent"]
    complete: bool
    entries: list[Entry]


def shown_timeline(timeline: Timeline) -> ShownTimeline:
    """The timeline as replies show it."""
    entries: list[Entry] = [
        AcceptedEntry(
            at=utc_time(timeline.accepted_at),
            request_id=str(timeline.request_id),
            position=timeline.position,
            definition_key=timeline.definition_key,
            version=timeline.version_id,
        )
    ]
    entries += [_standstill(each) for each in timeline.standstills]
    entries += [
        PutOffEntry(
            at=utc_time(each.since),
            reason=each.reason,
            place=each.place,
            until="" if each.until is None else utc_time(each.until),
            times=each.times,
        )
        for each in timeline.hindrances
    ]
    for step in timeline.steps:
        entries += _of_step(step)
        entries += [_posted(step, each) for each in step.posted]
        entries += [_webhook(step, each) for each in step.told]
    entries.sort(key=lambda entry: entry.at)
    if timeline.waiting is not None:
        entries.append(_waiting(timeline.waiting, timeline.address))
    return ShownTimeline(
        timeline.message_key,
        timeline.contact_key,
        timeline.address,
        _STATUSES[timeline.status],
        timeline.complete,
        entries,
    )


def _of_step(step: Step) -> Iterator[Entry]:
    event, detail = step.event, step.detail
    event_id, at = str(event.event_id), utc_time(event.occurred_at)
    match event.kind:
        case "sent":
            yield from _before(step)
            yield _attempt(step, "sent")
            yield SentEntry(at=at, event_id=event_id, subject=detail.get("subject", ""))
        case "deferred" | "unknown" as kind:
            yield from _before(step)
            yield _attempt(step, "unknown" if kind == "unknown" else "deferred")
        case "not_sent":
            code = event.status_code or 0
            attempted = any(name in detail for name in ("stage", "host", "code"))
            if attempted:
                yield from _before(step)
                # What ran out of time ends with its last attempt, which was no refusal.
                yield _attempt(step, "refused" if code == StatusCode.FAILURE else "deferred")
            reason = detail.get("reason", "") or ("" if attempted else detail.get("reply", ""))
            yield NotSentEntry(
                at=at, event_id=event_id, status_code=code, status_message=status_message(code), reason=reason
            )
        case "bounced":
            found = _picked(detail, "host", "reporting_mta", "enhanced", "reply", "recipient", "verdict")
            yield BouncedEntry(at=at, event_id=event_id, **found)
        case "complained":
            found = _picked(detail, "feedback", "reporting_mta", "recipient")
            yield ComplainedEntry(at=at, event_id=event_id, **found)
        case "opened":
            found = _visit(detail)
            yield OpenedEntry(at=at, event_id=event_id, **found)
        case "clicked":
            found = _picked(detail, "target", "link_name") | _visit(detail)
            yield ClickedEntry(at=at, event_id=event_id, **found)
        case _:
            yield UnsubscribedEntry(at=at, event_id=event_id, **_picked(detail, "method", "list_id"))


def _before(step: Step) -> Iterator[Entry]:
    """What the attempt says of its own past: milliseconds since the claim, and since the mail was made."""
    number, took = step.detail.get("attempt", 1), step.detail.get("took", ())
    times = [utc_time(step.event.occurred_at - timedelta(milliseconds=spent)) for spent in took]
    if times:
        yield ClaimedEntry(at=times[0], number=number)
    if len(times) > 1:
        yield ComposedEntry(at=times[1], number=number)


def _visit(detail: Mapping[str, Any]) -> dict[str, Any]:
    found = _picked(detail, "verdict", "verdict_reason", "user_agent")
    return found | {"address": detail["ip_address"]} if detail.get("ip_address") else found


def _standstill(standstill: Standstill) -> RelayAwayEntry | InactiveEntry:
    at, until = utc_time(standstill.since), "" if standstill.until is None else utc_time(standstill.until)
    if standstill.kind == "inactive":
        return InactiveEntry(at=at, until=until)
    return RelayAwayEntry(at=at, until=until, relay=standstill.relay, reply=standstill.reply)


def _attempt(step: Step, outcome: Literal["sent", "deferred", "unknown", "refused"]) -> AttemptEntry:
    detail = step.detail
    facts = ("host", "address", "source", "tls", "certificate", "stage", "code", "enhanced", "reply", "verdict", "held")
    return AttemptEntry(
        at=utc_time(step.event.occurred_at),
        event_id=str(step.event.event_id),
        number=detail.get("attempt", 1),
        outcome=outcome,
        retry_at="" if "retry_at" not in detail else utc_time(datetime.fromisoformat(detail["retry_at"])),
        refused_copies=[{"address": address, "reply": reply} for address, reply in detail.get("refused", ())],
        suppressed_copies=[{"address": address, "cause": cause} for address, cause in detail.get("left_out", ())],
        **_picked(detail, *facts),
    )


def _picked(detail: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The evidence by these names; erasing a person's data takes some of it away."""
    return {name: detail[name] for name in names if detail.get(name) is not None}


def _posted(step: Step, posted: Posted) -> WebhookEntry:
    return WebhookEntry(
        at=utc_time(posted.since),
        event_id=str(step.event.event_id),
        event_type=KINDS[step.event.kind],
        callback_id=str(posted.callback_id),
        callback_name=posted.callback_name,
        state="told" if posted.taken else "failed",
        status=posted.status,
        milliseconds=posted.milliseconds,
        webhook_id=posted.webhook_id,
        events=posted.events,
        times=posted.times,
        until="" if posted.taken else utc_time(posted.until),
        attempt=posted.attempt,
        last_error=posted.problem,
    )


def _webhook(step: Step, told: Told) -> WebhookEntry:
    tried = [each.until for each in step.posted if each.callback_id == told.callback_id]
    return WebhookEntry(
        at=utc_time(max([step.event.occurred_at, *tried])),
        event_id=str(step.event.event_id),
        event_type=told.event_type,
        callback_id=str(told.callback_id),
        callback_name=told.name,
        state="passed" if told.passed else "waiting",
        attempt=told.attempt,
        due="" if told.due_at is None else utc_time(told.due_at),
        failing_since="" if told.failing_since is None else utc_time(told.failing_since),
        last_error=told.last_error,
    )


def _waiting(waiting: Waiting, address: str) -> WaitingEntry:
    return WaitingEntry(
        at=utc_time(waiting.since),
        state=waiting.state,
        until="" if waiting.until is None else utc_time(waiting.until),
        attempts=waiting.attempts,
        claims=waiting.claims,
        lease_owner=waiting.lease_owner or "",
        domain=address.rpartition("@")[2].lower(),
    )
