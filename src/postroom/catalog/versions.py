"""Definition versions: what a message is composed with, fixed at the moment it was accepted.

A version is written once and never changed. Editing a definition, or the asset it was made from, makes a new
one or none at all; messages already accepted keep theirs.
"""

from dataclasses import dataclass
from uuid import UUID

import msgspec

from postroom.catalog.sending_options import DEFAULT, SendingOptions, decode_options, encode_options
from postroom.content.model import Content
from postroom.store.database import Connection, Database

_STORE = """
    insert into definition_version (account_id, definition_id, list_id, auto_add_subscriber, update_subscriber,
                                    track_links, content, data_extension_id, block_unsubscribed, sending)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    returning version_id
"""

_LOAD = """
    select definition_id, list_id, auto_add_subscriber, update_subscriber, track_links, content, data_extension_id,
           block_unsubscribed, sending
      from definition_version
     where account_id = $1 and version_id = $2
"""

_CONTENT = msgspec.json.Decoder(Content)


@dataclass(frozen=True, slots=True)
class VersionDraft:
    """A version that is not stored yet."""

    account_id: int
    definition_id: UUID
    list_id: int
    auto_add_subscriber: bool
    update_subscriber: bool
    track_links: bool
    content: Content
    data_extension_id: int | None = None
    """The data extension that each send writes a row of."""
    block_unsubscribed: bool = False
    """Whether contacts that are unsubscribed from everything get nothing."""
    sending: SendingOptions = DEFAULT


@dataclass(frozen=True, slots=True)
class Version:
    """A stored version; ``content`` is a copy of what the asset held when it was made."""

    account_id: int
    version_id: int
    definition_id: UUID
    list_id: int
    auto_add_subscriber: bool
    update_subscriber: bool
    track_links: bool
    content: Content
    data_extension_id: int | None = None
    block_unsubscribed: bool = False
    sending: SendingOptions = DEFAULT


class VersionUnknown(LookupError):
    """No version of this number in the business unit."""


async def store_version(connection: Connection, draft: VersionDraft) -> int:
    """Write the version; gives its number."""
    version_id: int = await connection.fetchval(
        _STORE,
        draft.account_id,
        draft.definition_id,
        draft.list_id,
        draft.auto_add_subscriber,
        draft.update_subscriber,
        draft.track_links,
        msgspec.json.encode(draft.content).decode(),
        draft.data_extension_id,
        draft.block_unsubscribed,
        encode_options(draft.sending),
    )
    return version_id


async def load_version(pool: Database, account_id: int, version_id: int) -> Version:
    """The version of this number. Raises VersionUnknown."""
    row = await pool.fetchrow(_LOAD, account_id, version_id)
    if row is None:
        raise VersionUnknown(f"account {account_id} has no definition version {version_id}")
    return Version(
        account_id=account_id,
        version_id=version_id,
        definition_id=row["definition_id"],
        list_id=row["list_id"],
        auto_add_subscriber=row["auto_add_subscriber"],
        update_subscriber=row["update_subscriber"],
        track_links=row["track_links"],
        content=_CONTENT.decode(row["content"]),
        data_extension_id=row["data_extension_id"],
        block_unsubscribed=row["block_unsubscribed"],
        sending=decode_options(row["sending"]),
    )
