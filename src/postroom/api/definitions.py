"""The definition routes (contract §3.1 to §3.5)."""

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import TypeVar

import msgspec
import uuid_utils

from postroom.api.endpoint import Call
from postroom.api.errors import ApiError, Code
from postroom.api.extras import version_header
from postroom.api.reply import Reply
from postroom.api.wire import definitions as wire
from postroom.api.wire.definitions import LONGEST_KEY, full_definition, read_change, read_draft, summary
from postroom.api.wire.diagnostics import own_member
from postroom.catalog import publishing
from postroom.catalog.definitions import (
    Definition,
    DefinitionOrder,
    delete_definition,
    find_definition,
    page_definitions,
)
from postroom.content.model import ContentRejected, Problem
from postroom.store.database import Pool

DEFAULT_PAGE_SIZE = 50  # contract §3.2
LARGEST_PAGE_SIZE = 1000
HIGHEST_PAGE = 1_000_000
_SHOWN_PROBLEMS = 20

_FILTER = re.compile(r"\s*status\s+(eq|neq)\s+'?(active|inactive|deleted|new)'?\s*", re.IGNORECASE)
_ORDER = re.compile(r"\s*([a-z]+)(?:\s+(asc|desc))?\s*", re.IGNORECASE)
_Order = TypeVar("_Order", bound=Enum)

_encode = msgspec.json.Encoder().encode


class Definitions:
    """The handlers."""

    def __init__(self, pool: Pool, publisher: publishing.Publisher) -> None:
        self._pool = pool
        self._publisher = publisher

    async def create(self, call: Call) -> Reply:
        """POST /definitions."""
        draft = read_draft(await call.json_body())
        try:
            published = await self._publisher.create(call.account_id, draft)
        except (publishing.PublishingRejected, ContentRejected) as rejection:
            raise _rejected(rejection) from None
        return _full(published.definition, 201, published.warnings)

    async def get(self, call: Call) -> Reply:
        """GET /definitions/{definitionKey}."""
        key = call.key("definitionKey")
        definition = await find_definition(self._pool, call.account_id, key)
        if definition is None:
            raise unknown_definition(key)
        return _full(definition)

    async def page(self, call: Call) -> Reply:
        """GET /definitions: the vendor's `count` is that of the page, not the total (contract §3.2)."""
        query = call.query
        status, not_status = _filter(query.get("filter"))
        order, descending = order_field(query.get("orderby"), DefinitionOrder, DefinitionOrder.CREATED_DATE)
        page = number_field(query, "page", default=1, highest=HIGHEST_PAGE)
        page_size = number_field(query, "pagesize", default=DEFAULT_PAGE_SIZE, highest=LARGEST_PAGE_SIZE)
        found = await page_definitions(
            self._pool,
            call.account_id,
            status=status,
            not_status=not_status,
            order=order,
            descending=descending,
            page=page,
            page_size=page_size,
        )
        listed = [summary(definition) for definition in found]
        return Reply(_encode(wire.Definitions(_request_id(), listed, len(listed), page, page_size)))

    async def change(self, call: Call) -> Reply:
        """PATCH /definitions/{definitionKey}."""
        key = call.key("definitionKey")
        change = read_change(await call.json_body(), key)
        try:
            published = await self._publisher.change(call.account_id, key, change)
        except (publishing.PublishingRejected, ContentRejected) as rejection:
            raise _rejected(rejection) from None
        if published is None:
            raise unknown_definition(key)
        return _full(published.definition, 200, published.warnings)

    async def delete(self, call: Call) -> Reply:
        """DELETE /definitions/{definitionKey}: archived under a new key, for good."""
        key = call.key("definitionKey")
        archive_key = str(uuid_utils.uuid7())
        if not await delete_definition(self._pool, call.account_id, key, archive_key):
            raise unknown_definition(key)
        return Reply(_encode(wire.Deleted(_request_id(), "Success", archive_key)))


def unknown_definition(key: str) -> ApiError:
    """404 30003 for a key the business unit does not have."""
    return ApiError(Code.NOT_FOUND, f"there is no definition with key {key[:LONGEST_KEY]!r}")


def number_field(query: dict[str, str], name: str, *, default: int, highest: int) -> int:
    """A whole number of the query from 1 up; larger than ``highest`` counts as that. Raises ApiError 10005."""
    text = query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not text.strip("0"):
        shown = "$pageSize" if name == "pagesize" else f"${name}"
        raise ApiError(Code.INVALID_VALUE, f"{shown} is {text[:50]!r}; it must be a whole number from 1")
    return min(int(text[:20]), highest)


def order_field(text: str | None, orders: Iterable[_Order], default: _Order) -> tuple[_Order, bool]:
    """What a listing is ordered by, and whether descending; an order's value begins with its name on the wire.

    Raises ApiError 10005.
    """
    if text is None:
        return default, False
    by_name: dict[str, _Order] = {order.value[0]: order for order in orders}
    found = _ORDER.fullmatch(text)
    for name, order in by_name.items():
        if found is not None and found[1].lower() == name.lower():
            return order, (found[2] or "").lower() == "desc"
    names = ", ".join(by_name)
    raise ApiError(Code.INVALID_VALUE, f"$orderBy is {text[:100]!r}; it must be one of {names}, then asc or desc")


def _request_id() -> str:
    return str(uuid_utils.uuid7())


def _full(definition: Definition, status: int = 200, warnings: Sequence[Problem] = ()) -> Reply:
    body = _encode(full_definition(definition, _request_id(), warnings))
    return Reply(body, status, (version_header(definition.version_id),))


def _filter(text: str | None) -> tuple[str | None, str | None]:
    if text is None:
        return None, None
    found = _FILTER.fullmatch(text)
    if found is None:
        raise ApiError(
            Code.INVALID_VALUE,
            f"$filter is {text[:100]!r}; it must be status eq or neq and one of active, inactive, deleted",
        )
    status = found[2].capitalize()
    return (status, None) if found[1].lower() == "eq" else (None, status)


def _problems(rejection: ContentRejected) -> str:
    shown = [str(problem) for problem in rejection.problems[:_SHOWN_PROBLEMS]]
    hidden = len(rejection.problems) - len(shown)
    return "; ".join(shown) + (f"; and {hidden} more" if hidden else "")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _rejected(rejection: Exception) -> ApiError:
    text = str(rejection)
    match rejection:
        case ContentRejected():
            found = own_member([*rejection.problems, *rejection.warnings])
            return ApiError(Code.EMAIL_INVALID, _problems(rejection), extra=found)
        case publishing.DefinitionKeyTaken():
            return ApiError(Code.ALREADY_EXISTS, f"there is already a definition with definitionKey {text!r}")
        case publishing.DefinitionNameTaken():
            return ApiError(Code.ALREADY_EXISTS, f"there is already a definition with name {text!r}")
        case publishing.StatusUnreachable():
            return ApiError(Code.STATE_TRANSITION, text)
        case publishing.WeeklyLimitReached():
            return ApiError(Code.INVALID_OPERATION, text)
        case publishing.ClassificationNotTransactional():
            return ApiError(Code.CLASSIFICATION_TYPE, text)
        case publishing.SendingOptionInvalid():
            return ApiError(Code.INVALID_VALUE, f"postroom.{_camel(rejection.field)}: {rejection.problem}")
        case publishing.CopyAddressInvalid():
            return ApiError(Code.INVALID_OPTIONS, text)
        case _:
            return ApiError(Code.INVALID_VALUE, text)
