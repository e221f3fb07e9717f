"""Send classifications: what kind of mail a definition sends, and whom it comes from."""

from dataclasses import dataclass

from postroom.tenancy.database import Database

_FIND = """
    select classification_key, kind, from_name, from_address, reply_to from classification
     where account_id = $1 and lower(classification_key collate "C") = lower($2::text collate "C")
"""


@dataclass(frozen=True, slots=True)
class Classification:
    """A classification of a business unit. An empty sender field stands for the server's own sender."""

    key: str
    transactional: bool
    from_name: str
    from_address: str
    reply_to: str


async def find_classification(database: Database, account_id: int, key: str) -> Classification | None:
    """The classification with this external key; letter case does not matter."""
    row = await database.fetchrow(_FIND, account_id, key)
    if row is None:
        return None
    return Classification(
        key=row["classification_key"],
        transactional=row["kind"] == "transactional",
        from_name=row["from_name"],
        from_address=row["from_address"],
        reply_to=row["reply_to"],
    )
