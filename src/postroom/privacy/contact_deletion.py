"""Deleting contacts as clients of the vendor's ask for it: many in a call, and one number to ask for all of them.

Each contact is an erasure of its own (`privacy.erasure`), which is carried out afterwards.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from postroom.intake.keys import fold_key
from postroom.privacy.erasure import begin_erasure
from postroom.store.database import Connection, Database

_NOTE = """
insert into contact_deletion (account_id, erasure_ids) values ($1, $2) returning operation_id
"""

_FIND = """
select d.requested_at, cardinality(d.erasure_ids) as contacts, e.waiting,
       coalesce(e.ended_at, d.requested_at) as ended_at
  from contact_deletion d
 cross join lateral (
    select count(*) filter (where finished_at is null) as waiting, max(finished_at) as ended_at
      from erasure where account_id = $1 and erasure_id = any(d.erasure_ids)) e
 where d.account_id = $1 and d.operation_id = $2
"""


@dataclass(frozen=True, slots=True)
class ContactDeletion:
    """How a call to delete contacts stands; ``ended_at`` is when the last erasure ended, so far."""

    operation_id: int
    contacts: int
    waiting: int
    requested_at: datetime
    ended_at: datetime


async def begin_deletion(
    connection: Connection,
    account_id: int,
    contact_keys: Iterable[str],
    *,
    new_id: Callable[[], UUID],
    requested_by: str,
) -> int:
    """Note that these contacts are to be erased; their addresses may get mail again. The number to ask with."""
    # In one order for all, since each waits for an unfinished erasure of the same contact.
    erasures = [
        await begin_erasure(
            connection, account_id, new_id=new_id(), requested_by=requested_by, contact_key=key, suppress=False
        )
        for key in sorted({fold_key(key) for key in contact_keys})
    ]
    number: int = await connection.fetchval(_NOTE, account_id, erasures)
    return number


async def find_deletion(database: Database, account_id: int, operation_id: int) -> ContactDeletion | None:
    """The call of this number."""
    row = await database.fetchrow(_FIND, account_id, operation_id)
    if row is None:
        return None
    return ContactDeletion(operation_id, row["contacts"], row["waiting"], row["requested_at"], row["ended_at"])
