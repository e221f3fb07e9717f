"""A sent mail as a web page: composed again from its version and its stored attributes.

The page is what the mail's recipient reads, with two differences: what is looked up is as it is now (data extensions,
the contact's profile), and ``%%_messagecontext%%`` is VAWP, by which templates leave out the link to this very page.
Nothing is written. A mail whose template asked a site shows the page that was kept of it (`kept_page`).
"""

from datetime import UTC, datetime

import asyncpg
import msgspec

from postroom.audience.contacts import Contact
from postroom.catalog.versions import VersionUnknown
from postroom.content.attributes import merge_attributes
from postroom.content.link_tokens import LinkMessage
from postroom.content.model import Mail
from postroom.delivery.blocks import AssetBlocks
from postroom.delivery.composer import Composer
from postroom.delivery.data_access import ClaimData
from postroom.delivery.kept_page import find_page, page_of
from postroom.delivery.send_rows import read_send_row
from postroom.delivery.slices import Message, Request, Slice
from postroom.delivery.versions import Versions
from postroom.events.payloads import accept_days
from postroom.store.pool import Pool

_MESSAGE = """
select m.accepted_on, m.message_key, m.contact_key, m.address, m.attributes,
       r.accepted_at, r.batch_id, r.definition_id, r.attributes as shared
  from unnest($2::date[]) as wanted(day)
 cross join lateral (
    select accepted_on, message_key, contact_key, address, attributes from message
     where account_id = $1 and accepted_on = wanted.day and request_id = $3 and position = $4
     limit 1) m
 cross join lateral (
    select accepted_at, batch_id, definition_id, attributes from send_request
     where account_id = $1 and accepted_on = wanted.day and request_id = $3 and version_id = $5
     limit 1) r
 limit 1
"""

_CONTACT = "select contact_id, address, profile, status from contact where account_id = $1 and contact_id = $2"

_decode = msgspec.json.Decoder(dict[str, object]).decode


class WebView:
    """``composer`` is one of its own, that makes no HTTP requests."""

    def __init__(self, pool: Pool, versions: Versions, composer: Composer) -> None:
        self._pool = pool
        self._versions = versions
        self._composer = composer

    async def html(self, wanted: LinkMessage) -> str | None:
        """The page; None when the message, its contact or its version is not kept any more, or it has no mail."""
        if wanted.request_id.version != 7:
            return None
        try:
            version = await self._versions.version(wanted.account_id, wanted.version_id)
        except VersionUnknown:
            return None
        row = await self._pool.fetchrow(
            _MESSAGE,
            wanted.account_id,
            # the id tells the time, whatever is given beside it
            accept_days(wanted.request_id, datetime.now(UTC)),
            wanted.request_id,
            wanted.position,
            wanted.version_id,
        )
        contact = await self._pool.fetchrow(_CONTACT, wanted.account_id, wanted.contact_id)
        if row is None or contact is None or contact["status"] == "Deleted":
            return None
        kept = await find_page(self._pool, wanted.account_id, row["accepted_on"], wanted.request_id, wanted.position)
        if kept is not None:
            return kept
        message = _message(wanted, row, contact)
        if version.data_extension_id is not None:
            await read_send_row(self._pool, wanted.account_id, version.data_extension_id, message)
        data = ClaimData(self._pool, wanted.account_id).rendering()
        mail = await self._composer.compose_view(message, data, AssetBlocks(self._pool, wanted.account_id))
        return page_of(mail) if isinstance(mail, Mail) else None


def _message(wanted: LinkMessage, row: asyncpg.Record, contact: asyncpg.Record) -> Message:
    shared, own = (None if text is None else _decode(text) for text in (row["shared"], row["attributes"]))
    return Message(
        slice=Slice(
            account_id=wanted.account_id,
            slice_id=0,
            fence=0,
            definition_id=row["definition_id"],
            lane=0,
            request_id=wanted.request_id,
            accepted_on=row["accepted_on"],
            accepted_at=row["accepted_at"],
            attempt=0,
            valid_until=0.0,
        ),
        position=wanted.position,
        message_key=row["message_key"],
        contact_key=row["contact_key"],
        address=row["address"],
        attributes=merge_attributes(shared, own),
        request=Request(wanted.request_id, wanted.version_id, row["batch_id"], shared),
        contact=Contact(contact["contact_id"], contact["address"], _decode(contact["profile"]), contact["status"]),
    )
