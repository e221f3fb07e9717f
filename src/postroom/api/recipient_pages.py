"""The pages behind links in mails: unsubscribing, subscriptions, the profile, and the mail as a web page.

    GET /t/u/{token}   asks                POST unsubscribes; also at once, for mail programs (RFC 8058)
    GET /t/s/{token}   shows the lists     POST changes them
    GET /t/p/{token}   shows the profile   POST changes it
    GET /t/v/{token}   the mail

GET never changes anything: scanners follow every link of a mail. Who has the token is the recipient, or has the mail
from them; there are no cookies, so no other site can act in a recipient's name without knowing the token.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl

import msgspec
import structlog
from litestar.types import HTTPScope, Receive, Send

from postroom.api import recipient_layout as layout
from postroom.api.recipient_layout import PAGE_HEADERS, VIEW_HEADERS, Languages, Words, page, paragraph
from postroom.api.reply import Header, Reply
from postroom.audience.directory import AttributeUnknown, change_contact, declared_attributes
from postroom.audience.preferences import (
    Preferences,
    join_list,
    leave_everything,
    leave_list,
    load_preferences,
    return_to_everything,
)
from postroom.content.attributes import value_text
from postroom.content.link_tokens import Kind, LinkMessage, LinkTokens
from postroom.delivery.web_view import WebView
from postroom.events.log import Event, append_events
from postroom.store.database import Connection, Pool
from postroom.store.trouble import DATABASE_TROUBLE, tell_trouble

PATHS: Final[dict[bytes, Kind]] = {b"u": "unsubscribe", b"s": "subscriptions", b"p": "profile", b"v": "view"}

LONGEST_VALUE = 500
_HTML = b"text/html; charset=utf-8"
_LARGEST_FORM = 64 * 1024
_MOST_FIELDS = 200
_ONE_CLICK = re.compile(rb'name="?List-Unsubscribe"?\s*\r?\n\r?\n\s*One-Click\s*\r?\n', re.IGNORECASE)

Form = Sequence[tuple[str, str]]


class FormRefused(Exception):
    """What was posted is no form of ours."""


class RecipientPages:
    """The ASGI application of these paths. ``clock`` gives seconds since the epoch."""

    def __init__(self, pool: Pool, tokens: LinkTokens, view: WebView, *, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._tokens = tokens
        self._view = view
        self._clock = clock
        self._languages = Languages()
        self._log = structlog.get_logger("recipients")

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        reply = await self._reply(scope, receive)
        if scope["method"] == "HEAD":
            reply = _without_body(reply)
        await reply(scope, receive, send)

    async def _reply(self, scope: HTTPScope, receive: Receive) -> Reply:
        _, _, letter, token = (*scope["raw_path"].split(b"/", 3), b"", b"")[:4]
        kind = PATHS.get(letter)
        found = None if kind is None else self._tokens.read(kind, token.decode("latin-1"))
        if kind is None or found is None:
            return self._plain("invalid", 404)
        method = scope["method"]
        if method not in ("GET", "HEAD", "POST") or (method == "POST" and kind == "view"):
            return self._plain("invalid", 405)
        try:
            form = await _read_form(scope, receive) if method == "POST" else None
            if kind == "view":
                return await self._web_view(found.message)
            return await self._page(kind, found.message, form)
        except FormRefused as refused:
            self._log.info("form_refused", reason=str(refused))
            return self._plain("failed", 400)
        except DATABASE_TROUBLE as error:
            path = f"/t/{letter.decode('latin-1')}/"
            passes = tell_trouble(self._log, "database_trouble", error, path=path).passes
            return self._plain("failed", 503 if passes else 500)
        except Exception:
            self._log.exception("page_failed", path=f"/t/{letter.decode('latin-1')}/")
            return self._plain("failed", 500)

    def _plain(self, text: str, status: int, words: Words | None = None) -> Reply:
        words = words or self._languages.of("en")
        return _html(page(words, f"{text}_title", "", [paragraph(words.plain(text))]), status)

    async def _web_view(self, message: LinkMessage) -> Reply:
        html = await self._view.html(message)
        if html is None:
            return self._plain("gone", 410)
        return _html(html.encode("utf-8", "replace"), 200, VIEW_HEADERS)

    async def _page(self, kind: Kind, message: LinkMessage, form: Form | None) -> Reply:
        found = await self._load(message)
        if found is None:
            return self._plain("gone", 410)
        done = False
        if form is not None:
            async with self._pool.acquire() as connection, connection.transaction():
                done = await self._act(kind, connection, message, found, form)
            found = await self._load(message)
            if found is None:
                return self._plain("gone", 410)
        words = self._languages.of(found.language)
        if kind == "unsubscribe":
            return self._unsubscribe_page(message, found, words)
        saved = [paragraph(words.plain("saved"), "saved", "status")] if done else []
        if kind == "subscriptions":
            return self._subscriptions_page(message, found, words, saved)
        return await self._profile_page(message, found, words, saved)

    async def _load(self, message: LinkMessage) -> Preferences | None:
        return await load_preferences(self._pool, message.account_id, message.version_id, message.contact_id)

    # -- what is done

    async def _act(
        self, kind: Kind, connection: Connection, message: LinkMessage, found: Preferences, form: Form
    ) -> bool:
        """Do what the form says; whether it said anything."""
        actions = [value for name, value in form if name == "action"]
        if kind == "unsubscribe":
            one_click = ("List-Unsubscribe", "One-Click") in form
            if not one_click and actions != ["unsubscribe"]:
                raise FormRefused("neither the page's button nor List-Unsubscribe=One-Click")
            await self._leave(connection, message, found, "one-click" if one_click else "page")
            return True
        if kind == "profile":
            await self._change_profile(connection, message, found, form)
            return True
        if actions == ["leave"]:
            if await leave_everything(connection, message.account_id, message.contact_id):
                await self._record(connection, message, found, "subscriptions", None)
        elif actions == ["return"]:
            await return_to_everything(connection, message.account_id, message.contact_id)
        elif actions == ["save"]:
            await self._choose(connection, message, found, {value for name, value in form if name == "list"})
        else:
            raise FormRefused("an action that the page does not have")
        return True

    async def _leave(self, connection: Connection, message: LinkMessage, found: Preferences, method: str) -> None:
        account_id, contact_id = message.account_id, message.contact_id
        if found.everyone:
            changed = await leave_everything(connection, account_id, contact_id)
        else:
            changed = await leave_list(connection, account_id, found.list_id, contact_id)
        if changed:
            await self._record(connection, message, found, method, None if found.everyone else found.list_id)

    async def _choose(self, connection: Connection, message: LinkMessage, found: Preferences, on: set[str]) -> None:
        """Only lists that the page showed can be chosen."""
        for choice in found.lists:
            wanted = str(choice.list_id) in on
            if wanted and not choice.on:
                await join_list(connection, message.account_id, choice.list_id, message.contact_id)
            elif not wanted and choice.on:
                changed = await leave_list(connection, message.account_id, choice.list_id, message.contact_id)
                if changed:
                    await self._record(connection, message, found, "subscriptions", choice.list_id)

    async def _change_profile(
        self, connection: Connection, message: LinkMessage, found: Preferences, form: Form
    ) -> None:
        """Only declared attributes, and only those that read otherwise than before."""
        declared = set(await declared_attributes(connection, message.account_id))
        changed: dict[str, object] = {}
        for name, value in form:
            attribute = name.removeprefix("attribute.")
            if attribute == name or attribute not in declared:
                continue
            value = value.replace("\0", "").strip()
            if len(value) > LONGEST_VALUE:
                raise FormRefused("a value is too long")
            if value != value_text(found.contact.profile.get(attribute)):
                changed[attribute] = value or None
        if changed:
            try:
                await change_contact(connection, message.account_id, found.contact.contact_key, profile=changed)
            except AttributeUnknown as unknown:
                raise FormRefused(f"attribute {unknown} is not kept any more") from None

    async def _record(
        self, connection: Connection, message: LinkMessage, found: Preferences, method: str, list_id: int | None
    ) -> None:
        now = datetime.fromtimestamp(self._clock(), UTC)
        detail: dict[str, object] = {"method": method} if list_id is None else {"method": method, "list_id": list_id}
        event = Event(
            message.account_id,
            now.date(),
            now,
            message.request_id,
            message.position,
            found.definition_id,
            "unsubscribed",
            message.contact_id,
            None,
            msgspec.json.encode(detail).decode(),
        )
        await append_events(connection, [event])

    # -- what is shown

    def _unsubscribe_page(self, message: LinkMessage, found: Preferences, words: Words) -> Reply:
        values = {"address": found.contact.address, "unit": found.unit, "list": found.list_name}
        where = "all" if found.everyone or found.contact.status == "Unsubscribed" else "list"
        if found.unsubscribed:
            content = [paragraph(words.say(f"unsubscribed_{where}", **values), role="status")]
            title = "unsubscribed_title"
        else:
            content = [
                paragraph(words.say(f"unsubscribe_{where}_question", **values)),
                layout.form([layout.button(words.plain("unsubscribe_button"), "unsubscribe")]),
            ]
            title = "unsubscribe_title"
        if where == "all":
            content.append(paragraph(words.plain("service_note"), "soft"))
        content.append(self._links(message, words, "subscriptions"))
        return _html(page(words, title, found.unit, content))

    def _subscriptions_page(
        self, message: LinkMessage, found: Preferences, words: Words, saved: Sequence[str]
    ) -> Reply:
        values = {"address": found.contact.address, "unit": found.unit}
        if found.contact.status == "Unsubscribed":
            content = [
                *saved,
                paragraph(words.say("subscriptions_all_off", **values)),
                paragraph(words.plain("service_note"), "soft"),
                layout.form([layout.button(words.plain("subscriptions_return"), "return")]),
            ]
        else:
            intro = words.say("subscriptions_intro", **values)
            leave = layout.button(words.plain("subscriptions_leave_all"), "leave", "plain")
            if found.lists:
                boxes = "".join(layout.check(choice) for choice in found.lists)
                save = layout.button(words.plain("subscriptions_save"), "save")
                fields = [f"<fieldset><legend>{intro}</legend>{boxes}</fieldset>", save, leave]
            else:
                fields = [paragraph(intro), paragraph(words.plain("subscriptions_none"), "soft"), leave]
            content = [*saved, layout.form(fields)]
        content.append(self._links(message, words, "profile"))
        return _html(page(words, "subscriptions_title", found.unit, content))

    async def _profile_page(
        self, message: LinkMessage, found: Preferences, words: Words, saved: Sequence[str]
    ) -> Reply:
        names = await declared_attributes(self._pool, message.account_id)
        profile = found.contact.profile
        content = [
            *saved,
            paragraph(words.say("profile_intro", unit=found.unit)),
            paragraph(f"{words.plain('profile_address')}<br>{words.value(found.contact.address)}"),
        ]
        if names:
            fields = [
                layout.text_field(name, f"attribute.{name}", value_text(profile.get(name)), LONGEST_VALUE)
                for name in names
            ]
            content.append(layout.form([*fields, layout.button(words.plain("profile_save"), "save")]))
        else:
            content.append(paragraph(words.plain("profile_none"), "soft"))
        content.append(self._links(message, words, "subscriptions"))
        return _html(page(words, "profile_title", found.unit, content))

    def _links(self, message: LinkMessage, words: Words, kind: Kind) -> str:
        letter = next(letter for letter, known in PATHS.items() if known == kind).decode("ascii")
        address = f"../{letter}/{self._tokens.head(message).token(kind)}"
        return layout.links([(address, words.plain(f"to_{kind}"))])


def _html(body: bytes, status: int = 200, headers: Sequence[Header] = PAGE_HEADERS) -> Reply:
    return Reply(body, status, headers, media_type=_HTML)


def _without_body(reply: Reply) -> Reply:
    return Reply(b"", reply.status, reply.headers, media_type=reply.media_type)


async def _read_form(scope: HTTPScope, receive: Receive) -> Form:
    """The fields that were posted. Raises FormRefused."""
    headers = dict(scope["headers"])
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise FormRefused("the request ended before its body")
        body += message.get("body", b"")
        if len(body) > _LARGEST_FORM:
            raise FormRefused(f"more than {_LARGEST_FORM} bytes")
        if not message.get("more_body"):
            break
    media_type = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if media_type == b"multipart/form-data" and _ONE_CLICK.search(body):
        return [("List-Unsubscribe", "One-Click")]
    if media_type != b"application/x-www-form-urlencoded":
        raise FormRefused("not a form")
    try:
        fields = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise FormRefused("a form that can't be read") from None
    if ("List-Unsubscribe", "One-Click") not in fields and headers.get(b"sec-fetch-site") == b"cross-site":
        raise FormRefused("it comes from a page of another site")
    return fields
