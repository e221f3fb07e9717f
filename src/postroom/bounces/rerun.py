"""The rules of today over what receivers said before: who was suppressed wrongly is let go, who was missed is not.

Events are never changed. A verdict that comes out otherwise is one more event of its message, ``rejudged``, and the
latest of them counts. A suppression is lifted only where its evidence is that of a refusal judged anew, and no other
refusal of the address within the time that is looked at still asks for it.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, TypeAlias
from uuid import UUID

import asyncpg
import msgspec

from postroom.audience.suppression import Entry, lift, suppress, suppressions_of
from postroom.bounces.verdict import Reply, Rules, Verdict, bounce_evidence
from postroom.content.address import fold_address
from postroom.events.log import Event, append_events
from postroom.events.payloads import accept_days
from postroom.store.database import Connection

Effect: TypeAlias = Literal["", "suppressed", "lifted"]

_PAGE = 1_000

_REFUSALS = """
select event_id, occurred_at, request_id, position, definition_id, contact_id, detail from event
where account_id = $1 and occurred_on = $2 and kind in ('bounced', 'not_sent') and detail like '%"verdict":%'
order by event_id
"""

_REJUDGED = """
select request_id, position, detail from event
where account_id = $1 and occurred_on >= $2 and kind = 'rejudged'
order by event_id
"""

_MESSAGES = """
select m.request_id, m.position, m.message_key, m.address
from unnest($2::uuid[], $3::integer[], $4::date[]) as wanted(request_id, position, day)
cross join lateral (
    select request_id, position, message_key, address from message
    where account_id = $1 and accepted_on = wanted.day and request_id = wanted.request_id
      and position = wanted.position
    limit 1) m
