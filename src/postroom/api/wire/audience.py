"""Contacts, lists and classifications on the wire (contract §7.3; the rest is Postroom's own)."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from postroom.api.errors import ApiError, Code
from postroom.api.times import fine_time
from postroom.api.wire.decoding import decode, refuse_token_in, shorter, storable
from postroom.audience.contacts import ContactStatus
from postroom.audience.directory import StoredContact
from postroom.audience.memberships import MailingList, Member
from postroom.catalog.classifications import Classification
from postroom.catalog.lists import list_key
from postroom.content.address import parse_address
from postroom.content.attributes import fold_name

LONGEST_CONTACT_KEY = 254
LONGEST_LIST_NAME = 100
LONGEST_KEY = 36
MOST_ADDRESSES = 100
_LONGEST_VALUE = 4_000

_ADDRESS_NAMES = frozenset({"email address", "emailaddress", "email", "email_address"})
_IGNORED = frozenset({"html enabled", "htmlenabled", "status", "contact key", "contactkey", "contact id"})
_STATUSES: Mapping[str, ContactStatus] = {
    "active": "Active",
    "bounced": "Bounced",
    "held": "Held",
    "unsubscribed": "Unsubscribed",
}


class WireValue(msgspec.Struct):
    name: str | None = None
    value: str | int | float | bool | None = None


class WireItem(msgspec.Struct):
    values: list[WireValue] = []


class WireAttributeSet(msgspec.Struct):
    name: str | None = None
    items: list[WireItem] = []


class WireContact(msgspec.Struct, rename="camel"):
    contact_key: str | None = None
    attribute_sets: list[WireAttributeSet] | None = None


class WireAddressSearch(msgspec.Struct, rename="pascal"):
    channel_address_list: list[str] | None = None
    maximum_count: int | None = None


class WireOwnContact(msgspec.Struct, rename="camel"):
    address: str | None = None
    status: str | None = None
    attributes: dict[str, str | int | float | bool | None] | None = None


class WireList(msgspec.Struct):
    name: str | None = None


class WireMember(msgspec.Struct):
    status: str | None = None


class WireSenderProfile(msgspec.Struct, rename="camel"):
    from_name: str = ""
    from_address: str = ""
    reply_to: str = ""


class WireDeliveryProfile(msgspec.Struct, rename="camel"):
    block_unsubscribed: bool = False


class WireClassification(msgspec.Struct, rename="camel"):
    name: str | None = None
    type: Literal["transactional", "commercial"] = "transactional"
    sender_profile: WireSenderProfile | None = None
    delivery_profile: WireDeliveryProfile | None = None


class WrittenContact(msgspec.Struct, rename="camel"):
    """The reply of a contact call."""

    contact_key: str
    contact_id: int = msgspec.field(name="contactID")
    is_new_contact_key: bool
    request_service_message_id: str = msgspec.field(name="requestServiceMessageID")
    response_date_time: str
    has_errors: bool
    result_messages: list[str]
    service_message_id: str = msgspec.field(name="serviceMessageID")


class FoundKey(msgspec.Struct, rename="camel"):
    """A contact that has an address."""

    contact_key: str
    create_date: str


class FoundAddress(msgspec.Struct, rename="camel"):
    """An address that was looked for."""

    contact_key_details: list[FoundKey]
    channel_address: str


class FoundAddresses(msgspec.Struct, rename="camel"):
    """The reply of an address search, in the order of the request."""

    channel_address_response_entities: list[FoundAddress]
    request_service_message_id: str = msgspec.field(name="requestServiceMessageID")
    result_messages: list[str]
    service_message_id: str = msgspec.field(name="serviceMessageID")


class ShownContact(msgspec.Struct, rename="camel"):
    """A contact as Postroom's own routes show it."""

    contact_key: str
    contact_id: int
    address: str
    status: ContactStatus
    attributes: Mapping[str, Any]
    created_date: str
    modified_date: str


class ShownList(msgspec.Struct):
    """A list; ``key`` is what a definition names."""

    id: int
    name: str
    key: str


class ShownMember(msgspec.Struct, rename="camel"):
    """A contact on a list."""

    contact_key: str
    address: str
    status: ContactStatus


class ShownAttribute(msgspec.Struct):
    """A declared profile attribute."""

    name: str


class ShownClassification(msgspec.Struct, rename="camel"):
    """A classification with its profiles."""

    key: str
    name: str
    type: Literal["transactional", "commercial"]
    sender_profile: WireSenderProfile
    delivery_profile: WireDeliveryProfile


_contact = msgspec.json.Decoder(WireContact)
_search = msgspec.json.Decoder(WireAddressSearch)
_own_contact = msgspec.json.Decoder(WireOwnContact)
_list = msgspec.json.Decoder(WireList)
_member = msgspec.json.Decoder(WireMember)
_classification = msgspec.json.Decoder(WireClassification)


class ContactBody(msgspec.Struct, frozen=True):
    """What a contact call says: values that have a name of the address are the address, all others the profile."""

    contact_key: str
    address: str | None
    profile: dict[str, object]


def read_contact(body: bytes) -> ContactBody:
    """The body of POST and PATCH /contacts. Raises ApiError naming the field."""
    wire = decode(_contact, body)
    refuse_token_in(body)
    contact_key = required_key("contactKey", wire.contact_key)
    address: str | None = None
    profile: dict[str, object] = {}
    for place, group in enumerate(wire.attribute_sets or ()):
        for value in (value for item in group.items for value in item.values):
            field = f"attributeSets[{place}]"
            if not value.name or not value.name.strip():
                raise ApiError(Code.REQUIRED, f"{field}: every value needs a name")
            folded = fold_name(value.name)
            if folded in _ADDRESS_NAMES:
                address = checked_address(f"{field}: {value.name}", str(value.value or ""))
            elif folded not in _IGNORED:
                profile[value.name] = _profile_value(f"{field}: {value.name}", value.value)
    return ContactBody(contact_key, address, profile)


