"""Send definitions: what they are, how they are read, listed and deleted (contract §3).

Creating and changing them is publishing, and is done by `catalog.publishing`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID

import asyncpg

from postroom.catalog.lists import list_key
from postroom.catalog.sending_options import SendingOptions, decode_options
from postroom.store.database import Connection, Database

_COLUMNS = """
    definition_id, definition_key, definition.name, description, status, classification_key, content_key,
    definition.list_id, list.name as list_name, data_extension_key, auto_add_subscriber, update_subscriber,
    track_links, cc, bcc, sending, version_id, definition.created_at, modified_at
"""

_FIND = f"""
    select {_COLUMNS} from definition join list using (account_id, list_id)
     where account_id = $1 and lower(definition_key collate "C") = lower($2::text collate "C")
       and status <> 'Deleted'
"""  # noqa: S608

_FIND_FOR_CHANGE = _FIND + " for update of definition"

_KEY = "select definition_key from definition where account_id = $1 and definition_id = $2 and status <> 'Deleted'"

_PAGE = """
    select definition_key, name, status, created_at, modified_at from definition
     where account_id = $1 and ($2::text is null or status = $2) and ($3::text is null or status <> $3)
     order by {order}, definition_id limit $4 offset $5
"""

_DELETE = """
    update definition set status = 'Deleted', definition_key = $3, deleted_at = now(), modified_at = now()
     where account_id = $1 and lower(definition_key collate "C") = lower($2::text collate "C")
       and status <> 'Deleted'
    returning true
"""


class DefinitionOrder(Enum):
    """What a listing can be ordered by: the wire name and the column."""

    DEFINITION_KEY = ("definitionKey", 'lower(definition_key collate "C")')
    NAME = ("name", 'lower(name collate "C")')
    CREATED_DATE = ("createdDate", "created_at")
    MODIFIED_DATE = ("modifiedDate", "modified_at")
    STATUS = ("status", "status")


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition as it stands; ``status`` is New, Active or Inactive, and only Active sends."""

    account_id: int
    definition_id: UUID
    definition_key: str
    name: str
    description: str | None
    status: str
    classification_key: str
    content_key: str
    list_id: int
    list_name: str
    data_extension_key: str | None
    auto_add_subscriber: bool
    update_subscriber: bool
    track_links: bool
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    sending: SendingOptions
    version_id: int
    created_at: datetime
    modified_at: datetime

    @property
    def list_key(self) -> str:
        """The external key of its list in full."""
        return list_key(self.list_name, self.list_id)


@dataclass(frozen=True, slots=True)
class DefinitionSummary:
    """One line of a listing."""

    definition_key: str
    name: str
    status: str
    created_at: datetime
    modified_at: datetime


async def find_definition(database: Database, account_id: int, definition_key: str) -> Definition | None:
    """The definition with this key, unless it was deleted; letter case does not matter."""
    row = await database.fetchrow(_FIND, account_id, definition_key)
    return None if row is None else _definition(account_id, row)


async def find_definition_key(database: Database, account_id: int, definition_id: UUID) -> str | None:
    """The key of the definition with this id, unless it was deleted."""
    key: str | None = await database.fetchval(_KEY, account_id, definition_id)
    return key


async def lock_definition(connection: Connection, account_id: int, definition_key: str) -> Definition | None:
    """As `find_definition`, and nobody else changes it until the transaction ends."""
    row = await connection.fetchrow(_FIND_FOR_CHANGE, account_id, definition_key)
    return None if row is None else _definition(account_id, row)


async def page_definitions(
    database: Database,
    account_id: int,
    *,
    status: str | None,
    not_status: str | None,
    order: DefinitionOrder,
    descending: bool,
    page: int,
    page_size: int,
) -> list[DefinitionSummary]:
    """One page of the definitions, deleted ones too unless ``not_status`` leaves them out. Pages count from 1."""
    direction = " desc" if descending else ""
    rows = await database.fetch(
        _PAGE.format(order=order.value[1] + direction),
        account_id,
        status,
        not_status,
        page_size,
        (page - 1) * page_size,
    )
    return [DefinitionSummary(*row) for row in rows]


async def delete_definition(database: Database, account_id: int, definition_key: str, archive_key: str) -> bool:
    """Archive the definition under ``archive_key`` for good, so that its key is free; False when unknown."""
    return bool(await database.fetchval(_DELETE, account_id, definition_key, archive_key))


def _definition(account_id: int, row: asyncpg.Record) -> Definition:
    fields = dict(row)
    cc, bcc = tuple(fields.pop("cc")), tuple(fields.pop("bcc"))
    sending = decode_options(fields.pop("sending"))
    return Definition(account_id=account_id, cc=cc, bcc=bcc, sending=sending, **fields)
