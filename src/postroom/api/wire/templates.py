"""Templates that are tried without being saved: what comes in, and what is told of them."""

import contextlib
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from postroom.api.errors import ApiError, Code
from postroom.api.wire.decoding import decode, refuse_token_in
from postroom.api.wire.diagnostics import Diagnostic, own_member
from postroom.content.ampscript.cases import FIRST_YEAR, LAST_YEAR
from postroom.content.model import Content, ContentRejected
from postroom.content.views import content_from_views

PARTS = ("html", "text", "subject", "preheader")


class TemplateBody(msgspec.Struct, rename="camel"):
    """An email: the ``views`` of an asset, or its parts as plain texts.

    ``attributes`` are those of a send, and ``dataExtension`` is the key of the data extension that a send would write
    to: with either, it is known which names the templates may use.
    """

    views: dict[str, Any] | None = None
    html: str | None = None
    text: str | None = None
    subject: str | None = None
    preheader: str | None = None
    attributes: dict[str, Any] | None = None
    data_extension: str | None = None


class RenderBody(TemplateBody, rename="camel"):
    """The same, and who gets it; ``now`` is the time of the send in ISO form, UTC unless it says otherwise."""

    to: str | None = None
    contact_key: str | None = None
    now: str | None = None


class Judged(msgspec.Struct, rename="camel"):
    """What lint found; ``valid`` is false when a definition with it would be refused."""

    valid: bool
    diagnostics: list[Diagnostic]


class Rendered(msgspec.Struct, rename="camel", kw_only=True):
    """One mail as its recipient would read it, and the warnings about its templates."""

    subject: str | UnsetType = UNSET
    html: str | UnsetType = UNSET
    text: str | UnsetType = UNSET
    attachments: list[str] | UnsetType = UNSET
    diagnostics: list[Diagnostic]


_template = msgspec.json.Decoder(TemplateBody)
_render = msgspec.json.Decoder(RenderBody)


def read_template(body: bytes) -> TemplateBody:
    """The body of lint. Raises ApiError."""
    return _checked(decode(_template, body), body)


def read_render(body: bytes) -> RenderBody:
    """The body of render. Raises ApiError."""
    wire = decode(_render, body)
    _checked(wire, body)
    return wire


def content_of(wire: TemplateBody, *, from_name: str = "", from_address: str = "") -> Content:
    """The email it stands for. Raises ContentRejected for views that can't be flattened."""
    if wire.views is None:
        return Content(
            subject=wire.subject or "",
            html=wire.html or None,
            text=wire.text or None,
            preheader=wire.preheader or "",
            from_name=from_name,
            from_address=from_address,
        )
    return content_from_views(wire.views, from_name=from_name, from_address=from_address)


def rejection(rejected: ContentRejected) -> ApiError:
    """109124 with every finding."""
    told = "; ".join(str(problem) for problem in rejected.problems[:20])
    return ApiError(Code.EMAIL_INVALID, told, extra=own_member([*rejected.problems, *rejected.warnings]))


def moment_of(wire: RenderBody, otherwise: datetime) -> datetime:
    """The time of the send. Raises ApiError 10003."""
    if wire.now is None:
        return otherwise
    with contextlib.suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(wire.now)
        moment = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)
        if FIRST_YEAR <= moment.year <= LAST_YEAR:
            return moment
    raise ApiError(
        Code.BAD_FORMAT,
        f"now is {wire.now[:50]!r}; write an ISO time such as 2026-03-04T13:52:07-06:00, from the year {FIRST_YEAR} on",
    )


def _checked(wire: TemplateBody, body: bytes) -> TemplateBody:
    refuse_token_in(body)
    plain = [part for part in PARTS if getattr(wire, part)]
    if wire.views is not None and plain:
        raise ApiError(Code.INVALID_VALUE, f"views and {plain[0]} are both given; give the views, or plain texts")
    if wire.views is None and not plain:
        raise ApiError(Code.REQUIRED, f"there is no template; give views, or {', '.join(PARTS)} as texts")
    return wire
