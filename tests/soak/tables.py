"""What the server's tables say when everything is over, as the audit wants it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import asyncpg
from tests.soak.ledger import Key, Place

_MESSAGES = """
select m.account_id, m.request_id, m.position, m.message_key, m.address, d.definition_key,
       extract(epoch from r.accepted_at)::float8 as accepted_at
from message m
join send_request r using (account_id, accepted_on, request_id)
join definition d on d.account_id = r.account_id and d.definition_id = r.definition_id
"""
_EVENTS = """
select event_id, account_id, request_id, position, kind, status_code, extract(epoch from occurred_at)::float8 as at
from event order by event_id
"""
_RESENT = "select account_id, message_key, resent_as from resent_message"
_METRICS = "select metric, labels, value from metric_count"
_WARM_UP = "select source, sum(messages)::bigint as messages from warm_up_count group by source"
# Whatever should be nothing once there is nothing to do.
_LEFT = {
    "slices in the queue": "select count(*) from queue",
    "jobs that go on": "select count(*) from message_job where state = 'running'",
    "erasures that go on": "select count(*) from erasure where finished_at is null",
    "callbacks that fail": "select count(*) from callback where failing_since is not null",
    "transactions that stay open": """
        select count(*) from pg_stat_activity
        where datname = current_database() and state like 'idle in transaction%' and xact_start < now() - interval '5 s'
    """,
    "prepared transactions": "select count(*) from pg_prepared_xacts",
    "advisory locks": "select count(*) from pg_locks where locktype = 'advisory' and not granted",
}
_ERASED = """
select 'message' as place, address as found from message where lower(address) = any($1::text[])
union all select 'contact', concat_ws(' ', address, contact_key, 'created', created_at, 'modified', modified_at)
    from contact where lower(address) = any($1::text[])
union all select 'event', detail from event
    where kind in ('sent', 'not_sent', 'deferred', 'unknown')
      and exists (select from unnest($1::text[]) as gone(address) where strpos(lower(detail), gone.address) > 0)
"""


@dataclass(frozen=True, slots=True)
class MessageRow:
    """An accepted recipient."""

    place: Place
    key: Key
    address: str
    """Empty when it was erased."""
    definition: str
    accepted_at: float


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event of the log."""

    event_id: int
    place: Place
    kind: str
    code: int | None
    at: float


@dataclass(slots=True)
class Tables:
    """Everything that the audit asks the database."""

    messages: list[MessageRow]
    events: list[EventRow]
    resent: dict[Key, Key] = field(default_factory=dict)
    left: Mapping[str, int] = field(default_factory=dict)
    metrics: Mapping[tuple[str, str], int] = field(default_factory=dict)
    warm_up: Counter[str] = field(default_factory=Counter)
    unforgotten: list[str] = field(default_factory=list)
    """Where addresses still stand that were erased."""


async def read_tables(connection: "asyncpg.Connection[asyncpg.Record]", erased: set[str]) -> Tables:
    """One look at all of them; nobody writes any more."""
    messages = [
        MessageRow(
            _place(row),
            Key(row["account_id"], row["message_key"].lower()),
            row["address"],
            row["definition_key"],
            row["accepted_at"],
        )
        for row in await connection.fetch(_MESSAGES)
    ]
    events = [
        EventRow(row["event_id"], _place(row), row["kind"], row["status_code"], row["at"])
        for row in await connection.fetch(_EVENTS)
    ]
    resent = {
        Key(row["account_id"], row["resent_as"].lower()): Key(row["account_id"], row["message_key"].lower())
        for row in await connection.fetch(_RESENT)
    }
    gone = [f"{row['place']}: {row['found'][:200]}" for row in await connection.fetch(_ERASED, sorted(erased))]
    return Tables(
        messages,
        events,
        resent,
        left={name: await connection.fetchval(question) for name, question in _LEFT.items()},
        metrics={(row["metric"], row["labels"]): row["value"] for row in await connection.fetch(_METRICS)},
        warm_up=Counter({row["source"]: row["messages"] for row in await connection.fetch(_WARM_UP)}),
        unforgotten=gone,
    )


def _place(row: asyncpg.Record) -> Place:
    return Place(row["account_id"], row["request_id"].hex, row["position"])
