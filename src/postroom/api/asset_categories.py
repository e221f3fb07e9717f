"""The folders of Content Builder: /asset/v1/content/categories (contract §7.1)."""

import re
from collections.abc import Mapping

import msgspec

from postroom.api.definitions import HIGHEST_PAGE, LARGEST_PAGE_SIZE, number_field
from postroom.api.endpoint import Call
from postroom.api.errors import ApiError, Code
from postroom.api.reply import Reply
from postroom.api.shape import Page
from postroom.api.wire.asset_files import asset_error
from postroom.api.wire.decoding import decode, refuse_token_in, shorter, storable
from postroom.catalog.asset_categories import (
    AssetCategory,
    CategoryFixed,
    CategoryMisplaced,
    CategoryNameTaken,
    CategoryOrder,
    change_category,
    create_category,
    delete_category,
    find_category,
    page_categories,
)
from postroom.store.database import Pool

DEFAULT_PAGE_SIZE = 50
LONGEST_NAME = 200
LONGEST_DESCRIPTION = 2000

_FILTER = re.compile(r"\s*(?:(parentId)\s+eq\s+'?(\d{1,18})'?|(name)\s+eq\s+'((?:[^']|'')*)')\s*", re.IGNORECASE)

_ORDER = re.compile(r"\s*(id|name|parentid)(?:\s+(asc|desc))?\s*", re.IGNORECASE)
_ORDERS: Mapping[str, CategoryOrder] = {"id": "category_id", "name": "name", "parentid": "parent_id"}

_encode = msgspec.json.Encoder().encode


class CategoryBody(msgspec.Struct):
    """The request; the vendor's own examples write the names with a capital."""

    name: str | None = None
    parent_id: int | None = msgspec.field(default=None, name="parentId")
    description: str | None = None
    capital_name: str | None = msgspec.field(default=None, name="Name")
    capital_parent_id: int | None = msgspec.field(default=None, name="ParentId")
    capital_description: str | None = msgspec.field(default=None, name="Description")


class ShownCategory(msgspec.Struct, rename="camel"):
    """A category."""

    id: int
    name: str
    parent_id: int
    category_type: str
    member_id: int
    enterprise_id: int
    description: str


_decoder = msgspec.json.Decoder(CategoryBody)


class AssetCategories:
    """The handlers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(self, call: Call) -> Reply:
        """GET /categories, all or those a `$filter` on parentId or name leaves, by id unless ordered."""
        query = call.query
        page = number_field(query, "page", default=1, highest=HIGHEST_PAGE)
        page_size = number_field(query, "pagesize", default=DEFAULT_PAGE_SIZE, highest=LARGEST_PAGE_SIZE)
        parent_id, name = _filter(query.get("filter"))
        order, descending = _order(query.get("orderby"))
        found, total = await page_categories(
            self._pool,
            call.account_id,
            parent_id=parent_id,
            name=name,
            order=order,
            descending=descending,
            page=page,
            page_size=page_size,
        )
        items = [_shown(category, call.account_id) for category in found]
        return Reply(_encode(Page[ShownCategory](total, page, page_size, {}, items)))

    async def get(self, call: Call) -> Reply:
        """GET /categories/{id}."""
        category_id = _category_id(call)
        category = await find_category(self._pool, call.account_id, category_id)
        if category is None:
            raise _unknown(category_id)
        return Reply(_encode(_shown(category, call.account_id)))

    async def create(self, call: Call) -> Reply:
        """POST /categories."""
        name, parent_id, description = _read(await call.json_body())
        if name is None:
            raise asset_error(Code.REQUIRED, "name is required")
        if parent_id is None:
            raise asset_error(Code.REQUIRED, "parentId is required")
        try:
            category = await create_category(self._pool, call.account_id, parent_id, name, description or "")
        except CategoryNameTaken as taken:
            raise _name_taken(taken) from None
        if category is None:
            raise asset_error(Code.INVALID_VALUE, f"parentId is {parent_id}; there is no such category")
        return Reply(_encode(_shown(category, call.account_id)), 201)

    async def change(self, call: Call) -> Reply:
        """PUT /categories/{id}: another name, parent or description; what the body leaves out stays."""
        category_id = _category_id(call)
        name, parent_id, description = _read(await call.json_body())
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                category = await change_category(
                    connection, call.account_id, category_id, parent_id=parent_id, name=name, description=description
                )
        except CategoryNameTaken as taken:
            raise _name_taken(taken) from None
        except CategoryFixed as fixed:
            raise ApiError(Code.INVALID_OPERATION, str(fixed)) from None
        except CategoryMisplaced as misplaced:
            raise asset_error(Code.INVALID_VALUE, f"parentId is {parent_id}; {misplaced}") from None
        if category is None:
            raise _unknown(category_id)
        return Reply(_encode(_shown(category, call.account_id)))

    async def delete(self, call: Call) -> Reply:
        """DELETE /categories/{id}: only an empty one; the answer is a JSON string, as for an asset."""
        category_id = _category_id(call)
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                gone = await delete_category(connection, call.account_id, category_id)
        except CategoryFixed as fixed:
            raise ApiError(Code.INVALID_OPERATION, str(fixed)) from None
        if not gone:
            raise _unknown(category_id)
        return Reply(b'"OK"')


def _read(body: bytes) -> tuple[str | None, int | None, str | None]:
    """Name, parent and description of a request."""
    wire = decode(_decoder, body)
    refuse_token_in(body)
    name = wire.capital_name if wire.name is None else wire.name
    parent_id = wire.capital_parent_id if wire.parent_id is None else wire.parent_id
    description = wire.capital_description if wire.description is None else wire.description
    if name is not None and not name.strip():
        raise asset_error(Code.REQUIRED, "name must not be empty")
    storable({"name": name, "description": description})
    shorter("name", name or "", LONGEST_NAME)
    shorter("description", description or "", LONGEST_DESCRIPTION)
    if parent_id is not None and not 0 < parent_id < 2**63:
        raise asset_error(Code.INVALID_VALUE, f"parentId is {parent_id}; there is no such category")
    return name, parent_id, description


def _category_id(call: Call) -> int:
    text = call.key("id")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ApiError(Code.INVALID_VALUE, f"the category id {text[:50]!r} in the path must be a number")
    return int(text)


def _unknown(category_id: int) -> ApiError:
    return ApiError(Code.NOT_FOUND, f"there is no category with id {category_id}")


def _name_taken(taken: CategoryNameTaken) -> ApiError:
    return ApiError(Code.ALREADY_EXISTS, f"the parent has already a category with name {str(taken)!r}")


def _order(text: str | None) -> tuple[CategoryOrder, bool]:
    if text is None:
        return "category_id", False
    found = _ORDER.fullmatch(text)
    if found is None:
        raise ApiError(Code.INVALID_VALUE, f"$orderBy is {text[:100]!r}; it must be id, name or parentId, asc or desc")
    return _ORDERS[found[1].lower()], (found[2] or "").lower() == "desc"


def _filter(text: str | None) -> tuple[int | None, str | None]:
    if text is None:
        return None, None
    found = _FILTER.fullmatch(text)
    if found is None or "\0" in text:
        raise ApiError(
            Code.INVALID_VALUE, f"$filter is {text[:100]!r}; it must be parentId eq a number, or name eq a quoted text"
        )
    return (int(found[2]), None) if found[1] else (None, found[4].replace("''", "'"))


def _shown(category: AssetCategory, account_id: int) -> ShownCategory:
    return ShownCategory(
        category.category_id,
        category.name,
        category.parent_id,
        "asset",
        account_id,
        account_id,
        category.description,
    )
