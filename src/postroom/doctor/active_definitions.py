"""The active definitions of a business unit whose mail comes from a domain."""

from postroom.catalog.sending_options import decode_options
from postroom.doctor.sender import Mailing
from postroom.store.database import Database

_ACTIVE = """
select d.definition_key, d.sending, c.kind, coalesce(nullif(c.from_address, ''), $2) as from_address
from definition d
join classification c on c.account_id = $1 and c.classification_key = d.classification_key
where d.account_id = $1 and d.status = 'Active'
order by d.definition_key
"""


async def mailings_from(database: Database, account_id: int, domain: str, *, from_address: str) -> list[Mailing]:
    """By key. ``from_address`` is the server's own, which counts where the classification has none."""
    return [
        Mailing(row["definition_key"], row["kind"] == "commercial", decode_options(row["sending"]).list_unsubscribe)
        for row in await database.fetch(_ACTIVE, account_id, from_address)
        if row["from_address"].rpartition("@")[2].lower() == domain
    ]
