"""Postroom's own routes for trying templates: what is wrong with one, and what it gives, with nothing saved or sent."""

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import MIMEPart
from email.policy import default
from typing import Any, cast

import msgspec
from msgspec import UNSET

from postroom.api.endpoint import Call
from postroom.api.errors import ApiError, Code
from postroom.api.reply import Reply
from postroom.api.shape import Route
from postroom.api.shapes import templates as shapes
from postroom.api.wire.diagnostics import diagnostics
from postroom.api.wire.templates import (
    PARTS,
    Judged,
    RenderBody,
    Rendered,
    TemplateBody,
    content_of,
    moment_of,
    read_render,
    read_template,
    rejection,
)
from postroom.catalog.data_extensions import find_extension
from postroom.catalog.template_check import names_known
from postroom.content.ampscript.engine import Engine
from postroom.content.ampscript.faults import Refused
from postroom.content.ampscript.run import NoFetch, Pairs, Rows, Services
from postroom.content.attributes import fold_name, merge_attributes
from postroom.content.compiler import compile_content
from postroom.content.model import Content, ContentRejected, Context, Mail, NotComposed, Problem
from postroom.content.names import SYSTEM_NAMES
from postroom.content.plan import Plan
from postroom.delivery.account_facts import AccountFacts
from postroom.delivery.blocks import AssetBlocks
from postroom.delivery.data_access import ClaimData, MessageData
from postroom.events.codes import status_message
from postroom.store.database import Pool
from postroom.tenancy.accounts import find_account, member_names

LINT = "/postroom/v1/templates/lint"
RENDER = "/postroom/v1/templates/render"
READ = frozenset({"email_read"})
WRITE = frozenset({"email_write"})

_SOMEONE = "someone@example.com"
_NO_SUBJECT = "-"

_encode = msgspec.json.Encoder().encode


class TrialData(MessageData):
    """The data extensions of a business unit for a mail that is not sent: what it writes is forgotten."""

    async def claim(self, table: str, claimed: str, claimant: str, who: object, values: Pairs) -> Rows:
        """Claiming can't be forgotten, so it is refused."""
        raise Refused("a trial claims no row of a data extension; try it with a send in the sandbox")


class Templates:
    """The handlers. ``from_name`` and ``from_address`` are the server's sender; ``clock`` gives seconds since the
    epoch."""

    def __init__(
        self,
        pool: Pool,
        engine: Engine,
        accounts: AccountFacts,
        *,
        from_name: str,
        from_address: str,
        clock: Callable[[], float],
    ) -> None:
        self._pool = pool
        self._accounts = accounts
        self._engine = engine
        self._from_name = from_name
        self._from_address = from_address
        self._clock = clock

    def routes(self) -> list[Route]:
        """Both routes with their scopes."""
        return [
            Route("POST", LINT, READ, self.lint, shapes.LINT),
            Route("POST", RENDER, WRITE, self.render, shapes.RENDER),
        ]

    async def lint(self, call: Call) -> Reply:
        """POST /postroom/v1/templates/lint: what is wrong or doubtful in an email, without saving it."""
        wire = read_template(await call.json_body())
        known = await self._known(call.account_id, wire)
        try:
            found = await asyncio.to_thread(_diagnose, content_of(wire), self._engine, known)
        except ContentRejected as rejected:
            found = [*rejected.problems, *rejected.warnings]
        found.sort(key=lambda problem: (problem.part, problem.line, problem.column))
        valid = all(problem.severity == "warning" for problem in found)
        return Reply(_encode(Judged(valid, diagnostics(found))))

    async def render(self, call: Call) -> Reply:
        """POST /postroom/v1/templates/render: an email as one recipient would read it; nothing is sent or written."""
        wire = read_render(await call.json_body())
        known = await self._known(call.account_id, wire) if wire.data_extension else None
        try:
            content = content_of(wire, from_name=self._from_name, from_address=self._from_address)
            named = bool(content.subject)
            if not named:
                # A trial of bodies alone; a send without a subject fails (127).
                content = replace(content, subject=_NO_SUBJECT)
            plan = await asyncio.to_thread(compile_content, content, engine=self._engine, known_names=known)
        except ContentRejected as rejected:
            raise rejection(rejected) from None
        account = await find_account(self._pool, call.account_id)
        system = {} if account is None else member_names(call.account_id, dataclasses.asdict(account))
        composed = await self._compose(call.account_id, plan, self._context(wire, system))
        if isinstance(composed, NotComposed):
            raise _not_composed(composed)
        return Reply(_encode(_shown(composed, plan, named=named)))

    async def _known(self, account_id: int, wire: TemplateBody) -> frozenset[str] | None:
        names = None if wire.attributes is None else SYSTEM_NAMES | {fold_name(name) for name in wire.attributes}
        if wire.data_extension is None:
            return names
        if "\0" in wire.data_extension:
            raise ApiError(Code.INVALID_VALUE, "dataExtension must not hold a NUL character")
        extension = await find_extension(self._pool, account_id, wire.data_extension)
        if extension is None:
            raise ApiError(
                Code.INVALID_VALUE, f"dataExtension: there is no data extension with key {wire.data_extension[:100]!r}"
            )
        return await names_known(self._pool, account_id, extension)

    async def _compose(self, account_id: int, plan: Plan, context: Context) -> Mail | NotComposed:
        data = ClaimData(self._pool, account_id)
        services = Services(
            time.monotonic,
            TrialData(data),
            AssetBlocks(self._pool, account_id),
            NoFetch("a trial makes no HTTP requests; try it with a send in the sandbox"),
            await self._accounts.of(account_id),
        )
        if plan.asynchronous:
            return await plan.compose_async(context, services)
        # What never waits could hold up every other request for as long as its limits let it.
        return await asyncio.to_thread(plan.compose, context, services)

    def _context(self, wire: RenderBody, system: Mapping[str, str]) -> Context:
        domain = self._from_address.rpartition("@")[2]
        return Context(
            address=wire.to or _SOMEONE,
            contact_key=wire.contact_key or wire.to or _SOMEONE,
            message_key="trial",
            attributes=merge_attributes(wire.attributes, None),
            profile={},
            system=system,
            accepted_at=moment_of(wire, datetime.fromtimestamp(self._clock(), UTC)),
            message_id=f"trial@{domain}",
        )


def _diagnose(content: Content, engine: Engine, known: frozenset[str] | None) -> list[Problem]:
    if content.html or content.text:
        return list(compile_content(content, engine=engine, known_names=known).warnings)
    parts = {part: getattr(content, part) for part in PARTS if getattr(content, part)}
    return [found.problem() for found in engine.diagnose(parts, known_names=known)]


def _not_composed(why: NotComposed) -> ApiError:
    return ApiError(
        Code.GENERIC,
        f"the mail would not be sent: {why.reason}",
        extra={"statusCode": why.status_code, "statusMessage": status_message(why.status_code)},
    )


def _shown(mail: Mail, plan: Plan, *, named: bool) -> Rendered:
    parsed = message_from_bytes(mail.data, policy=default)
    html, text = parsed.get_body(("html",)), parsed.get_body(("plain",))
    attached = [part.get_filename() or "" for part in parsed.iter_attachments()]
    return Rendered(
        subject=mail.subject if named else UNSET,
        html=UNSET if html is None else _content(html),
        text=UNSET if text is None else _content(text),
        attachments=attached or UNSET,
        diagnostics=diagnostics(plan.warnings),
    )


def _content(part: "MIMEPart[Any, Any]") -> str:
    payload = part.get_payload(decode=True)
    return cast("bytes", payload).decode("utf-8", "replace").replace("\r\n", "\n")
