"""Appending to the event log.

An event is never changed. ``sent`` and ``not_sent`` are final and are what the vendor calls the status of a
message; ``deferred`` and ``unknown`` tell of attempts after which the message is still queued. What comes after
the end (``bounced``, ``complained``, ``opened``, ``clicked``, ``unsubscribed``, and ``rejudged``: a refusal, by other
rules) never changes it.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Literal, NamedTuple, TypeAlias
from uuid import UUID

from postroom.store.database import Connection

EventKind: TypeAlias = Literal[
    "sent", "not_sent", "deferred", "unknown", "bounced", "complained", "opened", "clicked", "unsubscribed", "rejudged"
]

FINAL_KINDS: Sequence[EventKind] = ("sent", "not_sent")


LOGGED = """
select written.place
from unnest($2::uuid[], $3::integer[], $4::timestamptz[], $5::text[]) with ordinality
     as written(request_id, position, occurred_at, kind, place)
cross join lateral (
    select from event
    where account_id = $1 and request_id = written.request_id and position = written.position
      and occurred_at = written.occurred_at and kind = written.kind
    limit 1) e
"""


class Event(NamedTuple):
    """One row of the log; ``detail`` is JSON text (host, reply, TLS, reason) or None.

    ``occurred_at`` is UTC and ``occurred_on`` its day, by which the log is partitioned.
    """

    account_id: int
    occurred_on: date
    occurred_at: datetime
    request_id: UUID
    position: int
    definition_id: UUID
    kind: EventKind
    contact_id: int | None
    status_code: int | None
    detail: str | None


async def append_events(connection: Connection, events: Iterable[Event]) -> None:
    """Append within the caller's transaction, by COPY."""
    await connection.copy_records_to_table("event", records=events, columns=Event._fields)


async def without_logged(connection: Connection, account_id: int, events: Sequence[Event]) -> list[Event]:
    """The events of one business unit that are not in the log: of those whose first writing gave no answer, what is
    still to be written."""
    rows = await connection.fetch(
        LOGGED,
        account_id,
        [event.request_id for event in events],
        [event.position for event in events],
        [event.occurred_at for event in events],
        [event.kind for event in events],
    )
    logged = {row["place"] for row in rows}
    return [event for place, event in enumerate(events, 1) if place not in logged]
