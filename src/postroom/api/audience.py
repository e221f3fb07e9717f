"""Contacts (contract §7.3), and Postroom's own routes for contacts, lists, profile attributes and classifications.

The vendor offers the latter only in its web application or by SOAP.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NoReturn

import msgspec
from uuid_utils.compat import uuid7

from postroom.api.definitions import HIGHEST_PAGE, number_field
from postroom.api.endpoint import Call
from postroom.api.errors import ApiError, Code
from postroom.api.reply import Reply
from postroom.api.shape import AllOf, Listing, Route
from postroom.api.shapes import audience as shapes
from postroom.api.times import fine_time
from postroom.api.wire.audience import (
    LONGEST_KEY,
    FoundAddress,
    FoundAddresses,
    FoundKey,
    ShownAttribute,
    ShownClassification,
    ShownList,
    ShownMember,
    WrittenContact,
    read_classification,
    read_contact,
    read_list_name,
    read_member_status,
    read_own_contact,
    read_search,
    required_key,
    shown_classification,
    shown_contact,
    shown_list,
    shown_member,
)
from postroom.audience.directory import (
    AttributeUnknown,
    ContactHeld,
    ContactTaken,
    StoredContact,
    change_contact,
    create_contact,
    declare_attribute,
    declared_attributes,
    find_contact,
    search_addresses,
)
from postroom.audience.memberships import (
    ListInUse,
    ListTaken,
    MailingList,
    create_list,
    delete_list,
    get_list,
    page_lists,
    page_members,
    remove_member,
    set_member,
)
from postroom.catalog.classifications import find_classification, list_classifications, store_classification
from postroom.store.database import Pool

DEFAULT_PAGE_SIZE = 50
LARGEST_PAGE_SIZE = 1000

READ = frozenset({"audiences_read", "list_and_subscribers_read"})
WRITE = frozenset({"audiences_write", "list_and_subscribers_write"})
SEND_READ = frozenset({"email_read"})
SEND_WRITE = frozenset({"email_write"})

_encode = msgspec.json.Encoder().encode


class Audience:
    """The handlers. ``clock`` gives seconds since the epoch."""

    def __init__(self, pool: Pool, *, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._clock = clock

    def routes(self) -> list[Route]:
        """Every route with its scopes."""
        own = "/postroom/v1"
        contact, lists, member = own + "/contacts/{key}", own + "/lists", own + "/lists/{id}/members/{key}"
        kinds, attributes = own + "/classifications", own + "/profile-attributes"
        return [
            Route("POST", "/contacts/v1/contacts", WRITE, self.create, shapes.CREATE),
            Route("PATCH", "/contacts/v1/contacts", WRITE, self.change, shapes.CHANGE),
            Route("POST", "/contacts/v1/addresses/email/search", READ, self.search, shapes.SEARCH),
            Route("GET", contact, READ, self.get, shapes.GET),
            Route("PATCH", contact, WRITE, self.change_own, shapes.CHANGE_OWN),
            Route("DELETE", contact, WRITE, self.delete, shapes.DELETE),
            Route("GET", lists, READ, self.lists, shapes.LISTS),
            Route("POST", lists, WRITE, self.create_list, shapes.CREATE_LIST),
            Route("DELETE", lists + "/{id}", WRITE, self.delete_list, shapes.DELETE_LIST),
            Route("GET", lists + "/{id}/members", READ, self.members, shapes.MEMBERS),
            Route("PUT", member, WRITE, self.set_member, shapes.SET_MEMBER),
            Route("DELETE", member, WRITE, self.remove_member, shapes.REMOVE_MEMBER),
            Route("GET", attributes, READ, self.attributes, shapes.ATTRIBUTES),
            Route("PUT", attributes + "/{name}", WRITE, self.declare, shapes.DECLARE),
            Route("GET", kinds, SEND_READ, self.classifications, shapes.CLASSIFICATIONS),
            Route("GET", kinds + "/{key}", SEND_READ, self.classification, shapes.CLASSIFICATION),
            Route("PUT", kinds + "/{key}", SEND_WRITE, self.store_classification, shapes.STORE_CLASSIFICATION),
        ]

    # -- the vendor's

    async def create(self, call: Call) -> Reply:
        """POST /contacts/v1/contacts."""
        body = read_contact(await call.json_body())
        if body.address is None:
            raise ApiError(Code.REQUIRED, 'attributeSets must hold a value named "Email Address"')
        try:
            contact = await create_contact(self._pool, call.account_id, body.contact_key, body.address, body.profile)
        except ContactTaken:
            raise ApiError(
                Code.ALREADY_EXISTS, f"there is already a contact with key {body.contact_key[:100]!r}"
            ) from None
        except AttributeUnknown as unknown:
            _undeclared(unknown)
        return Reply(self._written(contact, new=True), 201)

    async def change(self, call: Call) -> Reply:
        """PATCH /contacts/v1/contacts."""
        body = read_contact(await call.json_body())
        contact = await self._change(
            call.account_id, body.contact_key, address=body.address, profile=body.profile, status=None
        )
        return Reply(self._written(contact, new=False))

    async def search(self, call: Call) -> Reply:
        """POST /contacts/v1/addresses/email/search."""
        addresses, most = read_search(await call.json_body())
        found = await search_addresses(self._pool, call.account_id, addresses, most=most)
        entities = [
            FoundAddress(
                [FoundKey(each.contact_key, fine_time(each.created_at)) for each in found if each.wanted == address],
                address,
            )
            for address in dict.fromkeys(addresses)
        ]
        return Reply(_encode(FoundAddresses(entities, str(uuid7()), [], str(uuid7()))))

    # -- contacts

    async def get(self, call: Call) -> Reply:
        """GET /postroom/v1/contacts/{key}; a deleted one is shown with that status."""
        return Reply(_encode(shown_contact(await self._contact(call, call.key("key")))))

    async def change_own(self, call: Call) -> Reply:
        """PATCH /postroom/v1/contacts/{key}."""
        address, status, profile = read_own_contact(await call.json_body())
        contact = await self._change(call.account_id, call.key("key"), address=address, profile=profile, status=status)
        return Reply(_encode(shown_contact(contact)))

    async def delete(self, call: Call) -> Reply:
        """DELETE /postroom/v1/contacts/{key}: what is sent to it ends with code 40 until it is created anew."""
        contact = await self._change(call.account_id, call.key("key"), address=None, profile={}, status="Deleted")
        return Reply(_encode(shown_contact(contact)))

    # -- lists

    async def lists(self, call: Call) -> Reply:
        """GET /postroom/v1/lists."""
        page, page_size = _page(call)
        found = await page_lists(self._pool, call.account_id, page=page, page_size=page_size)
        items = [shown_list(each) for each in found]
        return Reply(_encode(Listing[ShownList](items, len(items), page, page_size)))

    async def create_list(self, call: Call) -> Reply:
        """POST /postroom/v1/lists."""
        name = read_list_name(await call.json_body())
        try:
            made = await create_list(self._pool, call.account_id, name)
        except ListTaken:
            raise ApiError(Code.ALREADY_EXISTS, f"there is already a list called {name!r}") from None
        return Reply(_encode(shown_list(made)), 201)

    async def delete_list(self, call: Call) -> Reply:
        """DELETE /postroom/v1/lists/{id}."""
        found = await self._list(call)
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await delete_list(connection, call.account_id, found)
        except ListInUse as used:
            raise ApiError(Code.INVALID_OPERATION, str(used)) from None
        return Reply(b'"OK"')

    async def members(self, call: Call) -> Reply:
        """GET /postroom/v1/lists/{id}/members."""
        page, page_size = _page(call)
        found = await self._list(call)
        members = await page_members(self._pool, call.account_id, found, page=page, page_size=page_size)
        items = [shown_member(each) for each in members]
        return Reply(_encode(Listing[ShownMember](items, len(items), page, page_size)))

    async def set_member(self, call: Call) -> Reply:
        """PUT /postroom/v1/lists/{id}/members/{key}: on All Subscribers the status is the contact's own."""
        status = read_member_status(await call.json_body())
        found = await self._list(call)
        contact = await self._contact(call, call.key("key", 1))
        if contact.status == "Deleted":
            raise _unknown_contact(contact.contact_key)
        if found.everyone:
            await self._change(call.account_id, contact.contact_key, address=None, profile={}, status=status)
        else:
            await set_member(self._pool, call.account_id, found.list_id, contact.contact_id, status)
        return Reply(_encode(ShownMember(contact.contact_key, contact.address, status)))

    async def remove_member(self, call: Call) -> Reply:
        """DELETE /postroom/v1/lists/{id}/members/{key}."""
        found = await self._list(call)
        contact = await self._contact(call, call.key("key", 1))
        if found.everyone:
            raise ApiError(Code.INVALID_OPERATION, "nobody leaves All Subscribers; delete the contact instead")
        if not await remove_member(self._pool, call.account_id, found.list_id, contact.contact_id):
            raise ApiError(Code.NOT_FOUND, f"the contact {contact.contact_key[:100]!r} is not on the list")
        return Reply(b'"OK"')

    # -- profile attributes

    async def attributes(self, call: Call) -> Reply:
        """GET /postroom/v1/profile-attributes."""
        names = await declared_attributes(self._pool, call.account_id)
        return Reply(_encode(AllOf[ShownAttribute]([ShownAttribute(name) for name in names], len(names))))

    async def declare(self, call: Call) -> Reply:
        """PUT /postroom/v1/profile-attributes/{name}: what sends carry under this name is kept from now on."""
        name = required_key("the name in the path", call.key("name"), 128).strip()
        async with self._pool.acquire() as connection, connection.transaction():
            await declare_attribute(connection, call.account_id, name)
        return Reply(_encode(ShownAttribute(name)))

    # -- classifications

    async def classifications(self, call: Call) -> Reply:
        """GET /postroom/v1/classifications."""
        found = await list_classifications(self._pool, call.account_id)
        items = [shown_classification(each) for each in found]
        return Reply(_encode(AllOf[ShownClassification](items, len(items))))

    async def classification(self, call: Call) -> Reply:
        """GET /postroom/v1/classifications/{key}."""
        key = call.key("key")
        found = await find_classification(self._pool, call.account_id, key)
        if found is None:
            raise ApiError(Code.NOT_FOUND, f"there is no classification with key {key[:LONGEST_KEY]!r}")
        return Reply(_encode(shown_classification(found)))

    async def store_classification(self, call: Call) -> Reply:
        """PUT /postroom/v1/classifications/{key}: definitions take it up when they are published the next time."""
        wanted = read_classification(await call.json_body(), call.key("key"))
        stored = await find_classification(self._pool, call.account_id, wanted.key)
        if stored is not None:
            # The key in another case is the same classification; it keeps its spelling.
            wanted = replace(wanted, key=stored.key)
        await store_classification(self._pool, call.account_id, wanted)
        return Reply(_encode(shown_classification(wanted)), 201 if stored is None else 200)

    # -- what all share

    def _written(self, contact: StoredContact, *, new: bool) -> bytes:
        now = fine_time(datetime.fromtimestamp(self._clock(), UTC))
        ids = str(uuid7()), str(uuid7())
        return _encode(WrittenContact(contact.contact_key, contact.contact_id, new, ids[0], now, False, [], ids[1]))

    async def _change(self, account_id: int, contact_key: str, **change: Any) -> StoredContact:
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                contact = await change_contact(connection, account_id, contact_key, **change)
        except AttributeUnknown as unknown:
            _undeclared(unknown)
        except ContactHeld as held:
            raise ApiError(
                Code.STATE_TRANSITION,
                f"the contact is held because {str(held)[:100]!r} is suppressed; release the address with DELETE "
                "/postroom/v1/suppressions?address=",
            ) from None
        if contact is None:
            raise _unknown_contact(contact_key)
        return contact

    async def _contact(self, call: Call, contact_key: str) -> StoredContact:
        contact = await find_contact(self._pool, call.account_id, contact_key)
        if contact is None:
            raise _unknown_contact(contact_key)
        return contact

    async def _list(self, call: Call) -> MailingList:
        text = call.key("id")
        number = int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
        found = None if number is None else await get_list(self._pool, call.account_id, number)
        if found is None:
            raise ApiError(Code.NOT_FOUND, f"there is no list with id {text[:50]!r}")
        return found


def _page(call: Call) -> tuple[int, int]:
    page = number_field(call.query, "page", default=1, highest=HIGHEST_PAGE)
    return page, number_field(call.query, "pagesize", default=DEFAULT_PAGE_SIZE, highest=LARGEST_PAGE_SIZE)


def _undeclared(unknown: AttributeUnknown) -> NoReturn:
    name = str(unknown)[:100]
    raise ApiError(
        Code.INVALID_VALUE,
        f"{name!r} is no profile attribute; declare it with PUT /postroom/v1/profile-attributes/{{name}}",
    ) from None


def _unknown_contact(contact_key: str) -> ApiError:
    return ApiError(Code.NOT_FOUND, f"there is no contact with key {contact_key[:100]!r}")
