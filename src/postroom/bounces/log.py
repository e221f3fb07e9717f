"""What a report becomes: one event of its message, and with it what follows for the address, in one transaction.

A message has at most one ``bounced`` event for each recipient and one ``complained``: a report that comes again, or
another about the same, changes nothing. The message's status stays what it is (contract §5.1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from postroom.audience.soft_bounces import Consequence, SoftBounce, SoftBounceRule, carry_out
from postroom.audience.suppression import Entry
from postroom.bounces.report import Complaint, Failed, Failure
from postroom.bounces.return_path import Mark
from postroom.bounces.verdict import Reply, Rules, Verdict, bounce_evidence
from postroom.content.address import fold_address
from postroom.events.log import Event, append_events
from postroom.events.payloads import accept_days
from postroom.metrics.counts import Counts
from postroom.metrics.declared import SUPPRESSING, VERDICTS
from postroom.store.database import Connection

Result: TypeAlias = Literal["recorded", "known", "unknown-message"]

# Reports about one message go one after another, whichever process has them.
_LOCK = "select pg_advisory_xact_lock(hashtextextended($2::text, $1))"

_MESSAGE = """
select r.definition_id, m.address, c.contact_id
from unnest($4::date[]) as d(day)
cross join lateral (
    select accepted_on, definition_id from send_request
    where account_id = $1 and accepted_on = d.day and request_id = $2
    limit 1) r
cross join lateral (
    select address, contact_key from message
    where account_id = $1 and accepted_on = r.accepted_on and request_id = $2 and position = $3
    limit 1) m
left join lateral (
    select contact_id from contact
    where account_id = $1 and lower(contact_key collate "C") = lower(m.contact_key collate "C")
    limit 1) c on true
"""

_KNOWN = """
select detail from event where account_id = $1 and request_id = $2 and position = $3 and kind = $4
"""


class BounceDetail(msgspec.Struct, omit_defaults=True, frozen=True):
    """The evidence of a ``bounced`` event, stored as JSON; fields named as in that of an attempt mean the same."""

    verdict: Verdict
    enhanced: str = ""
    reply: str = ""
    host: str = ""
    """Who refused it."""
    reporting_mta: str = ""
    """Who reports that."""
    format: str = ""
    recipient: str = ""
    """Where it is not the message's own: a cc or bcc recipient."""


class ComplaintDetail(msgspec.Struct, omit_defaults=True, frozen=True):
    """The evidence of a ``complained`` event, stored as JSON."""

    feedback: str
    """The feedback type (RFC 5965): abuse, fraud, ..."""
    reporting_mta: str = ""
    recipient: str = ""


class _Recipient(msgspec.Struct):
    recipient: str = ""


@dataclass(frozen=True, slots=True)
class _Message:
    definition_id: UUID
    address: str
    contact_id: int | None

    def is_own(self, *addresses: str) -> bool:
        """Whether one of these is the message's own recipient."""
        own = fold_address(self.address)
        return own is not None and any(fold_address(each) == own for each in addresses if each)


async def record_failure(
    connection: Connection,
    mark: Mark,
    failure: Failure,
    rules: Rules,
    now: datetime,
    *,
    soft: SoftBounceRule | None = None,
    counts: Counts | None = None,
) -> Result:
    """Record that a message was not delivered; call it in a transaction. ``now`` is UTC; ``soft`` says when soft
    bounces suppress, None being never; ``counts`` gets what will be true with the commit.

    A mail with copies has one return path for all its recipients: of those a report names, each gets its event, and
    only the message's own recipient is suppressed.
    """
    message = await _message(connection, mark, now)
    if message is None:
        return "unknown-message"
    own, copies = _sorted(message, mark, failure.failed)
    known = await _known(connection, mark, "bounced")
    events: list[Event] = []
    follows: list[Consequence] = []
    about = [(own, "")] if own is not None else []
    about += [(each, each.recipient or each.original or "unknown") for each in copies]
    for failed, recipient in about:
        if recipient in known:
            continue
        known.add(recipient)
        reply = Reply(failed.text, failed.status, host=failed.remote_mta)
        verdict = rules.judge(reply)
        detail = BounceDetail(
            verdict,
            enhanced=reply.code,
            reply=failed.text,
            host=failed.remote_mta,
            reporting_mta=failure.reporting_mta,
            format=failure.format,
            recipient=recipient,
        )
        events.append(_event(mark, message, "bounced", detail, now))
        if counts is not None:
            counts.add(VERDICTS, "report", verdict.fault, verdict.permanence, verdict.category)
        if recipient or fold_address(message.address) is None:  # a copy's, or an erased message's
            continue
        evidence = bounce_evidence(failed.remote_mta or failure.reporting_mta, failed.text, verdict)
        if verdict.suppresses:
            follows.append(Entry(message.address, "bounce", evidence))
        elif verdict.counts and soft is not None:
            follows.append(SoftBounce(message.address, mark.request_id, mark.position, now, evidence, soft))
    return await _append(connection, mark, events, follows, counts)