def read_own_contact(body: bytes) -> tuple[str | None, ContactStatus | None, dict[str, object]]:
    """Address, status and attributes of a PATCH of Postroom's own. Raises ApiError."""
    wire = decode(_own_contact, body)
    refuse_token_in(body)
    address = None if wire.address is None else checked_address("address", wire.address)
    profile = {name: _profile_value(f"attributes.{name}", value) for name, value in (wire.attributes or {}).items()}
    return address, None if wire.status is None else contact_status(wire.status), profile


def read_search(body: bytes) -> tuple[list[str], int]:
    """The addresses and how many contacts of each are wanted. Raises ApiError."""
    wire = decode(_search, body)
    refuse_token_in(body)
    addresses = wire.channel_address_list
    if not addresses:
        raise ApiError(Code.REQUIRED, "ChannelAddressList is required: at least one address")
    if len(addresses) > MOST_ADDRESSES:
        raise ApiError(
            Code.INVALID_VALUE, f"ChannelAddressList holds {len(addresses)}; at most {MOST_ADDRESSES} are allowed"
        )
    storable({f"ChannelAddressList[{place}]": address for place, address in enumerate(addresses)})
    most = 1 if wire.maximum_count is None else wire.maximum_count
    if not 1 <= most <= MOST_ADDRESSES:
        raise ApiError(Code.INVALID_VALUE, f"MaximumCount is {most}; it must be from 1 to {MOST_ADDRESSES}")
    return addresses, most


def read_list_name(body: bytes) -> str:
    """The name of a new list. Raises ApiError."""
    wire = decode(_list, body)
    refuse_token_in(body)
    storable({"name": wire.name})
    if not wire.name or not wire.name.strip():
        raise ApiError(Code.REQUIRED, "name is required")
    shorter("name", wire.name, LONGEST_LIST_NAME)
    return wire.name.strip()


def read_member_status(body: bytes) -> ContactStatus:
    """The status of a member; Active when the body names none. Raises ApiError."""
    wire = decode(_member, body)
    refuse_token_in(body)
    return "Active" if wire.status is None else contact_status(wire.status)


def read_classification(body: bytes, key: str) -> Classification:
    """The classification a PUT asks for. Raises ApiError."""
    wire = decode(_classification, body)
    refuse_token_in(body)
    sender = wire.sender_profile or WireSenderProfile()
    delivery = wire.delivery_profile or WireDeliveryProfile()
    required_key("the key in the path", key, LONGEST_KEY)
    texts = {
        "name": wire.name,
        "senderProfile.fromName": sender.from_name,
        "senderProfile.fromAddress": sender.from_address,
        "senderProfile.replyTo": sender.reply_to,
    }
    storable(texts)
    for field, text in texts.items():
        shorter(field, text or "", _LONGEST_VALUE if "%%" in (text or "") else 254)
        if any(ord(character) < 32 for character in text or ""):
            raise ApiError(Code.INVALID_VALUE, f"{field} must not hold control characters")
    for field in ("senderProfile.fromAddress", "senderProfile.replyTo"):
        text = texts[field] or ""
        if text and "%%" not in text:
            checked_address(field, text)
    return Classification(
        key=key,
        transactional=wire.type == "transactional",
        from_name=sender.from_name,
        from_address=sender.from_address,
        reply_to=sender.reply_to,
        name=wire.name or key,
        block_unsubscribed=delivery.block_unsubscribed,
    )


def required_key(field: str, text: str | None, longest: int = LONGEST_CONTACT_KEY) -> str:
    """A key as a client gives it. Raises ApiError."""
    if text is None or not text.strip():
        raise ApiError(Code.REQUIRED, f"{field} is required")
    storable({field: text})
    shorter(field, text, longest)
    return text


def contact_status(text: str) -> ContactStatus:
    """A status in any case. Raises ApiError."""
    found = _STATUSES.get(text.lower())
    if found is None:
        raise ApiError(
            Code.INVALID_VALUE, f"status is {text[:50]!r}; it must be one of {', '.join(_STATUSES.values())}"
        )
    return found


def checked_address(field: str, text: str) -> str:
    """An email address. Raises ApiError."""
    if parse_address(text) is None:
        raise ApiError(Code.INVALID_VALUE, f"{field}: {text[:100]!r} is not an email address")
    return text


def shown_contact(contact: StoredContact) -> ShownContact:
    """A contact as Postroom's own routes show it."""
    return ShownContact(
        contact.contact_key,
        contact.contact_id,
        contact.address,
        contact.status,
        contact.profile,
        fine_time(contact.created_at),
        fine_time(contact.modified_at),
    )


def shown_list(found: MailingList) -> ShownList:
    """A list with the key that definitions name."""
    return ShownList(found.list_id, found.name, list_key(found.name, found.list_id))


def shown_member(member: Member) -> ShownMember:
    """A contact on a list."""
    return ShownMember(member.contact_key, member.address, member.status)


def shown_classification(found: Classification) -> ShownClassification:
    """A classification with its profiles."""
    return ShownClassification(
        found.key,
        found.name,
        "transactional" if found.transactional else "commercial",
        WireSenderProfile(found.from_name, found.from_address, found.reply_to),
        WireDeliveryProfile(found.block_unsubscribed),
    )


def _profile_value(field: str, value: object) -> object:
    if isinstance(value, str):
        storable({field: value})
        shorter(field, value, _LONGEST_VALUE)
    return value
