"""The pages of mails that can't be made again, because their templates asked a site when they were sent.

A page is kept with the outcome of its mail, in the same transaction, and as long as the message. Only a mail that
carries the link to its page has one, and no page is larger than ``LARGEST``.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html import escape
from uuid import UUID

from postroom.content.ampscript.run import Fetcher, Request, Response
from postroom.content.model import Mail
from postroom.store.database import Connection, Database

LARGEST = 500_000
"""Octets of a page as it is kept; what is larger is not."""
_FASTEST = 1

_KEEP = """
insert into kept_page (account_id, accepted_on, request_id, position, page)
select $1, new.accepted_on, new.request_id, new.position, new.page
  from unnest($2::date[], $3::uuid[], $4::integer[], $5::bytea[]) as new(accepted_on, request_id, position, page)
on conflict do nothing
"""

_FIND = """
select page from kept_page where account_id = $1 and accepted_on = $2 and request_id = $3 and position = $4
"""


@dataclass(frozen=True, slots=True)
class KeptPage:
    """The page of one mail, compressed."""

    accepted_on: date
    request_id: UUID
    position: int
    page: bytes


class Asking:
    """A fetcher that knows whether it was asked for anything."""

    __slots__ = ("_fetcher", "asked")

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self.asked = False

    async def fetch(self, request: Request) -> Response:
        """One request."""
        self.asked = True
        return await self._fetcher.fetch(request)


def page_to_keep(mail: Mail, link: str) -> bytes | None:
    """The mail's page as it is kept; None when the mail does not carry ``link``, or is too large."""
    page = page_of(mail)
    if link not in page:
        return None
    kept = zlib.compress(page.encode("utf-8", "replace"), _FASTEST)
    return kept if len(kept) <= LARGEST else None


def page_of(mail: Mail) -> str:
    """What a browser shows of a mail: its HTML part, or else its text as a page."""
    message = message_from_bytes(mail.data, policy=default)
    assert isinstance(message, EmailMessage)
    html = message.get_body(("html",))
    if html is not None:
        return str(html.get_content())
    text = message.get_body(("plain",))
    shown = "" if text is None else escape(str(text.get_content()))
    title = escape(mail.subject)
    return f'<!doctype html><meta charset="utf-8"><title>{title}</title><pre style="white-space:pre-wrap">{shown}</pre>'


async def keep_pages(connection: Connection, account_id: int, pages: Sequence[KeptPage]) -> None:
    """Keep them; one that is there stays as it is."""
    await connection.execute(
        _KEEP,
        account_id,
        [each.accepted_on for each in pages],
        [each.request_id for each in pages],
        [each.position for each in pages],
        [each.page for each in pages],
    )


async def find_page(
    database: Database, account_id: int, accepted_on: date, request_id: UUID, position: int
) -> str | None:
    """The page that was kept of a message; None when there is none."""
    page = await database.fetchval(_FIND, account_id, accepted_on, request_id, position)
    return None if page is None else zlib.decompress(page).decode("utf-8")
