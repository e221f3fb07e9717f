"""Composing one claimed message: its context, and the version's plan filled with it.

The same message gives the same bytes on every attempt: everything that goes in comes from its stored rows. Only a
profile attribute that changed between two attempts can make a difference, where the send itself carries no value.
"""

import time
from collections.abc import Callable

from postroom.content.ampscript.run import Services
from postroom.content.attributes import fold_name
from postroom.content.model import MESSAGE_BUILD_ERROR, Context, Mail, NotComposed
from postroom.delivery.slices import Message
from postroom.delivery.versions import Prepared


class Composer:
    """``prepared`` finds the compiled version of a message; ``clock`` bounds the time of a template's code."""

    def __init__(
        self, prepared: Callable[[int, int], Prepared | None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._prepared = prepared
        self._services = Services(clock=clock)

    def compose(self, message: Message) -> Mail | NotComposed | None:
        """The mail, why there is none, or None when the version must be loaded again first."""
        if message.mail is not None:
            return message.mail
        prepared = self._prepared(message.slice.account_id, message.request.version_id)
        if prepared is None:
            return None
        if prepared.plan is None:
            return NotComposed(MESSAGE_BUILD_ERROR, prepared.problem)
        return prepared.plan.compose(_context(message, prepared), self._services)

    def waits(self, message: Message) -> bool:
        """Whether the message's template looks something up: then it is composed with `compose_async`."""
        prepared = self._prepared(message.slice.account_id, message.request.version_id)
        return prepared is not None and prepared.plan is not None and prepared.plan.asynchronous

    async def compose_async(self, message: Message, services: Services) -> Mail | NotComposed:
        """The mail of a message for which `waits` is true."""
        prepared = self._prepared(message.slice.account_id, message.request.version_id)
        assert prepared is not None
        assert prepared.plan is not None
        return await prepared.plan.compose_async(_context(message, prepared), services)


def _context(message: Message, prepared: Prepared) -> Context:
    slice_ = message.slice
    contact_id = str(message.contact.contact_id)
    profile = message.contact.profile
    return Context(
        address=message.address,
        contact_key=message.contact_key,
        message_key=message.message_key,
        attributes=message.attributes,
        profile={fold_name(name): value for name, value in profile.items()} if profile else profile,
        system={
            **prepared.system,
            "subscriberid": contact_id,
            "listsubid": contact_id,
            "_jobsubscriberbatchid": str(message.request.batch_id),
        },
        accepted_at=slice_.accepted_at,
        message_id=message_id(message, prepared),
    )


def message_id(message: Message, prepared: Prepared) -> str:
    """``position.request.account@sender-domain``: unique, stable over attempts, and traceable to its row."""
    slice_ = message.slice
    return f"{message.position}.{slice_.request_id.hex}.{slice_.account_id}@{prepared.domain}"
