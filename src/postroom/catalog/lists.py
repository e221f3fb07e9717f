"""Lists, so far as a definition names one. Every business unit begins with "All Subscribers".

The external key of a list is its name and number, `All Subscribers - 277` (contract §3). The bare name is
accepted as well; answers always carry the full key. There is one All Subscribers, so any number after that name is its:
definitions written for another business unit, or for the vendor's service, name theirs.
"""

import re
from dataclasses import dataclass

from postroom.store.database import Database
from postroom.tenancy.accounts import ALL_SUBSCRIBERS

_BY_NAME = """
    select list_id, name from list where account_id = $1 and lower(name collate "C") = lower($2::text collate "C")
"""

_BY_NUMBER = """
    select list_id, name from list
     where account_id = $1 and list_id = $2 and lower(name collate "C") = lower($3::text collate "C")
"""

_NUMBERED = re.compile(r"(.+?)\s*-\s*([0-9]{1,18})\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SubscriberList:
    """A list of a business unit."""

    list_id: int
    name: str

    @property
    def key(self) -> str:
        """The external key in its full form."""
        return list_key(self.name, self.list_id)


def list_key(name: str, list_id: int) -> str:
    """The external key of a list."""
    return f"{name} - {list_id}"


async def find_list(database: Database, account_id: int, key: str) -> SubscriberList | None:
    """The list with this external key, or this bare name; letter case does not matter."""
    row = None
    if numbered := _NUMBERED.fullmatch(key):
        row = await database.fetchrow(_BY_NUMBER, account_id, int(numbered[2]), numbered[1])
        if row is None and numbered[1].lower() == ALL_SUBSCRIBERS.lower():
            key = ALL_SUBSCRIBERS
    if row is None:
        row = await database.fetchrow(_BY_NAME, account_id, key.strip())
    return None if row is None else SubscriberList(row["list_id"], row["name"])
