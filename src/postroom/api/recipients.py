"""What links in mails lead to, beside the API: everything below ``/t/``, admitted by a signed token alone."""

from typing import Final

from litestar.types import HTTPScope, Receive, Send

from postroom.api.recipient_pages import RecipientPages
from postroom.api.tracking import CLICK, OPEN, Tracking

PREFIX: Final = b"/t/"


class Recipients:
    """The ASGI application of all such paths; it stands in front of the router, for opens and clicks are many."""

    def __init__(self, tracking: Tracking, pages: RecipientPages) -> None:
        self._tracking = tracking
        self._pages = pages

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        if scope["raw_path"].startswith((CLICK, OPEN)):
            await self._tracking(scope, receive, send)
        else:
            await self._pages(scope, receive, send)
