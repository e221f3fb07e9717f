"""Lists and who is on them. Everyone is on "All Subscribers", where the status is the contact's own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import asyncpg

from postroom.audience.contacts import ContactStatus
from postroom.audience.directory import seen_statuses
from postroom.store.database import Connection, Database
from postroom.tenancy.accounts import ALL_SUBSCRIBERS

_CREATE = "insert into list (account_id, name) values ($1, $2) returning list_id, name"

_PAGE = "select list_id, name from list where account_id = $1 order by list_id limit $2 offset $3"

_FIND = "select list_id, name from list where account_id = $1 and list_id = $2"

_USED_BY = """
    select definition_key from definition where account_id = $1 and list_id = $2 and status <> 'Deleted'
     order by definition_key limit 1
"""

_DELETE = "delete from list where account_id = $1 and list_id = $2 returning true"

_STATUSES = """
select m.contact_id, m.status
  from unnest($3::bigint[]) as wanted(contact_id)
 cross join lateral (
    select contact_id, status from list_member
     where account_id = $1 and list_id = $2 and contact_id = wanted.contact_id
     limit 1) m
"""

_ADD = """
insert into list_member (account_id, list_id, contact_id)
select $1, $2, contact_id from unnest($3::bigint[]) as added(contact_id)
on conflict do nothing
"""

_SET = """
insert into list_member (account_id, list_id, contact_id, status) values ($1, $2, $3, $4)
on conflict (account_id, list_id, contact_id) do update set status = excluded.status, modified_at = now()
"""

_REMOVE = "delete from list_member where account_id = $1 and list_id = $2 and contact_id = $3 returning true"

_MEMBERS = """
select c.contact_key, c.address, m.status
  from list_member m
 cross join lateral (
    select contact_key, address from contact where account_id = $1 and contact_id = m.contact_id limit 1) c
 where m.account_id = $1 and m.list_id = $2
 order by m.contact_id limit $3 offset $4
"""

_EVERYONE = """
select contact_key, address, status from contact
 where account_id = $1 and status <> 'Deleted'
 order by contact_id limit $2 offset $3
"""


@dataclass(frozen=True, slots=True)
class MailingList:
    """A list of a business unit."""

    list_id: int
    name: str

    @property
    def everyone(self) -> bool:
        """Whether it is All Subscribers."""
        return is_everyone(self.name)


@dataclass(frozen=True, slots=True)
class Member:
    """A contact on a list, and its status there."""

    contact_key: str
    address: str
    status: ContactStatus


class ListTaken(Exception):
    """Another list of the business unit has this name."""


class ListInUse(Exception):
    """The list can't be deleted; the text says why."""


def is_everyone(name: str) -> bool:
    """Whether a list of this name is All Subscribers."""
    return name.strip().casefold() == ALL_SUBSCRIBERS.casefold()


async def create_list(database: Database, account_id: int, name: str) -> MailingList:
    """Raises ListTaken."""
    try:
        row = await database.fetchrow(_CREATE, account_id, name)
    except asyncpg.UniqueViolationError:
        raise ListTaken(name) from None
    assert row is not None
    return MailingList(*row)


async def page_lists(database: Database, account_id: int, *, page: int, page_size: int) -> list[MailingList]:
    """One page of the lists, oldest first."""
    rows = await database.fetch(_PAGE, account_id, page_size, (page - 1) * page_size)
    return [MailingList(*row) for row in rows]


async def get_list(database: Database, account_id: int, list_id: int) -> MailingList | None:
    """By its number."""
    row = await database.fetchrow(_FIND, account_id, list_id)
    return None if row is None else MailingList(*row)


async def delete_list(connection: Connection, account_id: int, found: MailingList) -> None:
    """Remove it and its memberships. Raises ListInUse for All Subscribers and for one that a definition names."""
    if found.everyone:
        raise ListInUse("All Subscribers can't be deleted")
    used_by = await connection.fetchval(_USED_BY, account_id, found.list_id)
    if used_by is not None:
        raise ListInUse(f"the definition {used_by!r} names the list; change or delete that first")
    await connection.execute(_DELETE, account_id, found.list_id)


async def page_members(
    database: Database, account_id: int, found: MailingList, *, page: int, page_size: int
) -> list[Member]:
    """One page of who is on it, in the order of the contacts."""
    offset = (page - 1) * page_size
    if found.everyone:
        rows = await database.fetch(_EVERYONE, account_id, page_size, offset)
        seen = await seen_statuses(database, account_id, [(row["address"], row["status"]) for row in rows])
        return [Member(row["contact_key"], row["address"], status) for row, status in zip(rows, seen, strict=True)]
    rows = await database.fetch(_MEMBERS, account_id, found.list_id, page_size, offset)
    return [Member(*row) for row in rows]


async def set_member(database: Database, account_id: int, list_id: int, contact_id: int, status: str) -> None:
    """Put the contact on the list with this status, or change its status there. Not for All Subscribers."""
    await database.execute(_SET, account_id, list_id, contact_id, status)


async def remove_member(database: Database, account_id: int, list_id: int, contact_id: int) -> bool:
    """Take the contact off the list; False when it was not on it. Not for All Subscribers."""
    return bool(await database.fetchval(_REMOVE, account_id, list_id, contact_id))


async def member_statuses(
    database: Database, account_id: int, list_id: int, contact_ids: Sequence[int]
) -> dict[int, ContactStatus]:
    """The status of each of these contacts that is on the list."""
    rows = await database.fetch(_STATUSES, account_id, list_id, contact_ids)
    return {row["contact_id"]: row["status"] for row in rows}


async def add_members(database: Database, account_id: int, list_id: int, contact_ids: Iterable[int]) -> None:
    """Put these contacts on the list; who is on it already stays as it is."""
    # In order, so that two processes that add the same contacts wait but never deadlock.
    await database.execute(_ADD, account_id, list_id, sorted(set(contact_ids)))
