"""The messages that were not sent, oldest first, for a reader that comes again (contract §5.2).

Events are read in the order in which their transactions began, and only those that no transaction still running
can precede. So a reader who goes on where it stopped misses none, though numbers are drawn before they are
committed. A cursor is the number of the last event read; one whose event is gone counts by number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from postroom.events.codes import status_message
from postroom.store.pool import Pool

_PLACE = """
select committed_in::text from event
 where account_id = $1 and event_id = $2 and kind = 'not_sent' and occurred_on = any($3::date[])
 limit 1
"""

_AFTER_PLACE = """
select e.event_id, e.status_code, e.occurred_at, m.message_key, m.contact_key, d.definition_key
from (
    select event_id, committed_in, status_code, occurred_at, request_id, position, definition_id from event
     where account_id = $1 and kind = 'not_sent' and occurred_on = any($3::date[])
       and (committed_in, event_id) > ($5::text::xid8, $2::bigint)
       and committed_in < pg_snapshot_xmin(pg_current_snapshot())
     order by committed_in, event_id
     limit $4) e
left join lateral (
    select message_key, contact_key from message
     where account_id = $1 and request_id = e.request_id and position = e.position and accepted_on = any($6::date[])
     limit 1) m on true
left join lateral (
    select definition_key from definition where account_id = $1 and definition_id = e.definition_id limit 1) d on true
order by e.committed_in, e.event_id
"""

_AFTER_NUMBER = _AFTER_PLACE.replace(
    "(committed_in, event_id) > ($5::text::xid8, $2::bigint)", "event_id > $2::bigint and $5::text is null"
)

_UNSPECIFIED = 15


@dataclass(frozen=True, slots=True)
class NotSent:
    """One message that was not sent, and why."""

    event_id: int
    status_code: int
    status_message: str
    occurred_at: datetime
    message_key: str
    contact_key: str
    definition_key: str


@dataclass(frozen=True, slots=True)
class NotSentPage:
    """Some of them, and the cursor to go on with."""

    messages: list[NotSent]
    last_event_id: int


async def not_sent_after(
    pool: Pool, account_id: int, last_event_id: int, *, limit: int, days: Sequence[date], accepted_days: Sequence[date]
) -> NotSentPage:
    """Up to ``limit`` events after the one of this number (0: from the oldest), of these UTC days.

    ``accepted_days`` are those on which their messages can have been accepted. A message whose row is past its
    retention is left out.
    """
    place = await pool.fetchval(_PLACE, account_id, last_event_id, days) if last_event_id else None
    statement = _AFTER_NUMBER if place is None else _AFTER_PLACE
    # asyncpg knows no xid8; as text it goes both ways.
    rows = await pool.fetch(
        statement, account_id, last_event_id, days, limit, None if place is None else str(place), accepted_days
    )
    messages = [
        NotSent(
            event_id=row["event_id"],
            status_code=row["status_code"] or _UNSPECIFIED,
            status_message=status_message(row["status_code"] or _UNSPECIFIED),
            occurred_at=row["occurred_at"],
            message_key=row["message_key"],
            contact_key=row["contact_key"],
            definition_key=row["definition_key"] or "",
        )
        for row in rows
        if row["message_key"] is not None
    ]
    return NotSentPage(messages, rows[-1]["event_id"] if rows else last_event_id)
