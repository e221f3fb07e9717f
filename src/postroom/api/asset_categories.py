"""The folders of Content Builder: /asset/v1/content/categories (contract §7.1)."""

import re

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
    CategoryNameTaken,
    create_category,
    find_category,
    page_categories,
)
from postroom.store.database import Pool

DEFAULT_PAGE_SIZE = 50
LONGEST_NAME = 200
LONGEST_DESCRIPTION = 2000

_FILTER = re.compile(r"\s*(?:(parentId)\s+eq\s+'?(\d{1,18})'?|(name)\s+eq\s+'((?:[^']|'')*)')\s*", re.IGNORECASE)

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
        """GET /categories, all or those a `$filter` on parentId or name leaves."""
        query = call.query
        page = number_field(query, "page", default=1, highest=HIGHEST_PAGE)
        page_size = number_field(query, "pagesize", default=DEFAULT_PAGE_SIZE, highest=LARGEST_PAGE_SIZE)
        parent_id, name = _filter(query.get("filter"))
        found, total = await page_categories(
            self._pool, call.account_id, parent_id=parent_id, name=name, page=page, page_size=page_size
        )
        items = [_shown(category, call.account_id) for category in found]
        return Reply(_encode(Page[ShownCategory](total, page, page_size, {}, items)))

    async def get(self, call: Call) -> Reply:
        """GET /categories/{id}."""
        text = call.key("id")
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise ApiError(Code.INVALID_VALUE, f"the category id {text[:50]!r} in the path must be a number")
        category = await find_category(self._pool, call.account_id, int(text))
        if category is None:
            raise ApiError(Code.NOT_FOUND, f"there is no category with id {text}")
        return Reply(_encode(_shown(category, call.account_id)))

    async def create(self, call: Call) -> Reply:
        """POST /categories."""
        body = await call.json_body()
        wire = decode(_decoder, body)
        refuse_token_in(body)
        name = wire.name or wire.capital_name
        parent_id = wire.parent_id if wire.parent_id is not None else wire.capital_parent_id
        description = wire.description or wire.capital_description or ""
        if not name or not name.strip():
            raise asset_error(Code.REQUIRED, "name is required")
        if parent_id is None:
            raise asset_error(Code.REQUIRED, "parentId is required")
        storable({"name": name, "description": description})
        shorter("name", name, LONGEST_NAME)
        shorter("description", description, LONGEST_DESCRIPTION)
        if not 0 < parent_id < 2**63:
            raise asset_error(Code.INVALID_VALUE, f"parentId is {parent_id}; there is no such category")
        try:
            category = await create_category(self._pool, call.account_id, parent_id, name, description)
        except CategoryNameTaken:
            raise ApiError(
                Code.ALREADY_EXISTS, f"category {parent_id} has already a category with name {name!r}"
            ) from None
        if category is None:
            raise asset_error(Code.INVALID_VALUE, f"parentId is {parent_id}; there is no such category")
        return Reply(_encode(_shown(category, call.account_id)), 201)


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
