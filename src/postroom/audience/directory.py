"""The contacts of a business unit as its administrators see them: created, changed, found (contract §7.3).

What sends do with contacts is `audience.contacts`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import asyncpg
import msgspec

from postroom.audience.contacts import ContactStatus
from postroom.audience.suppression import held_addresses
from postroom.content.attributes import fold_name
from postroom.store.database import Connection, Database

_COLUMNS = "contact_id, contact_key, address, profile, status, created_at, modified_at"

_FIND = f"""
    select {_COLUMNS} from contact
     where account_id = $1 and lower(contact_key collate "C") = lower($2::text collate "C")
"""  # noqa: S608

_FOR_CHANGE = _FIND + " for update"

# A deleted contact may come back under its key.
_CREATE = f"""
    insert into contact (account_id, contact_key, address, profile) values ($1, $2, $3, $4)
    on conflict (account_id, lower(contact_key collate "C")) do update
       set address = excluded.address, profile = excluded.profile, status = 'Active', modified_at = now()
     where contact.status = 'Deleted'
    returning {_COLUMNS}
"""  # noqa: S608

_CHANGE = f"""
    update contact set address = $3, profile = $4, status = $5, modified_at = now()
     where account_id = $1 and contact_id = $2
    returning {_COLUMNS}
"""  # noqa: S608

_SEARCH = """
    select wanted.address as wanted, c.contact_key, c.created_at
      from unnest($2::text[]) with ordinality as wanted(address, place)
     cross join lateral (
        select contact_key, created_at from contact
         where account_id = $1 and lower(address) = lower(wanted.address) and status <> 'Deleted'
         order by contact_id limit $3) c
     order by wanted.place
"""

_DECLARED = "select name from profile_attribute where account_id = $1 order by name"

_DECLARE = "insert into profile_attribute (account_id, name) values ($1, $2) on conflict do nothing"

_decode_profile = msgspec.json.Decoder(dict[str, object]).decode


@dataclass(frozen=True, slots=True)
class StoredContact:
    """A contact; ``profile`` is keyed by the declared names of attributes.

    ``status`` is as others see it: an active contact whose address is suppressed after a bounce or a complaint is
    Held, for as long as that lasts.
    """

    contact_id: int
    contact_key: str
    address: str
    profile: Mapping[str, object]
    status: ContactStatus
    created_at: datetime
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """A contact that has an address looked for."""

    wanted: str
    contact_key: str
    created_at: datetime


class ContactTaken(Exception):
    """There is a contact with this key."""


class ContactHeld(Exception):
    """The contact's address is suppressed, which no status can change. The argument is the address."""


class AttributeUnknown(ValueError):
    """An attribute that the business unit has not declared. The argument is its name."""


async def find_contact(database: Database, account_id: int, contact_key: str) -> StoredContact | None:
    """By its key; letter case does not matter. Deleted ones are found, too."""
    row = await database.fetchrow(_FIND, account_id, contact_key)
    return None if row is None else await _seen(database, account_id, _contact(row))


async def create_contact(
    database: Database, account_id: int, contact_key: str, address: str, profile: Mapping[str, object]
) -> StoredContact:
    """A new contact, or a deleted one anew. Raises ContactTaken, AttributeUnknown."""
    named = await declared_names(database, account_id, profile)
    row = await database.fetchrow(_CREATE, account_id, contact_key, address, _encoded(named))
    if row is None:
        raise ContactTaken(contact_key)
    return await _seen(database, account_id, _contact(row))


async def change_contact(
    connection: Connection,
    account_id: int,
    contact_key: str,
    *,
    address: str | None = None,
    profile: Mapping[str, object] | None = None,
    status: ContactStatus | None = None,
) -> StoredContact | None:
    """Change what is given; a null attribute is removed. None when there is no such contact or it is deleted.

    A status that it is seen with already changes nothing. Call it in a transaction. Raises AttributeUnknown, and
    ContactHeld for one that is to be active in spite of its address.
    """
    row = await connection.fetchrow(_FOR_CHANGE, account_id, contact_key)
    if row is None or row["status"] == "Deleted":
        return None
    current = _contact(row)
    address = current.address if address is None else address
    if status == (await _seen(connection, account_id, current)).status:
        status = None
    elif status == "Active" and await held_addresses(connection, account_id, [address]):
        raise ContactHeld(address)
    named = await declared_names(connection, account_id, profile or {})
    merged = {name: value for name, value in {**current.profile, **named}.items() if value is not None}
    changed = await connection.fetchrow(
        _CHANGE,
        account_id,
        current.contact_id,
        address,
        _encoded(merged),
        current.status if status is None else status,
    )
    assert changed is not None
    return await _seen(connection, account_id, _contact(changed))


async def search_addresses(database: Database, account_id: int, addresses: Sequence[str], *, most: int) -> list[Found]:
    """The contacts of each address, in the order of the addresses, at most so many of each."""
    rows = await database.fetch(_SEARCH, account_id, addresses, most)
    return [Found(row["wanted"], row["contact_key"], row["created_at"]) for row in rows]


async def declared_attributes(database: Database, account_id: int) -> list[str]:
    """The attributes kept in profiles, by name."""
    return [row["name"] for row in await database.fetch(_DECLARED, account_id)]


async def declare_attribute(connection: Connection, account_id: int, name: str) -> bool:
    """Keep the attribute in profiles from now on; False when it is kept already, in whatever case."""
    known = {fold_name(each) for each in await declared_attributes(connection, account_id)}
    if fold_name(name) in known:
        return False
    await connection.execute(_DECLARE, account_id, name.strip())
    return True


async def declared_names(database: Database, account_id: int, profile: Mapping[str, object]) -> dict[str, object]:
    """The attributes under their declared names. Raises AttributeUnknown."""
    if not profile:
        return {}
    declared = {fold_name(name): name for name in await declared_attributes(database, account_id)}
    named = {}
    for name, value in profile.items():
        if fold_name(name) not in declared:
            raise AttributeUnknown(name)
        named[declared[fold_name(name)]] = value
    return named


async def _seen(database: Database, account_id: int, contact: StoredContact) -> StoredContact:
    (status,) = await seen_statuses(database, account_id, [(contact.address, contact.status)])
    return contact if status == contact.status else replace(contact, status=status)


async def seen_statuses(
    database: Database, account_id: int, contacts: Sequence[tuple[str, ContactStatus]]
) -> list[ContactStatus]:
    """The status that each contact, by address and stored status, is seen with."""
    # What somebody decided, and what is held already, stays as it is.
    open_ones = {address for address, status in contacts if status in ("Active", "Bounced")}
    held = await held_addresses(database, account_id, open_ones) if open_ones else frozenset()
    return ["Held" if status in ("Active", "Bounced") and address in held else status for address, status in contacts]


def _encoded(profile: Mapping[str, object]) -> str:
    return msgspec.json.encode({name: value for name, value in profile.items() if value is not None}).decode()


def _contact(row: asyncpg.Record) -> StoredContact:
    fields = dict(row)
    return StoredContact(profile=_decode_profile(fields.pop("profile")), **fields)
