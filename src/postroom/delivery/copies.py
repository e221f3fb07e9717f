"""Copies of a mail, to the recipients in cc and bcc, and suppression: a copy to a suppressed address is left out.

The message itself goes on, and the ``Cc`` line of its header stays, so that its bytes are the same on every attempt.
Business units that suppress nothing and definitions without cc and bcc pay nothing for it; for others it is one
look-up a claim, whatever the number of its messages.
"""

from collections.abc import Sequence

import structlog

from postroom.audience.suppression import SuppressionList
from postroom.content.model import MESSAGE_BUILD_ERROR, NotComposed
from postroom.delivery.composer import Composer
from postroom.delivery.slices import Message

LeftOut = tuple[tuple[str, str], ...]
"""(address in wire form, cause) of each copy that is left out."""


class Copies:
    """Looks the copies of a claim's messages up."""

    def __init__(self, composer: Composer, suppression: SuppressionList) -> None:
        self._composer = composer
        self._suppression = suppression
        self._log = structlog.get_logger("delivery")

    async def look(self, account_id: int, messages: Sequence[Message]) -> None:
        """Set ``left_out`` of those that would go to a suppressed cc or bcc recipient."""
        copies = [(message, found) for message in messages if (found := self._of(message))]
        wanted = {address for _, found in copies for address in found}
        if not wanted:
            return
        causes = await self._suppression.suppressed(account_id, wanted)
        if not causes:
            return
        for message, found in copies:
            message.left_out = tuple((address, causes[address]) for address in found if address in causes)

    def _of(self, message: Message) -> tuple[str, ...]:
        try:
            return self._composer.copies(message)
        except Exception:
            # Whatever is wrong with one message ends that message only.
            self._log.exception("not_composed", message_key=message.message_key)
            message.mail = NotComposed(MESSAGE_BUILD_ERROR, "the mail could not be built")
            return ()


def without(recipients: tuple[str, ...], left_out: LeftOut) -> tuple[str, ...]:
    """Envelope recipients without the copies that are left out; the first is the message's own and stays."""
    addresses = {address for address, _ in left_out}
    return (recipients[0], *(each for each in recipients[1:] if each not in addresses))


def told(left_out: LeftOut) -> LeftOut:
    """As the event log may have it: an erased address is not written down again."""
    return tuple(("" if cause == "erasure" else address, cause) for address, cause in left_out)
