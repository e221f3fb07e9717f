"""What a delivery process asks about a business unit once a claim, in one look-up."""

from typing import NamedTuple

from postroom.store.database import Database

_STANDING = "select signing_revision, suppresses, counts_bounces from account where account_id = $1"


class Standing(NamedTuple):
    """``signing_revision`` grows with every change to its keys, 0 while there never were any; ``suppresses`` is
    whether it ever suppressed an address, ``counts_bounces`` whether it ever counted soft bounces of one."""

    signing_revision: int
    suppresses: bool
    counts_bounces: bool


async def account_standing(database: Database, account_id: int) -> Standing:
    """How the business unit stands at this moment."""
    row = await database.fetchrow(_STANDING, account_id)
    if row is None:
        return Standing(0, False, False)
    return Standing(row["signing_revision"], row["suppresses"], row["counts_bounces"])
