"""Contacts at send time (contract §4.3): found by key, created when new, brought up to date when allowed.

A whole claim is resolved with one look-up and at most one write. The profile keeps only the attributes the
business unit has declared as profile attributes; everything else a send carries dies with its message.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from postroom.store.pool import Pool

_FIND = """
select k.folded_key, c.contact_id, c.address, c.profile, c.status
from unnest($2::text[]) as k(folded_key)
cross join lateral (
    select contact_id, address, profile, status from contact
    where account_id = $1 and lower(contact_key collate "C") = k.folded_key
    limit 1) c
"""

# For new contacts and changed ones alike. Another process may create the same contact at this moment: then its row
# is the one, and this address the newer.
_STORE = """
insert into contact (account_id, contact_key, address, profile)
select $1, c.contact_key, c.address, c.profile::json
from unnest($2::text[], $3::text[], $4::text[]) as c(contact_key, address, profile)
on conflict (account_id, lower(contact_key collate "C"))
do update set address = excluded.address, profile = excluded.profile, modified_at = now()
returning contact_id, status, lower(contact_key collate "C") as folded_key
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


async def profile_attributes(pool: Pool, account_id: int) -> list[str]:
    """The names of the attributes that a business unit keeps in its contacts' profiles."""
    return [row["name"] for row in await pool.fetch(_PROFILE_ATTRIBUTES, account_id)]


async def resolve_contacts(pool: Pool, account_id: int, wanted: Sequence[Wanted]) -> dict[str, Contact]:
    """The contacts of a claim by folded key; a key that is missing is unknown and may not be created.

    Where two messages of the claim change one contact, the later one wins; but of two that find none, one that may
    not update leaves what the earlier one made.
    """
    folded = sorted({each.folded_key for each in wanted})
    found = {
        row["folded_key"]: Contact(
            row["contact_id"], row["address"], msgspec.json.decode(row["profile"]), row["status"]
        )
        for row in await pool.fetch(_FIND, account_id, folded)
    }
    changed = _changes(found, wanted)
    if changed:
        # In the order of keys, so that two processes that store the same contacts wait but never deadlock.
        stored = [changed[key] for key in sorted(changed)]
        rows = await pool.fetch(
            _STORE,
            account_id,
            [each.contact_key for each in stored],
            [each.address for each in stored],
            [msgspec.json.encode(each.profile).decode() for each in stored],
        )
        for row in rows:
            each = changed[row["folded_key"]]
            found[row["folded_key"]] = Contact(row["contact_id"], each.address, each.profile, row["status"])
    return found


def _changes(found: Mapping[str, Contact], wanted: Iterable[Wanted]) -> dict[str, Wanted]:
    """What is to be stored, by folded key, with the whole profile as it will be."""
    changed: dict[str, Wanted] = {}
    for each in wanted:
        contact = found.get(each.folded_key)
        if contact is None:
            earlier = changed.get(each.folded_key)
            if earlier is None:
                if each.create:
                    changed[each.folded_key] = each
            elif each.update:
                profile = {**earlier.profile, **each.profile}
                changed[each.folded_key] = each._replace(profile=profile)
        elif each.update and contact.status != "Deleted":
            profile = {**contact.profile, **each.profile}
            if contact.address != each.address or profile != contact.profile:
                contact.address, contact.profile = each.address, profile
                changed[each.folded_key] = each._replace(profile=profile)
    return changed
