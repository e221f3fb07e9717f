"""Send classifications: what kind of mail a definition sends, and whom it comes from."""

from dataclasses import dataclass

import asyncpg

from postroom.store.database import Database

_FIND = """
    select classification_key, name, kind, from_name, from_address, reply_to, block_unsubscribed from classification
     where account_id = $1 and lower(classification_key collate "C") = lower($2::text collate "C")
"""

_ALL = """
    select classification_key, name, kind, from_name, from_address, reply_to, block_unsubscribed from classification
     where account_id = $1 order by lower(classification_key collate "C")
"""

_STORE = """
    insert into classification (account_id, classification_key, name, kind, from_name, from_address, reply_to,
                                block_unsubscribed)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (account_id, classification_key) do update
       set name = excluded.name, kind = excluded.kind, from_name = excluded.from_name,
           from_address = excluded.from_address, reply_to = excluded.reply_to,
           block_unsubscribed = excluded.block_unsubscribed
"""


@dataclass(frozen=True, slots=True)
class Classification:
    """A classification of a business unit. An empty sender field stands for the server's own sender."""

    key: str
    transactional: bool
    from_name: str
    from_address: str
    reply_to: str
    name: str = ""
    block_unsubscribed: bool = False
    """Whether contacts that are unsubscribed from everything get no mail of it either."""


async def find_classification(database: Database, account_id: int, key: str) -> Classification | None:
    """The classification with this external key; letter case does not matter."""
    row = await database.fetchrow(_FIND, account_id, key)
    if row is None:
        return None
    return _classification(row)


async def list_classifications(database: Database, account_id: int) -> list[Classification]:
    """All of a business unit, by key."""
    return [_classification(row) for row in await database.fetch(_ALL, account_id)]


async def store_classification(database: Database, account_id: int, wanted: Classification) -> None:
    """Create it, or change the one with exactly this key. Definitions take the change up when they are published."""
    await database.execute(
        _STORE,
        account_id,
        wanted.key,
        wanted.name or wanted.key,
        "transactional" if wanted.transactional else "commercial",
        wanted.from_name,
        wanted.from_address,
        wanted.reply_to,
        wanted.block_unsubscribed,
    )


def _classification(row: asyncpg.Record) -> Classification:
    return Classification(
        key=row["classification_key"],
        transactional=row["kind"] == "transactional",
        from_name=row["from_name"],
        from_address=row["from_address"],
        reply_to=row["reply_to"],
        name=row["name"],
        block_unsubscribed=row["block_unsubscribed"],
    )