async def record_complaint(
    connection: Connection, mark: Mark, complaint: Complaint, now: datetime, *, counts: Counts | None = None
) -> Result:
    """Record that a recipient complained; call it in a transaction. ``now`` is UTC; ``counts`` as above."""
    message = await _message(connection, mark, now)
    if message is None:
        return "unknown-message"
    own = not mark.copies or message.is_own(complaint.recipient)
    recipient = "" if own else complaint.recipient or "unknown"
    if recipient in await _known(connection, mark, "complained"):
        return "known"
    detail = ComplaintDetail(complaint.kind, complaint.reporter, recipient)
    evidence = f"{complaint.reporter or 'a mailbox provider'} reported: {complaint.kind}"
    # An erased message has no address any more.
    erased = fold_address(message.address) is None
    entries = [Entry(message.address, "complaint", evidence)] if own and not erased else []
    return await _append(connection, mark, [_event(mark, message, "complained", detail, now)], entries, counts)


def _sorted(message: _Message, mark: Mark, failed: Sequence[Failed]) -> tuple[Failed | None, list[Failed]]:
    """What is about the message's own recipient, and what is about copies."""
    own = next((each for each in failed if message.is_own(each.recipient, each.original)), None)
    if not mark.copies:
        # The return path says whom it is about, also when the mail was forwarded under another name.
        return own or failed[0], []
    return own, [each for each in failed if not message.is_own(each.recipient, each.original)]


async def _message(connection: Connection, mark: Mark, now: datetime) -> _Message | None:
    await connection.execute(_LOCK, mark.account_id, f"bounce {mark.request_id}/{mark.position}")
    days = accept_days(mark.request_id, now)
    row = await connection.fetchrow(_MESSAGE, mark.account_id, mark.request_id, mark.position, days)
    return None if row is None else _Message(row["definition_id"], row["address"], row["contact_id"])


async def _known(connection: Connection, mark: Mark, kind: Literal["bounced", "complained"]) -> set[str]:
    """The recipients that have such an event; empty text is the message's own."""
    rows = await connection.fetch(_KNOWN, mark.account_id, mark.request_id, mark.position, kind)
    return {msgspec.json.decode(row["detail"] or "{}", type=_Recipient).recipient for row in rows}


def _event(
    mark: Mark,
    message: _Message,
    kind: Literal["bounced", "complained"],
    detail: BounceDetail | ComplaintDetail,
    now: datetime,
) -> Event:
    return Event(
        mark.account_id,
        now.date(),
        now,
        mark.request_id,
        mark.position,
        message.definition_id,
        kind,
        message.contact_id,
        None,
        msgspec.json.encode(detail).decode(),
    )


async def _append(
    connection: Connection, mark: Mark, events: list[Event], follows: Sequence[Consequence], counts: Counts | None
) -> Result:
    if not events:
        return "known"
    await append_events(connection, events)
    if follows:
        await carry_out(connection, mark.account_id, follows)
    if counts is not None:
        for each in follows:
            counts.add(SUPPRESSING, each.cause if isinstance(each, Entry) else "soft-bounce")
    return "recorded"
