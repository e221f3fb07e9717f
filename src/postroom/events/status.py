"""The status of one message (contract §5.1): its latest final event, or queued while there is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, TypeAlias

import asyncpg

from postroom.events.codes import status_message
from postroom.store.pool import Pool

StatusKind: TypeAlias = Literal["queued", "sent", "not_sent"]

# A key can be used again after the key window: the newest message of that name is the one asked for. Each day is
# looked up by `=`, which names the whole unique index; with `any` a day that filled up since the planner last looked
# may be read as a whole.
_STATUS = """
select k.place, s.* from unnest($2::text[]) with ordinality as k(message_key, place)
cross join lateral (
select m.message_key, m.contact_key, m.address, r.accepted_at, r.definition_id, r.version_id, r.batch_id, v.list_id,
       e.kind, e.occurred_at, e.status_code, e.contact_id
from unnest($3::date[]) as sent(day)
cross join lateral (
    select message_key, contact_key, address, accepted_on, request_id, position from message
    where account_id = $1 and lower(message_key collate "C") = lower(k.message_key collate "C")
      and accepted_on = sent.day
    limit 1) m
cross join lateral (
    select accepted_at, definition_id, version_id, batch_id from send_request
    where account_id = $1 and accepted_on = m.accepted_on and request_id = m.request_id
    limit 1) r
left join lateral (
    select list_id from definition_version where account_id = $1 and version_id = r.version_id limit 1) v on true
left join lateral (
    select kind, occurred_at, status_code, contact_id
    from event
    where account_id = $1 and request_id = m.request_id and position = m.position
      and kind in ('sent', 'not_sent') and occurred_on >= m.accepted_on - 1  -- a worker's clock may be behind
    order by event_id desc
    limit 1) e on true
where r.accepted_at > $4
order by r.accepted_at desc
limit 1) s
"""


@dataclass(frozen=True, slots=True)
class MessageStatus:
    """What is known of a message. ``occurred_at`` is UTC; the code and its name are there only for ``not_sent``."""

    kind: StatusKind
    occurred_at: datetime
    composite_id: str
    message_key: str
    contact_key: str
    address: str
    status_code: int | None = None
    status_message: str | None = None


async def message_status(
    pool: Pool, account_id: int, message_key: str, *, since_hours: int, now: datetime
) -> MessageStatus | None:
    """The status of the newest message of this key accepted in the last ``since_hours``, or None."""
    (found,) = await message_statuses(pool, account_id, [message_key], since_hours=since_hours, now=now)
    return found


async def message_statuses(
    pool: Pool, account_id: int, message_keys: Sequence[str], *, since_hours: int, now: datetime
) -> list[MessageStatus | None]:
    """As `message_status`, of several keys in one query, in their order."""
    rows = await pool.fetch(
        _STATUS, account_id, message_keys, days_back(now, since_hours), now - timedelta(hours=since_hours)
    )
    found: list[MessageStatus | None] = [None] * len(message_keys)
    for row in rows:
        found[row["place"] - 1] = _status(row)
    return found


def _status(row: asyncpg.Record) -> MessageStatus:
    kind: StatusKind = row["kind"] or "queued"
    composite = f"{str(row['definition_id']).upper()}.{row['version_id']}.{row['list_id']}"
    sent = kind == "sent"
    return MessageStatus(
        kind=kind,
        occurred_at=row["occurred_at"] or row["accepted_at"],
        composite_id=f"{composite}.{row['batch_id']}.{row['contact_id'] or 0}" if sent else f"{composite}.0.0",
        message_key=row["message_key"],
        contact_key=row["contact_key"],
        address=row["address"],
        status_code=row["status_code"],
        status_message=None if row["status_code"] is None else status_message(row["status_code"]),
    )


def days_back(now: datetime, hours: int) -> list[date]:
    """The UTC days that the last ``hours`` touch, and the next one: the database's clock may be ahead of ours."""
    today = now.astimezone(UTC).date()
    first = (now - timedelta(hours=hours)).astimezone(UTC).date()
    return [first + timedelta(days=offset) for offset in range((today - first).days + 2)]
