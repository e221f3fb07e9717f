"""What a recipient decides: which lists to be on, whether to get anything at all, and what the profile says.

A contact is on All Subscribers by its own status. One that is Held stays so whatever its owner decides here: it gets
nothing either way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from postroom.audience.contacts import ContactStatus
from postroom.audience.directory import StoredContact
from postroom.audience.memberships import is_everyone
from postroom.store.database import Connection, Database

_UNIT = "select name, language from account where account_id = $1"

_CONTACT = """
select contact_id, contact_key, address, profile, status, created_at, modified_at from contact
 where account_id = $1 and contact_id = $2 and status <> 'Deleted'
"""

_VERSION = """
select v.definition_id, v.list_id, l.name as list_name
  from definition_version v
  left join list l on l.account_id = $1 and l.list_id = v.list_id
 where v.account_id = $1 and v.version_id = $2
"""

_LISTS = """
select l.list_id, l.name, m.status
  from list l
  left join lateral (
    select status from list_member where account_id = $1 and list_id = l.list_id and contact_id = $2 limit 1) m on true
 where l.account_id = $1 and (m.status is not null or l.list_id = $3)
 order by l.list_id
"""

_LEAVE_ALL = """
update contact set status = 'Unsubscribed', modified_at = now()
 where account_id = $1 and contact_id = $2 and status in ('Active', 'Bounced')
returning true
"""

_RETURN = """
update contact set status = 'Active', modified_at = now()
 where account_id = $1 and contact_id = $2 and status = 'Unsubscribed'
returning true
"""

# A list that is gone has no members any more.
_LEAVE = """
insert into list_member (account_id, list_id, contact_id, status)
select account_id, list_id, $3, 'Unsubscribed' from list where account_id = $1 and list_id = $2
on conflict (account_id, list_id, contact_id) do update set status = 'Unsubscribed', modified_at = now()
 where list_member.status in ('Active', 'Bounced')
returning true
"""

_JOIN = """
insert into list_member (account_id, list_id, contact_id)
select account_id, list_id, $3 from list where account_id = $1 and list_id = $2
on conflict (account_id, list_id, contact_id) do update set status = 'Active', modified_at = now()
 where list_member.status = 'Unsubscribed'
returning true
"""

_profile = msgspec.json.Decoder(dict[str, object]).decode


@dataclass(frozen=True, slots=True)
class ListChoice:
    """A list a recipient decides about. ``status`` is None for one that the contact never was on."""

    list_id: int
    name: str
    status: ContactStatus | None

    @property
    def on(self) -> bool:
        """Whether mail of this list is sent to the contact, as far as that is the recipient's choice."""
        return self.status != "Unsubscribed"


@dataclass(frozen=True, slots=True)
class Preferences:
    """One recipient, as the mail in hand tells: the business unit, the contact, and what the mail was sent by."""

    unit: str
    language: str
    contact: StoredContact
    definition_id: UUID
    list_id: int
    list_name: str
    lists: Sequence[ListChoice]

    @property
    def everyone(self) -> bool:
        """Whether the mail was sent to All Subscribers, so that leaving its list is leaving altogether."""
        return not self.list_name or is_everyone(self.list_name)

    @property
    def unsubscribed(self) -> bool:
        """Whether the contact has left the list of the mail, or everything."""
        if self.contact.status == "Unsubscribed":
            return True
        return not self.everyone and not all(each.on for each in self.lists if each.list_id == self.list_id)


async def load_preferences(database: Database, account_id: int, version_id: int, contact_id: int) -> Preferences | None:
    """The recipient's choices; None when the contact, the business unit or the version is gone."""
    unit = await database.fetchrow(_UNIT, account_id)
    contact = await database.fetchrow(_CONTACT, account_id, contact_id)
    version = await database.fetchrow(_VERSION, account_id, version_id)
    if unit is None or contact is None or version is None:
        return None
    fields = dict(contact)
    lists = await database.fetch(_LISTS, account_id, contact_id, version["list_id"])
    return Preferences(
        unit=unit["name"],
        language=unit["language"],
        contact=StoredContact(profile=_profile(fields.pop("profile")), **fields),
        definition_id=version["definition_id"],
        list_id=version["list_id"],
        list_name=version["list_name"] or "",
        lists=[ListChoice(*row) for row in lists if not is_everyone(row["name"])],
    )


async def leave_everything(connection: Connection, account_id: int, contact_id: int) -> bool:
    """Unsubscribe the contact from the business unit; False when that changes nothing."""
    return bool(await connection.fetchval(_LEAVE_ALL, account_id, contact_id))


async def return_to_everything(connection: Connection, account_id: int, contact_id: int) -> bool:
    """Take back `leave_everything`; False when that changes nothing."""
    return bool(await connection.fetchval(_RETURN, account_id, contact_id))


async def leave_list(connection: Connection, account_id: int, list_id: int, contact_id: int) -> bool:
    """Unsubscribe the contact from one list; False when that changes nothing. Not for All Subscribers."""
    return bool(await connection.fetchval(_LEAVE, account_id, list_id, contact_id))


async def join_list(connection: Connection, account_id: int, list_id: int, contact_id: int) -> bool:
    """Subscribe the contact to one list; False when that changes nothing. Not for All Subscribers."""
    return bool(await connection.fetchval(_JOIN, account_id, list_id, contact_id))
