"""Callbacks: the endpoints a business unit wants to be told of events at, and the proof that they are its own.

A callback is verified by a key that is posted to its URL and brought back by a call with the unit's token. Its row
also holds its place in the event log, which only `postroom.events.cursor` moves.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

import asyncpg

from postroom.events.signature import KEY_BYTES, new_signature_key
from postroom.store.database import Database, Pool

Removal: TypeAlias = Literal["removed", "unknown", "in use"]

_COLUMNS = """
callback_id, name, url, max_batch_size, signature_key, verified_at is not null as verified, failing_since, last_error,
attempt, due_at
"""

_CREATE = f"""
insert into callback (account_id, callback_id, name, url, max_batch_size, signature_key, verification_key, verify_until)
values ($1, $2, $3, $4, $5, $6, $7, now() + interval '4 hours')
on conflict (account_id, url) do nothing
returning {_COLUMNS}
"""  # noqa: S608 - columns of ours

# Once: the key is gone with the first use.
_VERIFY = """
update callback
   set verified_at = now(), verification_key = null, cursor_xid = pg_snapshot_xmin(pg_current_snapshot()),
       cursor_event = 0, cursor_at = now(), events_from = now(), patient_from = now()
 where account_id = $1 and callback_id = $2 and verification_key = $3 and verify_until > now()
returning callback_id
"""

_FIND = f"select {_COLUMNS} from callback where account_id = $1 and callback_id = $2"  # noqa: S608 - columns of ours

_LIST = f"select {_COLUMNS} from callback where account_id = $1 order by created_at, callback_id"  # noqa: S608 - columns of ours

_CHANGE = f"""
update callback set name = coalesce($3, name), max_batch_size = coalesce($4, max_batch_size)
 where account_id = $1 and callback_id = $2
returning {_COLUMNS}
"""  # noqa: S608 - columns of ours

_NEW_KEY = f"""
update callback set signature_key = $3 where account_id = $1 and callback_id = $2
returning {_COLUMNS}
"""  # noqa: S608 - columns of ours

_REMOVE = "delete from callback where account_id = $1 and callback_id = $2 returning callback_id"

# A place already before the moment is kept: what waits there is not skipped.
_REPLAY = """
update callback
   set cursor_xid = case when cursor_at > $3 then '0' else cursor_xid end,
       cursor_event = case when cursor_at > $3 then 0 else cursor_event end,
       events_from = case when cursor_at > $3 then $3 else events_from end,
       cursor_at = least(cursor_at, $3), patient_from = now(), due_at = 'epoch',
       batch_xid = null, batch_event = null, batch_at = null
 where account_id = $1 and callback_id = $2
returning callback_id
"""

# What was dropped in a pause is asked for now.
_REPLAY_SUBSCRIPTIONS = """
update subscription
   set events_from = least(events_from, $3),
       pauses = case status when 'paused' then tstzmultirange(tstzrange(now(), null)) else '{}' end
 where account_id = $1 and callback_id = $2
"""


@dataclass(frozen=True, slots=True)
class Callback:
    """One endpoint. ``failing_since`` is None while it works; ``last_error`` is what it answered last when not."""

    callback_id: UUID
    name: str
    url: str
    max_batch_size: int
    signature_key: str = field(repr=False)
    verified: bool
    failing_since: datetime | None
    last_error: str
    attempt: int
    due_at: datetime


async def create_callback(
    database: Database,
    account_id: int,
    *,
    callback_id: UUID,
    name: str,
    url: str,
    max_batch_size: int,
    verification_key: str,
    random_bytes: Callable[[int], bytes],
) -> Callback | None:
    """A new unverified callback with a signature key of its own; None when the URL has one already."""
    key = new_signature_key(random_bytes(KEY_BYTES))
    row = await database.fetchrow(_CREATE, account_id, callback_id, name, url, max_batch_size, key, verification_key)
    return None if row is None else Callback(**row)


async def verify_callback(database: Database, account_id: int, callback_id: UUID, verification_key: str) -> bool:
    """Verify by the key that was posted; False when it is another, was used, or is older than four hours.

    Events are counted from here.
    """
    return await database.fetchval(_VERIFY, account_id, callback_id, verification_key) is not None


async def find_callback(database: Database, account_id: int, callback_id: UUID) -> Callback | None:
    """The callback of this id."""
    row = await database.fetchrow(_FIND, account_id, callback_id)
    return None if row is None else Callback(**row)


async def list_callbacks(database: Database, account_id: int) -> list[Callback]:
    """All callbacks of the business unit, oldest first."""
    return [Callback(**row) for row in await database.fetch(_LIST, account_id)]


async def change_callback(
    database: Database, account_id: int, callback_id: UUID, *, name: str | None, max_batch_size: int | None
) -> Callback | None:
    """Change what is given; None when there is no such callback."""
    row = await database.fetchrow(_CHANGE, account_id, callback_id, name, max_batch_size)
    return None if row is None else Callback(**row)


async def regenerate_key(
    database: Database, account_id: int, callback_id: UUID, *, random_bytes: Callable[[int], bytes]
) -> Callback | None:
    """Give it a new signature key; the old one is dead from the next attempt on. None when there is no such."""
    row = await database.fetchrow(_NEW_KEY, account_id, callback_id, new_signature_key(random_bytes(KEY_BYTES)))
    return None if row is None else Callback(**row)


async def remove_callback(database: Database, account_id: int, callback_id: UUID) -> Removal:
    """Remove it, unless subscriptions hang on it."""
    try:
        removed = await database.fetchval(_REMOVE, account_id, callback_id)
    except asyncpg.ForeignKeyViolationError:
        return "in use"
    return "unknown" if removed is None else "removed"


async def replay_callback(pool: Pool, account_id: int, callback_id: UUID, since: datetime) -> bool:
    """Send everything since then again, whatever was paused or given up; False when there is no such callback.

    Events keep their ids. What has not been sent yet is still sent, also when it is older.
    """
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchval(_REPLAY, account_id, callback_id, since) is None:
            return False
        await connection.execute(_REPLAY_SUBSCRIPTIONS, account_id, callback_id, since)
    return True
