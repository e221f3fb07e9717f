"""Searching messages on the wire (Postroom's own): the filter in the query, and the cursor."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec

from postroom.api.errors import ApiError, Code
from postroom.api.times import utc_time
from postroom.audience.suppression_file import read_moment
from postroom.events.codes import status_message
from postroom.events.search import STATUSES, Found, FoundMessage, Place, Wanted

_FIELDS = ("recipient", "contactKey", "definitionKey", "status", "from", "to", "cursor", "pageSize")
# Names of a query are compared without regard to case.
_FOLDED = frozenset(name.lower() for name in _FIELDS)
_LONGEST_CURSOR = 300


class ShownMessage(msgspec.Struct, rename="camel"):
    """One message. ``status`` is what the vendor calls so: a bounce does not change it."""

    message_key: str
    contact_key: str
    to: str
    definition_key: str
    accepted: str
    status: Literal["queued", "sent", "notSent"]
    occurred: str | None
    status_code: int | None
    status_message: str | None
    bounced: bool
    held: bool


class ShownMessages(msgspec.Struct, rename="camel"):
    """A page, newest first. ``cursor`` asks for the next one, also where this one is short; null at the end."""

    items: list[ShownMessage]
    count: int
    cursor: str | None


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    filter: str
    day: date
    request_id: UUID
    position: int


_encode = msgspec.json.Encoder().encode
_cursor = msgspec.json.Decoder(_Cursor)


def read_wanted(query: Mapping[str, str]) -> Wanted:
    """The filter of a query. Raises ApiError 10005 for what is none."""
    for name in query:
        if name not in _FOLDED:
            # A filter that is misspelt would find everything.
            raise ApiError(Code.INVALID_VALUE, f"{name[:50]!r} is no filter; use one of {', '.join(_FIELDS)}")
    for name, value in query.items():
        if not value.strip() or "\0" in value:
            raise ApiError(Code.INVALID_VALUE, f"{name} must have a value without a NUL character, or be left out")
    status = query.get("status")
    by_name = {each.lower(): each for each in STATUSES}
    if status is not None and status.lower() not in by_name:
        raise ApiError(Code.INVALID_VALUE, f"status is {status[:50]!r}; it must be one of {', '.join(STATUSES)}")
    first, last = _moment(query, "from"), _moment(query, "to")
    if first is not None and last is not None and first >= last:
        raise ApiError(Code.INVALID_VALUE, "from must be before to")
    return Wanted(
        address=query.get("recipient"),
        contact_key=query.get("contactkey"),
        definition_key=query.get("definitionkey"),
        status=None if status is None else by_name[status.lower()],
        accepted_from=first,
        accepted_before=last,
    )


def read_cursor(query: Mapping[str, str], wanted: Wanted) -> Place | None:
    """Where the page begins. Raises ApiError 10005 for a cursor that is not of a page of this filter."""
    text = query.get("cursor")
    if text is None:
        return None
    try:
        if len(text) > _LONGEST_CURSOR:
            raise ValueError
        found = _cursor.decode(base64.b64decode(text.encode("ascii"), b"-_", validate=True))
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise ApiError(Code.INVALID_VALUE, "cursor is not one that a page had; leave it out to begin anew") from None
    if found.filter != _digest(wanted) or not -(2**31) <= found.position < 2**31:
        raise ApiError(Code.INVALID_VALUE, "cursor is of a page with another filter; leave it out to begin anew")
    return Place(found.day, found.request_id, found.position)


def shown_messages(found: Found, wanted: Wanted) -> ShownMessages:
    """A page as replies show it."""
    cursor = None
    if found.behind is not None:
        raw = _encode(_Cursor(_digest(wanted), *found.behind))
        cursor = base64.urlsafe_b64encode(raw).decode("ascii")
    return ShownMessages([_shown(each) for each in found.messages], len(found.messages), cursor)


def _shown(found: FoundMessage) -> ShownMessage:
    return ShownMessage(
        message_key=found.message_key,
        contact_key=found.contact_key,
        to=found.address,
        definition_key=found.definition_key,
        accepted=utc_time(found.accepted_at),
        status="notSent" if found.status == "not_sent" else found.status,
        occurred=None if found.occurred_at is None else utc_time(found.occurred_at),
        status_code=found.status_code,
        status_message=None if found.status_code is None else status_message(found.status_code),
        bounced=found.bounced,
        held=found.held,
    )


def _digest(wanted: Wanted) -> str:
    return hashlib.sha256(_encode(wanted)).hexdigest()[:16]


def _moment(query: Mapping[str, str], field: str) -> datetime | None:
    text = query.get(field)
    if text is None:
        return None
    try:
        return read_moment(field, text)
    except ValueError as wrong:
        raise ApiError(Code.INVALID_VALUE, str(wrong)) from None
