"""What a callback is told of an event: the vendor's objects (contract §6), made from the log and the rows it points to.

    sent      TransactionalSendEvents.EmailSent
    not_sent  TransactionalSendEvents.EmailNotSent
    bounced   TransactionalSendEvents.EmailBounced

and what `engagement_notices` makes of opens, clicks and unsubscriptions.

The vendor's objects carry no id of the event. Ours have one more field, ``eventId``: the event's number in the log,
the same however often it is sent, so that a receiver can drop repeats.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from postroom.events import engagement_notices
from postroom.events.codes import status_message
from postroom.events.cursor import LoggedEvent
from postroom.events.subscriptions import EMAIL_BOUNCED, EMAIL_NOT_SENT, EMAIL_SENT
from postroom.store.pool import Pool

KINDS: Mapping[str, str] = {
    "sent": EMAIL_SENT,
    "not_sent": EMAIL_NOT_SENT,
    "bounced": EMAIL_BOUNCED,
    **engagement_notices.KINDS,
}
"""Kinds of the log that callbacks are told of, and the vendor's names."""

_UNSPECIFIED = 15
_LONGEST_WAY = 32  # days between accept and outcome, for requests whose id does not tell when it was made

_REQUESTS = """
select r.request_id, r.accepted_on, r.version_id, r.batch_id
from unnest($2::uuid[], $3::date[]) as wanted(request_id, day)
cross join lateral (
    select request_id, accepted_on, version_id, batch_id from send_request
     where account_id = $1 and accepted_on = wanted.day and request_id = wanted.request_id
     limit 1) r
"""

_MESSAGES = """
select m.request_id, m.position, m.message_key, m.contact_key, m.address
from unnest($2::uuid[], $3::integer[], $4::date[]) as wanted(request_id, position, day)
cross join lateral (
    select request_id, position, message_key, contact_key, address from message
     where account_id = $1 and accepted_on = wanted.day and request_id = wanted.request_id
       and position = wanted.position
     limit 1) m
"""

_VERSIONS = """
select v.version_id, v.list_id, d.definition_key, c.kind as classification, a.asset_id
from unnest($2::bigint[]) as wanted(version_id)
cross join lateral (
    select version_id, list_id, definition_id from definition_version
     where account_id = $1 and version_id = wanted.version_id
     limit 1) v
cross join lateral (
    select definition_key, classification_key, content_key from definition
     where account_id = $1 and definition_id = v.definition_id
     limit 1) d
left join lateral (
    select kind from classification where account_id = $1 and classification_key = d.classification_key limit 1) c
  on true
left join lateral (
    select asset_id from asset
     where account_id = $1 and lower(customer_key collate "C") = lower(d.content_key collate "C")
     limit 1) a on true
"""


class _Verdict(msgspec.Struct, frozen=True):
    permanence: str = ""


class _Detail(msgspec.Struct):
    """The part of an event's evidence that is told."""

    reason: str = ""
    reply: str = ""
    subject: str = ""
    enhanced: str = ""
    recipient: str = ""
    verdict: _Verdict = _Verdict()


_detail = msgspec.json.Decoder(_Detail)


@dataclass(frozen=True, slots=True)
class Notice:
    """One event as it is told: its type, when it occurred, what filters may ask, and the object."""

    event_id: int
    event_type: str
    occurred_at: datetime
    values: Mapping[str, str]
    body: Mapping[str, Any]


