"""When definitions were not active: what is accepted meanwhile waits, and its timeline says so afterwards."""

from uuid import UUID

from postroom.store.database import Connection

_BEGIN = """
insert into definition_pause (account_id, definition_id, since) values ($1, $2, clock_timestamp())
"""

_END = """
update definition_pause set until = clock_timestamp()
where account_id = $1 and definition_id = $2 and until is null
"""


async def note_status(connection: Connection, account_id: int, definition_id: UUID, *, before: str, after: str) -> None:
    """Note a change of a definition's status, in the caller's transaction. A new one was ``Active`` before."""
    if (before == "Active") != (after == "Active"):
        await connection.execute(_BEGIN if before == "Active" else _END, account_id, definition_id)
