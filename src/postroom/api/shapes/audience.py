"""Shapes of the contact, list, profile attribute and classification routes."""

from postroom.api.errors import Code
from postroom.api.shape import PAGE, AllOf, Listing, Shape
from postroom.api.wire.audience import (
    FoundAddresses,
    ShownAttribute,
    ShownClassification,
    ShownContact,
    ShownList,
    ShownMember,
    WireAddressSearch,
    WireClassification,
    WireContact,
    WireList,
    WireMember,
    WireOwnContact,
    WrittenContact,
)

_ID, _OTHER_ID = "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d17", "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d18"
_TIME = "2026-01-05T09:00:00.000"
_WRITE_EXAMPLE = {
    "contactKey": "ann",
    "attributeSets": [
        {"name": "Email Addresses", "items": [{"values": [{"name": "Email Address", "value": "ann@example.org"}]}]}
    ],
}
_WRITTEN = {
    "contactKey": "ann",
    "contactID": 23,
    "isNewContactKey": True,
    "requestServiceMessageID": _ID,
    "responseDateTime": _TIME,
    "hasErrors": False,
    "resultMessages": [],
    "serviceMessageID": _OTHER_ID,
}
_CONTACT = {
    "contactKey": "ann",
    "contactId": 23,
    "address": "ann@example.org",
    "status": "Active",
    "attributes": {"FirstName": "Ann"},
    "createdDate": _TIME,
    "modifiedDate": _TIME,
}
_LIST = {"id": 2, "name": "Newsletter", "key": "Newsletter - 2"}
_MEMBER = {"contactKey": "ann", "address": "ann@example.org", "status": "Active"}
_CLASSIFICATION_BODY = {
    "name": "Shop mail",
    "type": "transactional",
    "senderProfile": {"fromName": "The Shop", "fromAddress": "shop@example.org", "replyTo": ""},
    "deliveryProfile": {"blockUnsubscribed": False},
}
_CLASSIFICATION = {"key": "shop"} | _CLASSIFICATION_BODY

CREATE = Shape(
    WireContact,
    {201: WrittenContact},
    (Code.REQUIRED, Code.ALREADY_EXISTS),
    required=("contactKey", "attributeSets"),
    example=_WRITE_EXAMPLE,
    answer=_WRITTEN,
)
CHANGE = Shape(
    WireContact,
    {200: WrittenContact},
    (Code.REQUIRED, Code.NOT_FOUND),
    required=("contactKey",),
    example=_WRITE_EXAMPLE,
    answer=_WRITTEN | {"isNewContactKey": False},
)
SEARCH = Shape(
    WireAddressSearch,
    {200: FoundAddresses},
    (Code.REQUIRED,),
    required=("ChannelAddressList",),
    example={"ChannelAddressList": ["ann@example.org"], "MaximumCount": 1},
    answer={
        "channelAddressResponseEntities": [
            {"contactKeyDetails": [{"contactKey": "ann", "createDate": _TIME}], "channelAddress": "ann@example.org"}
        ],
        "requestServiceMessageID": _ID,
        "resultMessages": [],
        "serviceMessageID": _OTHER_ID,
    },
)

GET = Shape(replies={200: ShownContact}, errors=(Code.NOT_FOUND,), answer=_CONTACT)
CHANGE_OWN = Shape(
    WireOwnContact,
    {200: ShownContact},
    (Code.NOT_FOUND, Code.STATE_TRANSITION),
    example={"status": "Unsubscribed", "attributes": {"FirstName": "Ann"}},
    answer=_CONTACT | {"status": "Unsubscribed"},
)
DELETE = Shape(replies={200: ShownContact}, errors=(Code.NOT_FOUND,), answer=_CONTACT | {"status": "Deleted"})

LISTS = Shape(
    replies={200: Listing[ShownList]},
    query=PAGE,
    answer={"items": [_LIST], "count": 1, "page": 1, "pageSize": 50},
)
CREATE_LIST = Shape(
    WireList,
    {201: ShownList},
    (Code.REQUIRED, Code.ALREADY_EXISTS),
    required=("name",),
    example={"name": "Newsletter"},
    answer=_LIST,
)
DELETE_LIST = Shape(replies={200: {"const": "OK"}}, errors=(Code.NOT_FOUND, Code.INVALID_OPERATION), answer="OK")
MEMBERS = Shape(
    replies={200: Listing[ShownMember]},
    errors=(Code.NOT_FOUND,),
    query=PAGE,
    answer={"items": [_MEMBER], "count": 1, "page": 1, "pageSize": 50},
)
SET_MEMBER = Shape(
    WireMember,
    {200: ShownMember},
    (Code.NOT_FOUND, Code.STATE_TRANSITION),
    example={"status": "Active"},
    answer=_MEMBER,
)
REMOVE_MEMBER = Shape(replies={200: {"const": "OK"}}, errors=(Code.NOT_FOUND, Code.INVALID_OPERATION), answer="OK")

ATTRIBUTES = Shape(replies={200: AllOf[ShownAttribute]}, answer={"items": [{"name": "FirstName"}], "count": 1})
DECLARE = Shape(replies={200: ShownAttribute}, errors=(Code.REQUIRED,), answer={"name": "FirstName"})

CLASSIFICATIONS = Shape(replies={200: AllOf[ShownClassification]}, answer={"items": [_CLASSIFICATION], "count": 1})
CLASSIFICATION = Shape(replies={200: ShownClassification}, errors=(Code.NOT_FOUND,), answer=_CLASSIFICATION)
STORE_CLASSIFICATION = Shape(
    WireClassification,
    {200: ShownClassification, 201: ShownClassification},
    (Code.REQUIRED,),
    example=_CLASSIFICATION_BODY,
    answer=_CLASSIFICATION,
)