async def notices(pool: Pool, account_id: int, events: Sequence[LoggedEvent]) -> list[Notice]:
    """The events as they are told, in their order; those whose message is past its retention are left out."""
    told = [event for event in events if event.kind in KINDS]
    wanted = [
        (request_id, day)
        for request_id, occurred_at in {event.request_id: event.occurred_at for event in told}.items()
        for day in accept_days(request_id, occurred_at)
    ]
    rows = await pool.fetch(_REQUESTS, account_id, [each for each, _ in wanted], [day for _, day in wanted])
    requests = {row["request_id"]: row for row in rows}
    told = [event for event in told if event.request_id in requests]
    if not told:
        return []
    rows = await pool.fetch(
        _MESSAGES,
        account_id,
        [event.request_id for event in told],
        [event.position for event in told],
        [requests[event.request_id]["accepted_on"] for event in told],
    )
    messages = {(row["request_id"], row["position"]): row for row in rows}
    rows = await pool.fetch(_VERSIONS, account_id, list({row["version_id"] for row in requests.values()}))
    versions = {row["version_id"]: row for row in rows}
    made = []
    for event in told:
        request = requests[event.request_id]
        message = messages.get((event.request_id, event.position))
        version = versions.get(request["version_id"])
        if message is not None and version is not None:
            made.append(_notice(account_id, event, request, message, version))
    return made


def accept_days(request_id: UUID, occurred_at: datetime) -> list[date]:
    """The UTC days on which a request can have been accepted: its id tells the time it was made (RFC 9562 §5.7)."""
    if request_id.version == 7:
        made = datetime.fromtimestamp((request_id.int >> 80) / 1000, UTC).date()
        return [made, made + timedelta(days=1), made - timedelta(days=1)]
    last = occurred_at.astimezone(UTC).date()
    return [last - timedelta(days=back) for back in range(-1, _LONGEST_WAY)]


def _notice(
    account_id: int,
    event: LoggedEvent,
    request: asyncpg.Record,
    message: asyncpg.Record,
    version: asyncpg.Record,
) -> Notice:
    engaged = event.kind in engagement_notices.KINDS
    sent = event.kind != "not_sent"
    definition_id = str(event.definition_id)
    # As in the status of a message: what was not sent belongs to no batch and no subscriber.
    composite = {
        "jobId": str(request["version_id"]),
        "batchId": str(request["batch_id"]) if sent else "0",
        "listId": str(version["list_id"]),
        "subscriberId": str(event.contact_id or 0) if sent else "0",
        "emailId": str(version["asset_id"] or 0),
    }
    if engaged:
        body = engagement_notices.engagement_body(
            event.kind, account_id, event.occurred_at, composite, message["address"], event.detail
        )
        body["eventId"] = str(event.event_id)
        return Notice(event.event_id, KINDS[event.kind], event.occurred_at, {}, body)
    detail = _detail.decode(event.detail) if event.detail else _Detail()
    info = {
        "to": message["address"],
        "subscriberKey": message["contact_key"],
        "messageKey": message["message_key"],
    }
    values = {"definitionKey": version["definition_key"]}
    if event.kind == "bounced":
        if detail.recipient:
            info["to"] = detail.recipient
        values |= {"bounceCode": detail.verdict.permanence.upper(), "smtpReason": detail.enhanced}
        info |= {
            "bounceCode": values["bounceCode"],
            "bounceMessage": detail.reply,
            "smtpReason": values["smtpReason"],
        }
    elif sent:
        info |= {"status": "Sent", "renderedSubject": detail.subject}
    else:
        code = event.status_code or _UNSPECIFIED
        name = status_message(code)
        info |= {"reason": detail.reason or detail.reply or name, "statusCode": str(code), "statusMessage": name}
        values["statusCode"] = str(code)
    body = {
        "eventCategoryType": KINDS[event.kind],
        "timestampUTC": round(event.occurred_at.timestamp() * 1000),
        "compositeId": f"{definition_id}.{composite['jobId']}.{composite['listId']}.{composite['batchId']}"
        f".{composite['subscriberId']}",
        "composite": composite,
        "definitionKey": version["definition_key"],
        "definitionId": definition_id,
        "mid": account_id,
        "eid": account_id,
        "sendClassificationType": "Commercial" if version["classification"] == "commercial" else "Operational",
        "eventId": str(event.event_id),
        "info": info,
    }
    return Notice(event.event_id, KINDS[event.kind], event.occurred_at, values, body)
