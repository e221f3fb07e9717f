"""The addresses that mails carry: which base they have, and from when on the links of a mail are counted.

In production links lead over the tracking domain only for mails accepted while its certificate was known to be good
(`tracking_domain`). That is decided by the time of accept, so that a mail has the same links on every attempt.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from postroom.content.link_tokens import LinkMessage, LinkTokens
from postroom.content.links import Links
from postroom.store.pool import Pool

_PERIODS = "select active_from, retired_from from tracking_domain where url = $1 order by active_from"


class Period(NamedTuple):
    """A time in which accepted mails are counted; ``end`` is None for the one that goes on."""

    begin: datetime
    end: datetime | None


class MailLinks:
    """``always``: links are counted without a look at the domain, as in the sandbox. URLs have no slash at the end."""

    def __init__(self, tokens: LinkTokens, *, tracking_url: str, public_url: str, always: bool) -> None:
        self._tokens = tokens
        self.tracking_url = tracking_url
        self.public_url = public_url
        self.always = always
        self._periods: Sequence[Period] = ()

    async def refresh(self, pool: Pool) -> None:
        """Read when the tracking domain was good."""
        rows = await pool.fetch(_PERIODS, self.tracking_url)
        self._periods = [Period(row["active_from"], row["retired_from"]) for row in rows]

    @property
    def possible(self) -> bool:
        """Whether there is any time in which mails are counted."""
        return self.always or bool(self._periods)

    def counted(self, accepted_at: datetime) -> bool:
        """Whether the links of a mail accepted then are counted."""
        if self.always:
            return True
        for begin, end in reversed(self._periods):
            if begin <= accepted_at:
                return end is None or accepted_at < end
        return False

    def of(
        self,
        account_id: int,
        version_id: int,
        request_id: UUID,
        position: int,
        contact_id: int,
        *,
        counted: bool,
        clicks: bool,
    ) -> Links:
        """The addresses of one message; its pages are on the tracking domain only when that is ``counted``."""
        message = LinkMessage(account_id, version_id, position, contact_id, request_id)
        return Links(self._tokens, self.tracking_url if counted else self.public_url, message, counts=clicks)
