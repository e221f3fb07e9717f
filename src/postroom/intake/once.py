"""Requests that are made once (`Idempotency-Key`): their replies, kept in the transaction that accepts them.

A key is held by an advisory lock until its transaction ends, so that a second request of the same key finds the
reply committed, or learns that the first is still under way; neither ever waits for the other. Keys are forgotten
after 72 hours, a few with each that is added.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

from postroom.store.pool import PooledConnection

_HOLD = """
select o.key, pg_try_advisory_xact_lock(hashtextextended($1::bigint || '/' || o.key, 5)) as held
from unnest($2::text[]) as o(key)
"""

_KEPT = """
select idempotency_key, fingerprint, reply from idempotency_key
where account_id = $1 and idempotency_key = any($2::text[]) and created_at > now() - interval '72 hours'
"""

# A row that is in the way is past its time: a live one would have been replayed.
_KEEP = """
insert into idempotency_key (account_id, idempotency_key, fingerprint, reply)
select $1, o.key, o.fingerprint, o.reply from unnest($2::text[], $3::bytea[], $4::bytea[]) as o(key, fingerprint, reply)
on conflict (account_id, idempotency_key) do update
   set fingerprint = excluded.fingerprint, reply = excluded.reply, created_at = now()
"""

_FORGET = """
delete from idempotency_key where account_id = $1 and idempotency_key = any(array(
    select idempotency_key from idempotency_key
    where account_id = $1 and created_at < now() - interval '72 hours'
    order by created_at limit $2 for update skip locked))
"""


class OnceState(Enum):
    """What is known of a key."""

    FRESH = auto()
    REPLAYED = auto()
    REUSED = auto()
    IN_FLIGHT = auto()


class OnceRow(NamedTuple):
    """A key with what was asked for and what was answered."""

    key: str
    fingerprint: bytes
    reply: bytes


async def hold(
    connection: PooledConnection, account_id: int, asked: Sequence[tuple[str, bytes]]
) -> list[tuple[OnceState, bytes]]:
    """What each (key, fingerprint) is, in order, with the kept reply of one that is replayed.

    A fresh key is held until the transaction ends; of two equal ones in ``asked`` the second is in flight.
    """
    keys = list({key for key, _ in asked})
    held = {row["key"] for row in await connection.fetch(_HOLD, account_id, keys) if row["held"]}
    # A statement of its own: what was committed before the lock was free must be seen.
    kept = {row["idempotency_key"]: row for row in await connection.fetch(_KEPT, account_id, list(held))}
    found: list[tuple[OnceState, bytes]] = []
    seen: set[str] = set()
    for key, fingerprint in asked:
        row = kept.get(key)
        if row is not None:
            same = row["fingerprint"] == fingerprint
            found.append((OnceState.REPLAYED, row["reply"]) if same else (OnceState.REUSED, b""))
        elif key in seen or key not in held:
            found.append((OnceState.IN_FLIGHT, b""))
        else:
            found.append((OnceState.FRESH, b""))
        seen.add(key)
    return found


async def keep(connection: PooledConnection, account_id: int, rows: Sequence[OnceRow]) -> None:
    """Keep the replies of keys that are held, and forget as many of the oldest that are past their time, and more."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    await connection.execute(_KEEP, account_id, *columns)
    await connection.execute(_FORGET, account_id, 2 * len(rows) + 10)
