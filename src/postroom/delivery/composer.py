"""Composing one claimed message: its context, and the version's plan filled with it.

The same message gives the same bytes on every attempt: everything that goes in comes from its stored rows. Only a
profile attribute that changed between two attempts can make a difference, where the send itself carries no value.
"""

import asyncio
import time
from collections.abc import Callable

from postroom.content.ampscript.run import BlockStore, DataAccess, Fetcher, NoFetch, Services
from postroom.content.attributes import fold_name
from postroom.content.links import Links
from postroom.content.model import MESSAGE_BUILD_ERROR, Context, Mail, NotComposed
from postroom.content.plan import Plan
from postroom.delivery.kept_page import Asking, page_to_keep
from postroom.delivery.mail_links import MailLinks
from postroom.delivery.slices import Message
from postroom.delivery.versions import Prepared


class Composer:
    """``prepared`` finds the compiled version of a message; ``clock`` bounds the time of a template's code; ``links``
    gives the addresses that mails carry, without which their pages print nothing; ``fetcher`` makes the requests of
    templates."""

    def __init__(
        self,
        prepared: Callable[[int, int], Prepared | None],
        *,
        clock: Callable[[], float] = time.monotonic,
        links: MailLinks | None = None,
        fetcher: Fetcher | None = None,
    ) -> None:
        self._prepared = prepared
        self._links = links
        self._clock = clock
        self._fetcher = fetcher or NoFetch()

    def compose(self, message: Message) -> Mail | NotComposed | None:
        """The mail, why there is none, or None when the version must be loaded again first."""
        if message.mail is not None:
            return message.mail
        prepared = self._prepared(message.slice.account_id, message.request.version_id)
        if prepared is None:
            return None
        if prepared.plan is None:
            return NotComposed(MESSAGE_BUILD_ERROR, prepared.problem)
        plan, context = self._ready(message, prepared)
        return plan.compose(context, self._own_services(prepared))

    def copies(self, message: Message) -> tuple[str, ...]:
        """The cc and bcc recipients of a message, in wire form; empty for one without a mail. Where code prints them
        the message is composed, and keeps its mail."""
        if message.mail is None:
            prepared = self._prepared(message.slice.account_id, message.request.version_id)
            if prepared is None or prepared.plan is None:
                return ()
            copies = prepared.plan.copies(self._ready(message, prepared)[1])
            if copies is not None:
                return copies
            message.mail = self.compose(message)
        return message.mail.recipients[1:] if isinstance(message.mail, Mail) else ()

    def waits(self, message: Message) -> bool:
        """Whether the message's template looks something up: then it is composed with `compose_async`."""
        prepared = self._prepared(message.slice.account_id, message.request.version_id)
        return prepared is not None and prepared.plan is not None and prepared.plan.asynchronous

    async def compose_async(self, message: Message, data: DataAccess, blocks: BlockStore) -> Mail | NotComposed | None:
        """The mail of a message for which `waits` is true; None as for `compose`."""
        prepared = self._prepared(message.slice.account_id, message.request.version_id)
        if prepared is None:
            return None
        plan, context = self._ready(message, prepared)
        fetcher = Asking(self._fetcher)
        mail = await plan.compose_async(context, Services(self._clock, data, blocks, fetcher, prepared.account))
        message.page = None
        if fetcher.asked and isinstance(mail, Mail) and context.links is not None:
            message.page = page_to_keep(mail, context.links.page("view"))
        return mail

    async def compose_view(self, message: Message, data: DataAccess, blocks: BlockStore) -> Mail | NotComposed:
        """The mail of a message as it is shown on a web page."""
        prepared = self._prepared(message.slice.account_id, message.request.version_id)
        if prepared is None or prepared.plan is None:
            return NotComposed(MESSAGE_BUILD_ERROR, "there is no plan of it")
        plan, context = self._ready(message, prepared)
        context.system = {**context.system, "_messagecontext": "VAWP"}
        services = Services(self._clock, data, blocks, self._fetcher, prepared.account)
        if plan.asynchronous:
            return await plan.compose_async(context, services)
        # What never waits could hold up all other requests of the process for as long as its limits let it.
        return await asyncio.to_thread(plan.compose, context, services)

    def _own_services(self, prepared: Prepared) -> Services:
        """Those of a template that never waits; made again when its business unit has changed."""
        services = prepared.services
        if services is None or services.account is not prepared.account:
            services = prepared.services = Services(self._clock, account=prepared.account)
        return services

    def _ready(self, message: Message, prepared: Prepared) -> tuple[Plan, Context]:
        """The plan of a mail that has one, and what it is filled with."""
        plan, counted = prepared.plan_at(message.slice.accepted_at, self._links)
        assert plan is not None
        context = _context(message, prepared)
        unsubscribe = prepared.version.sending.list_unsubscribe
        if self._links is not None and (unsubscribe or plan.needs_links):
            slice_ = message.slice
            context.links = self._links.of(
                slice_.account_id,
                message.request.version_id,
                slice_.request_id,
                message.position,
                message.contact.contact_id,
                counted=counted,
                clicks=prepared.version.track_links,
            )
            if unsubscribe:
                context.headers += _unsubscribe_headers(context.links)
        return plan, context


def _unsubscribe_headers(links: Links) -> str:
    """RFC 2369 §3.2 and RFC 8058 §3.1."""
    address = links.page("unsubscribe")
    return f"List-Unsubscribe: <{address}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"


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
