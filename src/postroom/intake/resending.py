"""Sending messages again that are over: each as a new message with a key of its own.

It is made of what is stored: the version and the attributes it was accepted with. A message whose recipient was erased
has none of that any more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from postroom.events.search import Place
from postroom.intake.keys import generate_keys
from postroom.intake.ledger import Entry, Ledger
from postroom.intake.validation import MESSAGE_KEY_CHARACTERS, Candidates
from postroom.store.pool import PooledConnection

# Shared, so that an erasure waits and finds the new message too; what one is erasing at this moment is left out.
_STORED = """
select m.request_id, m.position, m.message_key, m.contact_key, m.address, m.attributes, r.version_id,
       r.attributes as shared, d.definition_key
from unnest($2::date[], $3::uuid[], $4::integer[]) with ordinality as w(day, request_id, position, place)
cross join lateral (
    select request_id, position, message_key, contact_key, address, attributes from message
    where account_id = $1 and accepted_on = w.day and request_id = w.request_id and position = w.position
    limit 1 for share skip locked) m
cross join lateral (
    select version_id, definition_id, attributes from send_request
    where account_id = $1 and accepted_on = w.day and request_id = w.request_id
    limit 1) r
cross join lateral (
    select definition_key from definition where account_id = $1 and definition_id = r.definition_id limit 1) d
order by w.place
"""


@dataclass(slots=True)
class Resent:
    """What became of the messages: old and new keys, and how many could not be sent again."""

    keys: list[tuple[str, str]] = field(default_factory=list)
    erased: int = 0
    definition_gone: int = 0


async def resend(
    connection: PooledConnection,
    ledger: Ledger,
    account_id: int,
    places: Sequence[Place],
    *,
    new_request_id: Callable[[], UUID],
    random_bytes: Callable[[int], bytes],
) -> Resent:
    """Accept each of these messages again, in the caller's transaction."""
    stored = await connection.fetch(
        _STORED,
        account_id,
        [place.day for place in places],
        [place.request_id for place in places],
        [place.position for place in places],
    )
    kept = [row for row in stored if row["contact_key"]]
    resent = Resent(erased=len(places) - len(kept))
    by_request: dict[UUID, list[asyncpg.Record]] = {}
    for row in kept:
        by_request.setdefault(row["request_id"], []).append(row)
    for rows in by_request.values():
        rows.sort(key=lambda row: row["position"])
    entries = [_entry(rows, new_request_id(), random_bytes) for rows in by_request.values()]
    if entries:
        await ledger.write(connection, account_id, entries)
    for entry, rows in zip(entries, by_request.values(), strict=True):
        if entry.definition_known and entry.version_known:
            resent.keys += [(rows[each]["message_key"], entry.candidates.keys[each]) for each in entry.stored_positions]
        else:
            resent.definition_gone += len(rows)
    return resent


def _entry(rows: Sequence[asyncpg.Record], request_id: UUID, random_bytes: Callable[[int], bytes]) -> Entry:
    keys = [
        row["message_key"][: MESSAGE_KEY_CHARACTERS - 1 - len(own)] + "~" + own
        for row, own in zip(rows, generate_keys(len(rows), random_bytes), strict=True)
    ]
    candidates = Candidates(
        keys=keys,
        positions=list(range(len(rows))),
        message_keys=keys,
        contact_keys=[row["contact_key"] for row in rows],
        addresses=[row["address"] for row in rows],
        attributes=[row["attributes"] for row in rows],
    )
    first = rows[0]
    # A job must not stand in the way of one-time codes, as so many small requests would.
    return Entry(
        request_id, first["definition_key"], first["shared"], candidates, version_id=first["version_id"], batch=True
    )
