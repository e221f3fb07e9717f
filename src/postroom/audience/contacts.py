"""Contacts at send time (contract §4.3): found by key, created when new, brought up to date when allowed.

A whole claim is resolved with one look-up and at most two writes. The profile keeps only the attributes the
business unit has declared as profile attributes; everything else a send carries dies with its message.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from postroom.store.pool import Pool

_FIND = """
select k.folded_key, c.contact_id, c.address, c.profile, c.status
from unnest($2::text[]) as k(folded_key)
join contact c on c.account_id = $1 and lower(c.contact_key collate "C") = k.folded_key
"""

# Another process may create the same contact at this moment: then its row is the one, and this address the newer.
_CREATE = """
insert into contact (account_id, contact_key, address, profile)
select $1, c.contact_key, c.address, c.profile::json
from unnest($2::text[], $3::text[], $4::text[]) as c(contact_key, address, profile)
on conflict (account_id, lower(contact_key collate "C"))
do update set address = excluded.address, profile = excluded.profile, modified_at = now()
returning contact_id, lower(contact_key collate "C") as folded_key
"""

_UPDATE = """
update contact
set address = c.address, profile = c.profile::json, modified_at = now()
from unnest($2::bigint[], $3::text[], $4::text[]) as c(contact_id, address, profile)
where contact.account_id = $1 and contact.contact_id = c.contact_id
"""

_PROFILE_ATTRIBUTES = "select name from profile_attribute where account_id = $1"

ContactStatus: TypeAlias = Literal["Active", "Bounced", "Held", "Unsubscribed", "Deleted"]
Profile: TypeAlias = Mapping[str, object]


class Wanted(NamedTuple):
    """One message's claim on a contact. ``profile`` holds the declared profile attributes the send carries."""

    folded_key: str
    contact_key: str
    address: str
    profile: Profile
    create: bool
    update: bool


@dataclass(slots=True)
class Contact:
    """A contact as it stands after the look-up; ``address`` is the stored one."""

    contact_id: int
    address: str
    profile: Profile
    status: ContactStatus


@dataclass(slots=True)
class _Changes:
    create: dict[str, Wanted] = field(default_factory=dict)
    update: dict[str, Contact] = field(default_factory=dict)


async def profile_attributes(pool: Pool, account_id: int) -> list[str]:
    """The names of the attributes that a business unit keeps in its contacts' profiles."""
    return [row["name"] for row in await pool.fetch(_PROFILE_ATTRIBUTES, account_id)]


async def resolve_contacts(pool: Pool, account_id: int, wanted: Sequence[Wanted]) -> dict[str, Contact]:
    """The contacts of a claim by folded key; a key that is missing is unknown and may not be created.

    Where two messages of the claim change one contact, the later one wins.
    """
    folded = sorted({each.folded_key for each in wanted})
    found = {
        row["folded_key"]: Contact(
            row["contact_id"], row["address"], msgspec.json.decode(row["profile"]), row["status"]
        )
        for row in await pool.fetch(_FIND, account_id, folded)
    }
    changes = _compare(found, wanted)
    if changes.create:
        # In the order of keys, so that two processes that create the same contacts wait but never deadlock.
        creations = [changes.create[key] for key in sorted(changes.create)]
        rows = await pool.fetch(
            _CREATE,
            account_id,
            [each.contact_key for each in creations],
            [each.address for each in creations],
            [_json(each.profile) for each in creations],
        )
        for row in rows:
            made = changes.create[row["folded_key"]]
            found[row["folded_key"]] = Contact(row["contact_id"], made.address, made.profile, "Active")
    if changes.update:
        updates = sorted(changes.update.values(), key=lambda contact: contact.contact_id)
        await pool.execute(
            _UPDATE,
            account_id,
            [each.contact_id for each in updates],
            [each.address for each in updates],
            [_json(each.profile) for each in updates],
        )
    return found


def _compare(found: Mapping[str, Contact], wanted: Iterable[Wanted]) -> _Changes:
    changes = _Changes()
    for each in wanted:
        contact = found.get(each.folded_key)
        if contact is None:
            if each.create:
                changes.create[each.folded_key] = each
        elif each.update and contact.status != "Deleted":
            profile = {**contact.profile, **each.profile}
            if contact.address != each.address or profile != contact.profile:
                contact.address, contact.profile = each.address, profile
                changes.update[each.folded_key] = contact
    return changes


def _json(profile: Profile) -> str:
    return msgspec.json.encode(profile).decode()
