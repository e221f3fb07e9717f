"""What each route takes and gives, for the OpenAPI document; the structs are those that requests are read with."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from postroom.api.asset_categories import CategoryBody
from postroom.api.legacy_token import RequestTokenBody, RequestTokenReply
from postroom.api.token import TokenBody
from postroom.api.wire.asset_queries import QueryBody
from postroom.api.wire.assets import AssetBody
from postroom.api.wire.definitions import DefinitionBody
from postroom.api.wire.messages import (
    Accepted,
    FinalStatus,
    ManyBody,
    NotSentList,
    OneBody,
    PartlyAccepted,
    QueuedStatus,
)
from postroom.catalog.sending_options import SendingOptions

Kind: TypeAlias = "type | Mapping[str, Any] | None"

_STRING = {"type": "string"}
_NUMBER = {"type": "integer"}
_OBJECT = {"type": "object"}
_FLAG = {"type": "boolean"}
_SEND_HEADERS = ("Idempotency-Key", "Postroom-Definition-Version")


class Shape(NamedTuple):
    """Request, replies by status, names in the query and headers; None stands for any JSON."""

    request: Kind = None
    replies: Mapping[int, Kind] = {200: None, 201: None, 202: None}
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    example: Any = None


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list_of(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def _ref(kind: type) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


_SUMMARY = _object(name=_STRING, definitionKey=_STRING, status=_STRING, createdDate=_STRING, modifiedDate=_STRING)
_DEFINITION = _object(
    requestId=_STRING,
    name=_STRING,
    definitionKey=_STRING,
    definitionId=_STRING,
    classification=_STRING,
    status={"enum": ["New", "Active", "Inactive"]},
    createdDate=_STRING,
    modifiedDate=_STRING,
    content=_object(customerKey=_STRING),
    subscriptions=_object(list=_STRING, autoAddSubscriber=_FLAG, updateSubscriber=_FLAG),
    options=_object(trackLinks=_FLAG),
    journey=_OBJECT,
)
# Not among the required: a definition without sending options is exactly the vendor's.
_DEFINITION = _DEFINITION | {"properties": {**_DEFINITION["properties"], "postroom": _ref(SendingOptions)}}
_ASSET = _object(
    id=_NUMBER,
    customerKey=_STRING,
    objectID=_STRING,
    assetType=_object(id=_NUMBER, name=_STRING, displayName=_STRING),
    name=_STRING,
    description=_STRING,
    createdDate=_STRING,
    modifiedDate=_STRING,
    views=_OBJECT,
)
_CATEGORY = _object(id=_NUMBER, name=_STRING, parentId=_NUMBER, categoryType=_STRING, description=_STRING)
_UNIT = _object(id=_NUMBER)
_ENDPOINT = _object(type=_STRING, url=_STRING)
_PAGE = ("$page", "$pageSize")


def _page_of(item: Mapping[str, Any]) -> dict[str, Any]:
    return _object(count=_NUMBER, page=_NUMBER, pageSize=_NUMBER, links=_OBJECT, items=_list_of(item))


_ACCEPTED = {202: {"anyOf": [_ref(PartlyAccepted), _ref(Accepted)]}}
# Their structs must be among the schemas; a status is one of two, and one of a send has a message or none.
_STATUS = {200: {"anyOf": [_ref(FinalStatus), _ref(QueuedStatus)]}}

_MESSAGES = "/messaging/v1/email/messages"
_DEFINITIONS = "/messaging/v1/email/definitions"
_ASSETS = "/asset/v1/content/assets"
_CATEGORIES = "/asset/v1/content/categories"

_RECIPIENT = {"contactKey": "ann", "to": "ann@example.org", "attributes": {"FirstName": "Ann"}}
_DEFINITION_EXAMPLE = {
    "definitionKey": "order",
    "name": "Order shipped",
    "status": "Active",
    "content": {"customerKey": "order-email"},
    "subscriptions": {"list": "All Subscribers"},
}
_ASSET_EXAMPLE = {
    "name": "Order email",
    "customerKey": "order-email",
    "assetType": {"id": 208, "name": "htmlemail"},
    "views": {"html": {"content": "<p>Hello %%FirstName%%</p>"}, "subjectline": {"content": "Your order"}},
}

SHAPES: Mapping[tuple[str, str], Shape] = {
    ("POST", _MESSAGES): Shape(
        ManyBody, _ACCEPTED, (), _SEND_HEADERS, {"definitionKey": "order", "recipients": [_RECIPIENT]}
    ),
    ("GET", _MESSAGES): Shape(None, {200: NotSentList}, ("type", "$pageSize", "lastEventId")),
    ("POST", _MESSAGES + "/{messageKey}"): Shape(
        OneBody, _ACCEPTED, (), _SEND_HEADERS, {"definitionKey": "order", "recipient": _RECIPIENT}
    ),
    ("GET", _MESSAGES + "/{messageKey}"): Shape(None, _STATUS),
    ("POST", _DEFINITIONS): Shape(DefinitionBody, {201: _DEFINITION}, example=_DEFINITION_EXAMPLE),
    ("GET", _DEFINITIONS): Shape(
        None,
        {
            200: _object(
                requestId=_STRING, definitions=_list_of(_SUMMARY), count=_NUMBER, page=_NUMBER, pageSize=_NUMBER
            )
        },
        ("$filter", "$orderBy", *_PAGE),
    ),
    ("GET", _DEFINITIONS + "/{definitionKey}"): Shape(None, {200: _DEFINITION}),
    ("PATCH", _DEFINITIONS + "/{definitionKey}"): Shape(
        DefinitionBody, {200: _DEFINITION}, example={"status": "Inactive"}
    ),
    ("DELETE", _DEFINITIONS + "/{definitionKey}"): Shape(
        None, {200: _object(requestId=_STRING, message=_STRING, deletedDefinitionKey=_STRING, journey=_OBJECT)}
    ),
    ("GET", _DEFINITIONS + "/{definitionKey}/queue"): Shape(
        None, {200: _object(requestId=_STRING, count=_NUMBER, ageSeconds=_NUMBER)}
    ),
    ("DELETE", _DEFINITIONS + "/{definitionKey}/queue"): Shape(
        None, {200: _object(requestId=_STRING, message=_STRING)}
    ),
    ("POST", _ASSETS): Shape(AssetBody, {201: _ASSET}, example=_ASSET_EXAMPLE),
    ("GET", _ASSETS): Shape(None, {200: _page_of(_OBJECT)}, ("$filter", "$orderBy", "$fields", *_PAGE)),
    ("POST", _ASSETS + "/query"): Shape(
        QueryBody,
        {200: _page_of(_OBJECT)},
        example={"query": {"property": "name", "simpleOperator": "like", "value": "Order"}},
    ),
    ("GET", _ASSETS + "/{id}"): Shape(None, {200: _ASSET}),
    ("PUT", _ASSETS + "/{id}"): Shape(AssetBody, {200: _ASSET}, example=_ASSET_EXAMPLE),
    ("PATCH", _ASSETS + "/{id}"): Shape(AssetBody, {200: _ASSET}, example={"name": "Order email 2"}),
    ("DELETE", _ASSETS + "/{id}"): Shape(None, {200: {"const": "OK"}}),
    ("GET", _ASSETS + "/{id}/channelviews/{view}"): Shape(None, {200: _object(compiled=_STRING)}),
    ("GET", _CATEGORIES): Shape(None, {200: _page_of(_CATEGORY)}, ("$filter", *_PAGE)),
    ("POST", _CATEGORIES): Shape(CategoryBody, {201: _CATEGORY}, example={"name": "Mails", "parentId": 1}),
    ("GET", _CATEGORIES + "/{id}"): Shape(None, {200: _CATEGORY}),
    ("GET", "/platform/v1/tokenContext"): Shape(None, {200: _object(enterprise=_UNIT, organization=_UNIT, user=_UNIT)}),
    ("GET", "/platform/v1/endpoints"): Shape(
        None, {200: _object(page=_NUMBER, pageSize=_NUMBER, count=_NUMBER, items=_list_of(_ENDPOINT))}
    ),
    ("GET", "/platform/v1/endpoints/{type}"): Shape(None, {200: _ENDPOINT}),
}

AUTH_SHAPES: Mapping[str, Shape] = {
    "/v2/token": Shape(
        TokenBody,
        {
            200: _object(
                access_token=_STRING,
                token_type=_STRING,
                expires_in=_NUMBER,
                scope=_STRING,
                soap_instance_url=_STRING,
                rest_instance_url=_STRING,
            )
        },
        example={"grant_type": "client_credentials", "client_id": "…", "client_secret": "…"},
    ),
    "/v2/userinfo": Shape(None, {200: _object(exp=_NUMBER, iss=_STRING, user=_OBJECT, organization=_OBJECT)}),
    "/v2/discovery": Shape(None, {200: _object(subject=_STRING, links=_list_of(_object(rel=_STRING, href=_STRING)))}),
    "/v1/requestToken": Shape(RequestTokenBody, {200: RequestTokenReply}, ("legacy",)),
}

REPLY_STRUCTS: tuple[type, ...] = (Accepted, PartlyAccepted, FinalStatus, QueuedStatus)
"""Structs that replies refer to from within other schemas."""