"""


class _Detail(msgspec.Struct, omit_defaults=True, frozen=True):
    """What is judged again; also the evidence of a ``rejudged`` event."""

    verdict: Verdict
    code: int | None = None
    enhanced: str = ""
    reply: str = ""
    host: str = ""
    reporting_mta: str = ""
    stage: str = ""
    recipient: str = ""
    before: Verdict | None = None


@dataclass(frozen=True, slots=True)
class _Refusal:
    occurred_at: datetime
    request_id: UUID
    position: int
    definition_id: UUID
    contact_id: int | None
    detail: _Detail

    @property
    def place(self) -> tuple[UUID, int, str]:
        return self.request_id, self.position, self.detail.recipient


@dataclass(frozen=True, slots=True)
class Change:
    """One verdict that comes out otherwise, and what that does to the address."""

    message_key: str
    address: str
    reply: str
    before: Verdict
    after: Verdict
    effect: Effect


@dataclass(frozen=True, slots=True)
class Rerun:
    """What came of it; ``judged`` counts refusals."""

    judged: int
    changes: Sequence[Change]


async def rerun(
    connection: Connection, account_id: int, rules: Rules, *, since: datetime, now: datetime, dry_run: bool
) -> Rerun:
    """Judge what one business unit was refused since then. Call it outside a transaction; times are UTC.

    Everything that follows is written in one transaction, and nothing in a dry run. It may be repeated.
    """
    latest = await _latest(connection, account_id, since.date())
    judged = 0
    changed: list[tuple[_Refusal, Verdict, Verdict]] = []
    asking: list[_Refusal] = []
    async for refusal in _refusals(connection, account_id, since, now):
        judged += 1
        detail = refusal.detail
        before = latest.get(refusal.place, detail.verdict)
        after = rules.judge(Reply(detail.reply, detail.enhanced, detail.code, detail.host, detail.stage))
        if _asks(detail, after):
            asking.append(refusal)
        if after != before:
            changed.append((refusal, before, after))
    messages = await _messages(connection, account_id, [each for each, _, _ in changed] + asking)
    wanted = {
        fold_address(messages[each.request_id, each.position][1])
        for each in asking
        if (each.request_id, each.position) in messages
    }
    changes: list[Change] = []
    async with connection.transaction():
        for refusal, before, after in changed:
            key, address = messages.get((refusal.request_id, refusal.position), ("", ""))
            effect = await _effect(connection, account_id, refusal, address, before, after, wanted)
            changes.append(Change(key, address, refusal.detail.reply, before, after, effect))
            if not dry_run:
                await _apply(connection, account_id, refusal, address, before, after, effect, now)
    return Rerun(judged, changes)


def _asks(detail: _Detail, verdict: Verdict) -> bool:
    """Whether the address should be suppressed for it. Of an answer for a whole mail it is not known whom it means."""
    return verdict.suppresses and not detail.recipient and detail.stage in ("", "connect", "rcpt")


async def _latest(connection: Connection, account_id: int, since: date) -> dict[tuple[UUID, int, str], Verdict]:
    rows = await connection.fetch(_REJUDGED, account_id, since)
    found = [(row, msgspec.json.decode(row["detail"], type=_Detail)) for row in rows if row["detail"]]
    return {(row["request_id"], row["position"], detail.recipient): detail.verdict for row, detail in found}


async def _refusals(connection: Connection, account_id: int, since: datetime, now: datetime) -> AsyncIterator[_Refusal]:
    day = since.date()
    while day <= now.date():
        async with connection.transaction(readonly=True):
            async for row in connection.cursor(_REFUSALS, account_id, day, prefetch=_PAGE):
                refusal = _refusal(row)
                if refusal is not None and refusal.occurred_at >= since:
                    yield refusal
        day += timedelta(days=1)


def _refusal(row: asyncpg.Record) -> _Refusal | None:
    try:
        detail = msgspec.json.decode(row["detail"], type=_Detail)
    except msgspec.ValidationError:  # another kind of verdict, or of an event that was written by hand
        return None
    if not detail.reply:  # erased: what it said is not there to be judged
        return None
    return _Refusal(
        row["occurred_at"], row["request_id"], row["position"], row["definition_id"], row["contact_id"], detail
    )


async def _messages(
    connection: Connection, account_id: int, refusals: Iterable[_Refusal]
) -> Mapping[tuple[UUID, int], tuple[str, str]]:
    """Message key and address, of those that are still kept."""
    places = {(each.request_id, each.position): each.occurred_at for each in refusals}
    wanted = [(*place, day) for place, at in places.items() for day in accept_days(place[0], at)]
    if not wanted:
        return {}
    rows = await connection.fetch(_MESSAGES, account_id, *(list(column) for column in zip(*wanted, strict=True)))
    return {(row["request_id"], row["position"]): (row["message_key"], row["address"]) for row in rows}


async def _effect(
    connection: Connection,
    account_id: int,
    refusal: _Refusal,
    address: str,
    before: Verdict,
    after: Verdict,
    wanted: set[str | None],
) -> Effect:
    folded = fold_address(address)
    if folded is None:
        return ""
    if _asks(refusal.detail, after):
        return "" if before.suppresses else "suppressed"
    if not before.suppresses or folded in wanted:
        return ""
    evidence = _evidence(refusal.detail, before)
    rows = await suppressions_of(connection, account_id, address, cause="bounce")
    return "lifted" if any(row.evidence == evidence for row in rows) else ""


def _evidence(detail: _Detail, verdict: Verdict) -> str:
    return bounce_evidence(detail.host or detail.reporting_mta, detail.reply, verdict)


async def _apply(
    connection: Connection,
    account_id: int,
    refusal: _Refusal,
    address: str,
    before: Verdict,
    after: Verdict,
    effect: Effect,
    now: datetime,
) -> None:
    detail = msgspec.structs.replace(refusal.detail, verdict=after, before=before)
    event = Event(
        account_id,
        now.astimezone(UTC).date(),
        now,
        refusal.request_id,
        refusal.position,
        refusal.definition_id,
        "rejudged",
        refusal.contact_id,
        None,
        msgspec.json.encode(detail).decode(),
    )
    await append_events(connection, [event])
    if effect == "suppressed":
        await suppress(connection, account_id, [Entry(address, "bounce", _evidence(refusal.detail, after))])
    elif effect == "lifted":
        await lift(connection, account_id, [address], ["bounce"])
