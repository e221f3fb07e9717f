"""Every error that the document lists for a route is answered by it: status, errorcode, message, and nothing stored.

What holds for all routes alike is tried on each; all others are rows of `ROWS`, and none that is listed for a route of
the vendor may be missing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from tests.wire.examples import example_body, example_path, make_examples
from tests.wire.live import LiveApi, Unit

from postroom.api.errors import Code
from postroom.intake.request import RecipientError

GATEWAY = "https://developer.salesforce.com/docs/atlas.en-us.mc-apis.meta/mc-apis/error-handling.htm"
DEFINITIONS, MESSAGES = "/messaging/v1/email/definitions", "/messaging/v1/email/messages"
ASSETS, CATEGORIES = "/asset/v1/content/assets", "/asset/v1/content/categories"
OWN, ENS, LEGACY = "/postroom/v1", "/platform/v1/ens-", "/messaging/v1/messageDefinitionSends/{id}"
OBJECTS, EVENTS, ASYNC = "/data/v1/customobjects", "/hub/v1/dataevents/{id}", "/data/v1/async"
LATER, FIELDS = "/hub/v1/dataeventsasync/{id}", "/data/v1/customobjectsasync/{id}/fields"
DATA = "/data/v1/customobjectdata"
NOBODY = "019b2f5e-0000-7000-8000-000000000000"
ANN = {"contactKey": "ann", "to": "ann@example.org"}
CALLBACK, IN_USE = "019b2f5e-0000-7000-8000-000000000001", "019b2f5e-0000-7000-8000-000000000002"
SUBSCRIPTION = "019b2f5e-0000-7000-8000-000000000003"
TAKEN = {"subscriptionId": SUBSCRIPTION, "subscriptionName": "b"}
SENT = "TransactionalSendEvents.EmailSent"

# Tried elsewhere: test_client_rules, test_idempotency, test_database_away.
ELSEWHERE = {"RATE_LIMIT", "ONCE_IN_FLIGHT", "INTERNAL", "UNAVAILABLE"}
ON_EVERY_ROUTE = {
    *("NOT_AUTHORIZED", "TOKEN_IN_URL", "TOKEN_IN_BODY", "INSUFFICIENT_PRIVILEGES", "METHOD_NOT_ALLOWED"),
    *("ROUTE_UNKNOWN", "MEDIA_TYPE", "BODY_TOO_LARGE", "UNPARSEABLE", "WRONG_TYPE"),
}


class Row(NamedTuple):
    """One request that is refused. What is not given is the document's example."""

    route: str
    error: Code | RecipientError
    body: Any = None
    keys: Mapping[str, str] = MappingProxyType({})
    query: str = ""
    headers: Mapping[str, str] = MappingProxyType({})


def definition(**change: Any) -> dict[str, Any]:
    """A definition that could be made, but for the change."""
    body: dict[str, Any] = {
        "definitionKey": "new",
        "name": "New",
        "content": {"customerKey": "order-email"},
        "subscriptions": {"list": "All Subscribers"},
    }
    return body | change


def subscriptions(**change: Any) -> dict[str, Any]:
    """The subscriptions of a definition."""
    return {"subscriptions": {"list": "All Subscribers"} | change}


def recipient(**change: Any) -> dict[str, Any]:
    """A single send that could be accepted, but for the change."""
    return {"definitionKey": "order", "recipient": ANN | change}


def subscription(**change: Any) -> list[dict[str, Any]]:
    """A subscription that could be made, but for the change."""
    body = {"callbackId": IN_USE, "subscriptionName": "new", "eventCategoryTypes": [SENT]}
    return [body | change]


def unknown(*routes: str, **keys: str) -> list[Row]:
    """404 30003 on each route, of a key that nothing has."""
    return [Row(route, Code.NOT_FOUND, keys=keys) for route in routes]


SEND_ONE = f"POST {MESSAGES}/{{messageKey}}"
NEW_KEY = {"messageKey": "another"}
CREATE, CHANGE = f"POST {DEFINITIONS}", f"PATCH {DEFINITIONS}/{{definitionKey}}"
_SEND_ROWS = [
    Row(f"POST {MESSAGES}", Code.REQUIRED_DEFINITION_KEY, {"recipients": [{}]}),
    Row(f"POST {MESSAGES}", Code.INVALID_DEFINITION_KEY, {"definitionKey": "none", "recipients": [ANN]}),
    Row(f"POST {MESSAGES}", Code.UNKNOWN_FIELD, {"definitionKey": "order", "recipient": {}}),
    Row(f"POST {MESSAGES}", Code.BAD_FORMAT, headers={"Idempotency-Key": "a b"}),
    Row(f"POST {MESSAGES}", Code.BAD_FORMAT, headers={"Postroom-Definition-Version": "new"}),
    Row(f"POST {MESSAGES}", Code.NO_SUBSCRIBERS, {"definitionKey": "order", "recipients": []}),
    Row(f"POST {MESSAGES}", Code.NO_VALID_SUBSCRIBERS, {"definitionKey": "order", "recipients": [{"to": "x"}]}),
    Row(f"POST {MESSAGES}", Code.TOO_MANY_SUBSCRIBERS, {"definitionKey": "order", "recipients": [{}] * 2001}),
    Row(f"POST {MESSAGES}", Code.INVALID_VALUE, {"definitionKey": "a\0", "recipients": [{}]}),
    Row(f"POST {MESSAGES}", Code.INVALID_VALUE, headers={"Postroom-Definition-Version": "999999"}),
    Row(f"POST {MESSAGES}", Code.ONCE_KEY_REUSED, headers={"Idempotency-Key": "once"}),
    Row(SEND_ONE, Code.REQUIRED_DEFINITION_KEY, {"recipient": {}}),
    Row(SEND_ONE, Code.INVALID_DEFINITION_KEY, recipient() | {"definitionKey": "none"}),
    Row(SEND_ONE, Code.UNKNOWN_FIELD, {"definitionKey": "order", "recipients": []}),
    Row(SEND_ONE, Code.BAD_FORMAT, headers={"Idempotency-Key": "k" * 256}),
    Row(SEND_ONE, Code.NO_SUBSCRIBERS, {"definitionKey": "order"}),
    Row(SEND_ONE, Code.INVALID_VALUE, keys={"messageKey": "%00"}),
    Row(SEND_ONE, Code.ONCE_KEY_REUSED, headers={"Idempotency-Key": "once"}),
    Row(SEND_ONE, RecipientError.MISSING_SUBSCRIBER_KEY, recipient(contactKey=None), NEW_KEY),
    Row(SEND_ONE, RecipientError.MISSING_TO, recipient(to=None), NEW_KEY),
    Row(SEND_ONE, RecipientError.INVALID_TO, recipient(to="nobody"), NEW_KEY),
    Row(SEND_ONE, RecipientError.INVALID_SUBSCRIBER_KEY, recipient(contactKey="k" * 255), NEW_KEY),
    Row(SEND_ONE, RecipientError.INVALID_MESSAGE_KEY, recipient(), {"messageKey": "k" * 101}),
    Row(SEND_ONE, RecipientError.DUPLICATE_MESSAGE_KEY, recipient()),
    Row(f"GET {MESSAGES}", Code.REQUIRED),
    Row(f"GET {MESSAGES}", Code.INVALID_VALUE, query="type=sent"),
    Row(f"GET {MESSAGES}", Code.INVALID_VALUE, query="type=notSent&lastEventId=-1"),
    *unknown(f"GET {MESSAGES}/{{messageKey}}", messageKey="none"),
]
_DEFINITION_ROWS = [
    Row(CREATE, Code.REQUIRED_DEFINITION_KEY, definition(definitionKey=None)),
    Row(CREATE, Code.REQUIRED, definition(name=None)),
    Row(CREATE, Code.REQUIRED, definition(content=None)),
    Row(CREATE, Code.REQUIRED, definition(subscriptions=None)),
    Row(CREATE, Code.INVALID_VALUE, definition(content={"customerKey": "none"})),
    Row(CREATE, Code.INVALID_OPTIONS, definition(options=[])),
    Row(CREATE, Code.INVALID_AUTO_ADD, definition(**subscriptions(autoAddSubscriber="yes"))),
    Row(CREATE, Code.INVALID_UPDATE, definition(**subscriptions(updateSubscriber="yes"))),
    Row(CREATE, Code.CLASSIFICATION_TYPE, definition(classification="ads")),
    Row(CREATE, Code.EMAIL_INVALID, definition(content={"customerKey": "broken"})),
    Row(CREATE, Code.ALREADY_EXISTS, definition(definitionKey="ORDER")),
    Row(CREATE, Code.ALREADY_EXISTS, definition(name="Definition order")),
    Row(CHANGE, Code.REQUIRED, {"name": " "}),
    Row(CHANGE, Code.INVALID_VALUE, {"definitionKey": "another"}),
    Row(CHANGE, Code.INVALID_OPTIONS, {"options": {"createJourney": True}}),
    Row(CHANGE, Code.INVALID_AUTO_ADD, subscriptions(autoAddSubscriber=1)),
    Row(CHANGE, Code.INVALID_UPDATE, subscriptions(updateSubscriber=1)),
    Row(CHANGE, Code.CLASSIFICATION_TYPE, {"classification": "ads"}),
    Row(CHANGE, Code.EMAIL_INVALID, {"content": {"customerKey": "broken"}}),
    Row(CHANGE, Code.ALREADY_EXISTS, {"name": "Definition busy"}),
    Row(CHANGE, Code.STATE_TRANSITION, {"status": "New"}),
    Row(f"GET {DEFINITIONS}", Code.INVALID_VALUE, query="$orderBy=age"),
    Row(f"DELETE {DEFINITIONS}/{{definitionKey}}/queue", Code.INVALID_OPERATION),
    *unknown(
        *(CHANGE, f"GET {DEFINITIONS}/{{definitionKey}}", f"DELETE {DEFINITIONS}/{{definitionKey}}"),
        *(f"GET {DEFINITIONS}/{{definitionKey}}/queue", f"DELETE {DEFINITIONS}/{{definitionKey}}/queue"),
        definitionKey="none",
    ),
]
PNG = {"name": "p", "assetType": {"id": 28}}
_ASSET_ROWS = [
    Row(f"POST {ASSETS}", Code.REQUIRED, {"assetType": {"id": 208}}),
    Row(f"POST {ASSETS}", Code.REQUIRED, {"name": "x"}),
    Row(f"POST {ASSETS}", Code.INVALID_VALUE, {"name": "x", "assetType": {"id": 1}}),
    Row(f"POST {ASSETS}", Code.BAD_FORMAT, PNG | {"file": "?"}),
    Row(f"POST {ASSETS}", Code.ALREADY_EXISTS),
    *(
        row
        for method in ("PUT", "PATCH")
        for row in (
            Row(f"{method} {ASSETS}/{{id}}", Code.REQUIRED, {"name": " "}),
            Row(f"{method} {ASSETS}/{{id}}", Code.INVALID_VALUE, {"name": "x", "assetType": {"id": 1}}),
            Row(f"{method} {ASSETS}/{{id}}", Code.BAD_FORMAT, PNG | {"file": "?"}),
            Row(f"{method} {ASSETS}/{{id}}", Code.ALREADY_EXISTS, PNG | {"customerKey": "broken"}),
        )
    ),
    Row(f"GET {ASSETS}", Code.INVALID_VALUE, query="$filter=name"),
    Row(f"POST {ASSETS}/query", Code.REQUIRED, {"query": {"property": "name"}}),
    Row(f"POST {ASSETS}/query", Code.INVALID_VALUE, {"page": {"page": 0}}),
    *(
        Row(f"{method} {ASSETS}/{{id}}", Code.INVALID_VALUE, keys={"id": "x"})
        for method in ("GET", "PUT", "PATCH", "DELETE")
    ),
    *unknown(*(f"{method} {ASSETS}/{{id}}" for method in ("GET", "PUT", "PATCH", "DELETE")), id="999999"),
    *unknown(f"GET {ASSETS}/{{id}}/channelviews/{{view}}", view="none"),
    Row(f"GET {ASSETS}/{{id}}/channelviews/{{view}}", Code.INVALID_VALUE, keys={"id": "x"}),
    Row(f"GET {ASSETS}/{{id}}/file", Code.INVALID_VALUE, keys={"id": "x"}),
    *unknown(f"GET {ASSETS}/{{id}}/file", id="{order}"),
    Row(f"GET {ASSETS}/{{id}}/channelviews/{{view}}", Code.EMAIL_INVALID, keys={"id": "{odd}"}),
    Row(f"GET {CATEGORIES}", Code.INVALID_VALUE, query="$filter=age eq 1"),
    Row(f"GET {CATEGORIES}/{{id}}", Code.INVALID_VALUE, keys={"id": "x"}),
    *unknown(f"GET {CATEGORIES}/{{id}}", id="999999"),
    Row(f"PUT {CATEGORIES}/{{id}}", Code.REQUIRED, {"name": " "}),
    Row(f"PUT {CATEGORIES}/{{id}}", Code.INVALID_VALUE, {"parentId": 999999}, {"id": "{folder}"}),
    Row(f"PUT {CATEGORIES}/{{id}}", Code.INVALID_VALUE, {"parentId": "{below}"}, {"id": "{folder}"}),
    Row(f"PUT {CATEGORIES}/{{id}}", Code.ALREADY_EXISTS, {"name": "taken"}, {"id": "{free}"}),
    Row(f"PUT {CATEGORIES}/{{id}}", Code.INVALID_OPERATION, {"name": "New"}, {"id": "{rootid}"}),
    Row(f"DELETE {CATEGORIES}/{{id}}", Code.INVALID_OPERATION, keys={"id": "{rootid}"}),
    Row(f"DELETE {CATEGORIES}/{{id}}", Code.INVALID_OPERATION, keys={"id": "{folder}"}),
    Row(f"DELETE {CATEGORIES}/{{id}}", Code.INVALID_OPERATION, keys={"id": "{free}"}),
    *unknown(f"PUT {CATEGORIES}/{{id}}", f"DELETE {CATEGORIES}/{{id}}", id="999999"),
    Row(f"POST {CATEGORIES}", Code.REQUIRED, {"name": "x"}),
    Row(f"POST {CATEGORIES}", Code.REQUIRED, {"parentId": 1}),
    Row(f"POST {CATEGORIES}", Code.INVALID_VALUE, {"name": "x", "parentId": 999999}),
    Row(f"POST {CATEGORIES}", Code.ALREADY_EXISTS, {"name": "Taken", "parentId": "{root}"}),
]
_PLATFORM_ROWS = [
    *unknown("GET /platform/v1/endpoints/{type}", type="ftp"),
    Row("GET /platform/v1/endpoints/{type}", Code.INVALID_VALUE, keys={"type": "%00"}),
    Row("POST /v1/requestToken", Code.REQUIRED, {"clientId": "x"}),
    Row("POST /v1/requestToken", Code.NOT_AUTHORIZED),
    Row("POST /v1/requestToken", Code.BAD_FORMAT, {"clientId": "{id}", "clientSecret": "{secret}"}, query="legacy=%ff"),
]
FIELD = {"name": "A", "type": "Text", "length": 5}
COUNT = f"PUT {EVENTS}/rows/{{keys}}/column/{{column}}/increment"
COUNT_LATER = f"PUT {LATER}/rows/{{keys}}/column/{{column}}/increment"
UPSERTS_LATER = (f"POST {LATER}/rowset", f"PUT {LATER}/rows/{{keys}}")
UPSERTS = (f"POST {EVENTS}/rowset", f"PUT {EVENTS}/rows/{{keys}}", f"DELETE {EVENTS}/rows/{{keys}}")
_DATA_ROWS = [
    Row(f"POST {OBJECTS}", Code.REQUIRED, {"name": "x"}),
    Row(f"POST {OBJECTS}", Code.REQUIRED, {"fields": [FIELD]}),
    Row(f"POST {OBJECTS}", Code.INVALID_VALUE, {"name": "x", "fields": [FIELD | {"type": "Colour"}]}),
    Row(f"POST {OBJECTS}", Code.ALREADY_EXISTS),
    Row(f"GET {OBJECTS}", Code.INVALID_VALUE, query="$search=%00"),
    *unknown(
        *(f"GET {OBJECTS}/{{id}}", f"DELETE {OBJECTS}/{{id}}", f"GET {OBJECTS}/{{id}}/fields", *UPSERTS),
        *(f"PATCH {OBJECTS}/{{id}}", f"POST {OBJECTS}/{{id}}/cleardata", f"POST {FIELDS}", f"PATCH {FIELDS}"),
        *(COUNT, COUNT_LATER, *UPSERTS_LATER),
        f"GET {DATA}/{{id}}/rowset",
        id="key:none",
    ),
    *unknown(f"GET {OWN}/data-extensions/{{key}}", f"DELETE {OWN}/data-extensions/{{key}}", key="none"),
    *unknown(f"GET {DATA}/key/{{key}}/rowset", key="none"),
    Row(f"DELETE {OBJECTS}/{{id}}", Code.INVALID_OPERATION, keys={"id": "key:used"}),
    Row(f"DELETE {OWN}/data-extensions/{{key}}", Code.INVALID_OPERATION, keys={"key": "used"}),
    Row(UPSERTS[0], Code.REQUIRED, []),
    Row(UPSERTS[0], Code.REQUIRED, [{"values": {"Total": 1}}]),
    Row(UPSERTS[0], Code.INVALID_VALUE, [{"keys": {"SubscriberKey": "b"}, "values": {"Total": "x"}}]),
    Row(UPSERTS[0], Code.INVALID_OPERATION, [{"keys": {"A": "b"}}], {"id": "key:plain"}),
    Row(UPSERTS[1], Code.REQUIRED, {}),
    Row(UPSERTS[1], Code.INVALID_VALUE, {"values": {"Total": "x"}}),
    Row(UPSERTS[1], Code.INVALID_VALUE, keys={"keys": "ann"}),
    Row(UPSERTS[1], Code.INVALID_OPERATION, {"values": {"B": "b"}}, {"id": "key:plain", "keys": "A:b"}),
    Row(UPSERTS[2], Code.INVALID_VALUE, keys={"keys": "ann"}),
    Row(UPSERTS[2], Code.INVALID_OPERATION, keys={"id": "key:plain", "keys": "A:b"}),
    Row(UPSERTS[2], Code.NOT_FOUND, keys={"keys": "SubscriberKey:none"}),
    Row(UPSERTS[2], Code.REQUIRED, keys={"id": "key:pair", "keys": "A:b"}),
    Row(f"PATCH {OBJECTS}/{{id}}", Code.REQUIRED, {"name": " "}),
    Row(f"PATCH {OBJECTS}/{{id}}", Code.INVALID_VALUE, {"key": "another"}),
    Row(f"PATCH {OBJECTS}/{{id}}", Code.ALREADY_EXISTS, {"name": "PLAIN"}),
    Row(f"GET {OBJECTS}/category/{{categoryId}}", Code.INVALID_VALUE, keys={"categoryId": "x"}),
    *(Row(f"{method} {FIELDS}", Code.REQUIRED, {}) for method in ("POST", "PATCH")),
    Row(f"POST {FIELDS}", Code.INVALID_VALUE, {"fields": [FIELD | {"isNullable": False}]}),
    Row(f"POST {FIELDS}", Code.ALREADY_EXISTS, {"fields": [FIELD | {"name": "TOTAL"}]}),
    Row(f"PATCH {FIELDS}", Code.INVALID_VALUE, {"fields": [{"name": "SubscriberKey", "length": 10}]}),
    Row(f"PATCH {FIELDS}", Code.NOT_FOUND, {"fields": [{"name": "None"}]}),
    Row(COUNT, Code.INVALID_VALUE, keys={"column": "SubscriberKey"}),
    Row(COUNT, Code.INVALID_VALUE, query="step=much"),
    Row(COUNT, Code.REQUIRED, keys={"id": "key:pair", "keys": "A:b", "column": "N"}),
    Row(COUNT, Code.NOT_FOUND, keys={"keys": "SubscriberKey:none"}),
    Row(COUNT, Code.INVALID_OPERATION, keys={"id": "key:plain", "keys": "A:b", "column": "N"}),
    Row(COUNT_LATER, Code.INVALID_VALUE, query="step=1.5"),
    Row(UPSERTS_LATER[0], Code.REQUIRED, []),
    Row(UPSERTS_LATER[1], Code.REQUIRED, {}),
    *(Row(f"{method} {ASYNC}/dataextensions/{{id}}/rows", Code.REQUIRED, {}) for method in ("POST", "PUT", "DELETE")),
    *(
        Row(f"{method} {ASYNC}/dataextensions/{{id}}/rows", Code.INVALID_VALUE, {"items": [{}] * 32_001})
        for method in ("POST", "PUT", "DELETE")
    ),
    *unknown(f"GET {ASYNC}/{{requestId}}/status", f"GET {ASYNC}/{{requestId}}/results", requestId=NOBODY),
    Row(f"GET {DATA}/key/{{key}}/rowset", Code.INVALID_VALUE, query="$filter=Colour eq 1"),
    Row(f"GET {DATA}/{{id}}/rowset", Code.INVALID_VALUE, query="$orderBy=Colour"),
    *(
        row
        for route in (f"GET {DATA}/token/{{token}}/rowset", "GET /v1/customobjectdata/token/{token}/rowset")
        for row in (
            Row(route, Code.INVALID_VALUE, keys={"token": "x"}),
            Row(route, Code.NOT_FOUND, keys={"token": "eyJleHRlbnNpb24iOiJrIiwiZmlsdGVyIjpudWxsLCJvcmRlciI6bnVsbH0"}),
        )
    ),
]
CHECK = "POST /address/v1/validateEmail"
CONTACTS, SEARCH = "/contacts/v1/contacts", "/contacts/v1/addresses/email/search"
MEMBER = f"{OWN}/lists/{{id}}/members/{{key}}"
_AUDIENCE_ROWS = [
    Row(f"POST {CONTACTS}/actions/delete", Code.REQUIRED, {}),
    Row(f"POST {CONTACTS}/actions/delete", Code.INVALID_VALUE, query="type=ids"),
    Row(f"POST {CONTACTS}/actions/delete", Code.INVALID_VALUE, {"values": ["a"], "DeleteOperationType": "Nothing"}),
    Row(f"POST {CONTACTS}/actions/delete", Code.INVALID_VALUE, {"values": ["k"] * 1001}),
    Row(f"GET {CONTACTS}/actions/delete/status", Code.REQUIRED),
    Row(f"GET {CONTACTS}/actions/delete/status", Code.INVALID_VALUE, query="operationID=x"),
    Row(f"GET {CONTACTS}/actions/delete/status", Code.NOT_FOUND, query="operationID=999999999"),
    Row(CHECK, Code.REQUIRED, {"validators": ["SyntaxValidator"]}),
    Row(CHECK, Code.REQUIRED, {"email": "ann@example.org"}),
    Row(CHECK, Code.INVALID_VALUE, {"email": "ann@example.org", "validators": ["Nose"]}),
    Row(f"POST {CONTACTS}", Code.REQUIRED, {"contactKey": "x"}),
    Row(f"POST {CONTACTS}", Code.REQUIRED, {"attributeSets": []}),
    Row(f"POST {CONTACTS}", Code.INVALID_VALUE, {"contactKey": "k" * 255}),
    Row(f"POST {CONTACTS}", Code.ALREADY_EXISTS),
    Row(f"PATCH {CONTACTS}", Code.REQUIRED, {}),
    Row(f"PATCH {CONTACTS}", Code.INVALID_VALUE, {"contactKey": "a\0"}),
    Row(f"PATCH {CONTACTS}", Code.NOT_FOUND, {"contactKey": "none"}),
    Row(f"POST {SEARCH}", Code.REQUIRED, {}),
    Row(f"POST {SEARCH}", Code.INVALID_VALUE, {"ChannelAddressList": ["a"], "MaximumCount": 0}),
    *unknown(*(f"{method} {OWN}/contacts/{{key}}" for method in ("GET", "PATCH", "DELETE")), key="none"),
    Row(f"PATCH {OWN}/contacts/{{key}}", Code.INVALID_VALUE, {"status": "Gone"}),
    Row(f"POST {OWN}/lists", Code.REQUIRED, {}),
    Row(f"POST {OWN}/lists", Code.INVALID_VALUE, {"name": "n" * 101}),
    Row(f"POST {OWN}/lists", Code.ALREADY_EXISTS),
    *unknown(f"DELETE {OWN}/lists/{{id}}", f"GET {OWN}/lists/{{id}}/members", f"PUT {MEMBER}", id="999999"),
    Row(f"DELETE {OWN}/lists/{{id}}", Code.INVALID_OPERATION, keys={"id": "{everyone}"}),
    Row(f"PUT {MEMBER}", Code.INVALID_VALUE, {"status": "Gone"}),
    Row(f"DELETE {MEMBER}", Code.INVALID_OPERATION, keys={"id": "{everyone}"}),
    *unknown(f"DELETE {MEMBER}", id="{list}", key="none"),
    Row(f"PUT {OWN}/profile-attributes/{{name}}", Code.REQUIRED, keys={"name": "%20"}),
    Row(f"PUT {OWN}/profile-attributes/{{name}}", Code.INVALID_VALUE, keys={"name": "n" * 129}),
    *unknown(f"GET {OWN}/classifications/{{key}}", key="none"),
    Row(f"PUT {OWN}/classifications/{{key}}", Code.REQUIRED, keys={"key": "%20"}),
    Row(f"PUT {OWN}/classifications/{{key}}", Code.INVALID_VALUE, {"senderProfile": {"fromAddress": "x"}}),
]
OF_CALLBACK, OF_SUBSCRIPTION = f"{ENS}callbacks/{{callbackId}}", f"{ENS}subscriptions/{{subscriptionId}}"
BY_CALLBACK, REPLAY = f"{ENS}subscriptions-by-cb/{{callbackId}}", f"{OWN}/ens-callbacks/{{callbackId}}/replay"
_ENS_ROWS = [
    Row(f"POST {ENS}callbacks", Code.REQUIRED, [{"callbackName": "x"}]),
    Row(f"POST {ENS}callbacks", Code.BAD_FORMAT, []),
    Row(f"POST {ENS}callbacks", Code.INVALID_VALUE, [{"callbackName": "x", "url": "ftp://x.example.org"}]),
    Row(f"PUT {ENS}callbacks", Code.REQUIRED, [{}]),
    Row(f"PUT {ENS}callbacks", Code.BAD_FORMAT, [{}, {}]),
    Row(f"PUT {ENS}callbacks", Code.INVALID_VALUE, [{"callbackId": CALLBACK, "maxBatchSize": 1}]),
    Row(f"PUT {ENS}callbacks", Code.NOT_FOUND),
    *unknown(f"GET {OF_CALLBACK}", f"DELETE {OF_CALLBACK}", f"GET {BY_CALLBACK}", callbackId=NOBODY),
    *(
        Row(f"{method} {path}", Code.REQUIRED, keys={"callbackId": "%20", "subscriptionId": "%20"})
        for method, path in (("GET", OF_CALLBACK), ("DELETE", OF_CALLBACK), ("GET", BY_CALLBACK))
    ),
    Row(f"DELETE {OF_CALLBACK}", Code.STATE_TRANSITION, keys={"callbackId": IN_USE}),
    Row(f"POST {ENS}verify", Code.REQUIRED, {"callbackId": CALLBACK}),
    Row(f"POST {ENS}verify", Code.INVALID_VALUE, {"callbackId": CALLBACK, "verificationKey": "a\0"}),
    Row(f"POST {ENS}verify", Code.NOT_FOUND, {"callbackId": CALLBACK, "verificationKey": "wrong"}),
    Row(f"PUT {ENS}regenerate", Code.REQUIRED, [{}]),
    Row(f"PUT {ENS}regenerate", Code.BAD_FORMAT, []),
    Row(f"PUT {ENS}regenerate", Code.INVALID_VALUE, [{"callbackId": "a\0"}]),
    Row(f"PUT {ENS}regenerate", Code.NOT_FOUND),
    Row(f"POST {ENS}subscriptions", Code.REQUIRED, subscription(eventCategoryTypes=[])),
    Row(f"POST {ENS}subscriptions", Code.BAD_FORMAT, []),
    Row(f"POST {ENS}subscriptions", Code.INVALID_VALUE, subscription(filters=["colour=red"])),
    Row(f"POST {ENS}subscriptions", Code.NOT_FOUND, subscription(callbackId=NOBODY)),
    Row(f"POST {ENS}subscriptions", Code.INVALID_OPERATION, subscription(callbackId=CALLBACK)),
    Row(f"PUT {ENS}subscriptions", Code.REQUIRED, [{"subscriptionId": SUBSCRIPTION}]),
    Row(f"PUT {ENS}subscriptions", Code.BAD_FORMAT, []),
    Row(f"PUT {ENS}subscriptions", Code.INVALID_VALUE, subscription(subscriptionId=SUBSCRIPTION, status="off")),
    Row(f"PUT {ENS}subscriptions", Code.NOT_FOUND, subscription(subscriptionId=NOBODY)),
    Row(
        f"PUT {ENS}subscriptions", Code.ALREADY_EXISTS, subscription(subscriptionId=SUBSCRIPTION, subscriptionName="b")
    ),
    *unknown(f"GET {OF_SUBSCRIPTION}", f"DELETE {OF_SUBSCRIPTION}", subscriptionId=NOBODY),
    *(
        Row(f"{method} {OF_SUBSCRIPTION}", Code.REQUIRED, keys={"subscriptionId": "%20"})
        for method in ("GET", "DELETE")
    ),
    Row(f"POST {REPLAY}", Code.REQUIRED, {}, {"callbackId": IN_USE}),
    Row(f"POST {REPLAY}", Code.BAD_FORMAT, {"from": "yesterday"}, {"callbackId": IN_USE}),
    Row(f"POST {REPLAY}", Code.INVALID_VALUE, {"from": "2126-01-05"}, {"callbackId": IN_USE}),
    *unknown(f"POST {REPLAY}", callbackId=NOBODY),
]
_LEGACY_ROWS = [
    *unknown(f"POST {LEGACY}/send", f"POST {LEGACY}/sendBatch", id="key:none"),
    *unknown(f"GET {LEGACY}/deliveryRecords/{{recipientSendId}}", recipientSendId="none"),
    Row(f"POST {LEGACY}/sendBatch", Code.NO_SUBSCRIBERS, []),
    Row(f"POST {LEGACY}/sendBatch", Code.TOO_MANY_SUBSCRIBERS, [{}] * 2001),
]
SUPPRESSIONS = OWN + "/suppressions"
_SUPPRESSION_ROWS = [
    Row(f"POST {SUPPRESSIONS}", Code.REQUIRED, {}),
    Row(f"POST {SUPPRESSIONS}", Code.INVALID_VALUE, {"address": "nobody"}),
    Row(f"GET {SUPPRESSIONS}", Code.INVALID_VALUE, query="after=-1"),
    Row(f"DELETE {SUPPRESSIONS}", Code.REQUIRED),
    Row(f"DELETE {SUPPRESSIONS}", Code.INVALID_VALUE, query="address=nobody"),
    Row(f"POST {SUPPRESSIONS}/import", Code.REQUIRED, {}),
    Row(f"POST {SUPPRESSIONS}/import", Code.INVALID_VALUE, query="cause=whim"),
    Row(f"GET {SUPPRESSIONS}/export", Code.INVALID_VALUE, query="format=xls"),
    *unknown(f"GET {SUPPRESSIONS}/{{id}}", f"DELETE {SUPPRESSIONS}/{{id}}", id="999999"),
]
ROWS = [
    *_SEND_ROWS,
    *_DEFINITION_ROWS,
    *_ASSET_ROWS,
    *_PLATFORM_ROWS,
    *_DATA_ROWS,
    *_AUDIENCE_ROWS,
    *_ENS_ROWS,
    *_LEGACY_ROWS,
    *_SUPPRESSION_ROWS,
]


@dataclass
class Stage:
    """A business unit that has what the rows need, and the document's operations."""

    unit: Unit
    operations: dict[str, dict[str, Any]]
    names: dict[str, Any] = field(default_factory=dict)

    def made(self, method: str, path: str, body: Any, **more: Any) -> Any:
        """The reply of a call that succeeds."""
        reply = self.unit.call(method, path, json=body, **more)
        assert reply.is_success, (path, reply.text)
        return reply.json()

    def filled(self, value: Any) -> Any:
        """The value with names in braces replaced."""
        if isinstance(value, dict):
            return {name: self.filled(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.filled(inner) for inner in value]
        return self.names.get(value, value) if isinstance(value, str) else value

    def everything(self) -> dict[str, str]:
        """A digest of all the unit's rows by table."""
        parts = " union all ".join(
            f"select '{table}' as name, md5(coalesce(string_agg(t::text, ',' order by t::text), '')) as rows "
            f"from {table} t where account_id = $1"
            for table in self.names["tables"]
        )
        return {row["name"]: row["rows"] for row in self.unit.api.rows(parts, self.unit.account_id)}


_CALLBACK = """
insert into callback (account_id, callback_id, name, url, max_batch_size, signature_key, verify_until, verified_at)
values ($1, $2::uuid, 'n', 'http://127.0.0.1:9/' || $2::uuid, 100, 'k', now(), case when $3 then now() end)
"""
_TABLES = """
select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'account_id'
where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = 'public'::regnamespace order by 1
"""


@pytest.fixture(scope="module")
def stage(live_api: LiveApi, account_ids: Iterator[int]) -> Stage:
    """Everything that the rows name."""
    unit = live_api.unit(next(account_ids))
    stage = Stage(unit, make_examples(unit))
    stage.made("POST", MESSAGES + "/once-1", recipient(), headers={"Idempotency-Key": "once"})
    stage.made("PUT", OWN + "/classifications/ads", {"type": "commercial"})
    unit.make_asset("broken", "%%[ if ]%%")
    views = {"html": {"content": "<div data-type='slot' data-key='x'></div>", "slots": {"x": 7}}}
    odd = stage.made("POST", ASSETS, {"name": "odd", "assetType": {"id": 207}, "views": views})
    tables = ({"key": "used", "isSendable": True, "sendableCustomObjectField": "A"}, {"key": "plain"}, {"key": "pair"})
    for table in tables:
        keyed = {"isPrimaryKey": table["key"] == "pair", "isNullable": table["key"] != "pair"}
        fields = [FIELD | keyed, FIELD | keyed | {"name": "B"}, {"name": "N", "type": "Number"}]
        stage.made("POST", OBJECTS, {"name": table["key"], "fields": fields} | table)
    unit.make_definition("busy", **subscriptions(dataExtension="used"))
    lists = {each["name"]: each["id"] for each in unit.call("GET", OWN + "/lists").json()["items"]}
    (root,) = [each["id"] for each in unit.call("GET", CATEGORIES).json()["items"]]
    folder, free = (
        stage.made("POST", CATEGORIES, {"name": name, "parentId": root})["id"] for name in ("Taken", "Free")
    )
    below = stage.made("POST", CATEGORIES, {"name": "Below", "parentId": folder})["id"]
    stage.made("POST", ASSETS, {"name": "in it", "assetType": {"id": 196}, "category": {"id": free}})
    for callback_id in (CALLBACK, IN_USE):
        live_api.execute(_CALLBACK, unit.account_id, callback_id, callback_id == IN_USE)
    for name in ("a", "b"):
        made = stage.made("POST", ENS + "subscriptions", subscription(subscriptionName=name))
        if name == "a":
            live_api.execute(
                "update subscription set subscription_id = $2 where account_id = $1 and subscription_id = $3",
                *(unit.account_id, SUBSCRIPTION, made[0]["subscriptionId"]),
            )
    order = next(
        each["id"] for each in unit.call("GET", ASSETS).json()["items"] if each["customerKey"] == "order-email"
    )
    stage.names = {
        "{odd}": str(odd["id"]),
        "{order}": str(order),
        "{everyone}": str(lists["All Subscribers"]),
        "{list}": str(lists["Newsletter"]),
        "{root}": root,
        "{below}": below,
        "{rootid}": str(root),
        "{folder}": str(folder),
        "{free}": str(free),
        "{token}": unit.call("GET", DATA + "/key/orders/rowset").json()["requestToken"],
        "{id}": unit.client_id,
        "{secret}": unit.client_secret,
        "tables": [row["relname"] for row in live_api.rows(_TABLES)],
    }
    return stage


def path_of(stage: Stage, route: str, given: Mapping[str, str] = MappingProxyType({})) -> str:
    """A route's path, with what is there for its keys unless they are given."""
    keys = {"token": "{token}"}
    if route.partition(" ")[2].startswith((ASSETS, OWN + "/lists")):
        keys["id"] = "{order}" if ASSETS in route else "{list}"
    return example_path(route, stage.operations[route], stage.filled(keys | dict(given)))


def check(reply: Any, error: Code | RecipientError) -> None:
    """The reply is this error's: status, errorcode, the message's beginning, documentation."""
    body = reply.json()
    if isinstance(error, RecipientError):
        found = (reply.status_code, body["errorcode"], body["message"].partition(": ")[0], body["documentation"])
        assert found == (400, error.errorcode, error.code_name, "")
        return
    row = error.row
    assert (reply.status_code, body["errorcode"]) == (row.status, row.errorcode), body
    if row.name:
        name, _, text = body["message"].partition(": ")
        assert (name, body["documentation"]) == (row.name, "")
        assert text
    else:
        assert (body["message"], body["documentation"]) == (row.sentence, GATEWAY)


def test_no_error_listed_for_a_route_of_the_vendor_is_left_out(stage: Stage) -> None:
    tried = {(row.route, row.error.name) for row in ROWS}
    by_itself = {(route, error) for route in stage.operations for error in ON_EVERY_ROUTE | ELSEWHERE}
    by_key = {(route, "INVALID_VALUE") for route in stage.operations if "{" in route}
    by_query = {
        (route, error)
        for route, operation in stage.operations.items()
        for error in ("INVALID_VALUE", "BAD_FORMAT")
        if any(each["in"] == "query" for each in operation["parameters"])
    }
    listed = {
        (route, error)
        for route, operation in stage.operations.items()
        for reply in operation["responses"].values()
        for error in reply.get("content", {}).get("application/json", {}).get("examples", {})
    }
    probe = {(f"POST {ENS}callbacks", "PROBE_FAILED")}
    left_out = listed - tried - by_itself - by_key - by_query - probe
    assert {(route, error) for route, error in left_out if OWN not in route} == set()
    assert tried - listed == set()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.route} {row.error.name}")
def test_a_refused_request_leaves_nothing(stage: Stage, row: Row) -> None:
    body = example_body(stage.operations[row.route]) if row.body is None else stage.filled(row.body)
    before = stage.everything()
    method, path = row.route.partition(" ")[0], path_of(stage, row.route, row.keys)
    reply = stage.unit.call(method, f"{path}?{row.query}", json=body, headers=row.headers)
    check(reply, row.error)
    assert stage.everything() == before


def routes_with_a_token(stage: Stage) -> Iterator[tuple[str, str, str]]:
    """Route, method and path of all that need a token."""
    for route, operation in stage.operations.items():
        if "security" in operation:
            yield route, route.partition(" ")[0], path_of(stage, route)


def test_who_may_not_call_is_refused_by_every_route(stage: Stage) -> None:
    token = {"access_token": stage.unit.token}
    powerless = {"Authorization": f"Bearer {stage.unit.new_token(scope='')}", "Content-Type": "text/plain"}
    before = stage.everything()
    for route, method, path in routes_with_a_token(stage):
        bare = stage.unit.api.http
        check(bare.request(method, path), Code.NOT_AUTHORIZED)
        check(bare.request(method, path, params=token), Code.TOKEN_IN_URL)
        check(bare.request(method, path, json=token), Code.TOKEN_IN_BODY)
        if "description" in stage.operations[route]:
            check(stage.unit.call(method, path, headers=powerless), Code.INSUFFICIENT_PRIVILEGES)
    assert stage.everything() == before


def test_what_is_no_route_is_refused(stage: Stage) -> None:
    methods = {"GET", "POST", "PUT", "PATCH", "DELETE"}
    for route, _, path in routes_with_a_token(stage):
        check(stage.unit.call("GET", path + "/and/more/of/it"), Code.ROUTE_UNKNOWN)
        template = route.partition(" ")[2]
        other = methods - {each.partition(" ")[0] for each in stage.operations if each.partition(" ")[2] == template}
        for method in sorted(other)[:1]:
            check(stage.unit.call(method, path), Code.METHOD_NOT_ALLOWED)


def test_a_bad_body_is_refused_by_every_route_that_takes_one(stage: Stage) -> None:
    before = stage.everything()
    for route, method, path in routes_with_a_token(stage):
        if "requestBody" not in stage.operations[route]:
            continue
        json_type = {"Content-Type": "application/json"}
        for content in (b"?", b"\xff", b""):
            check(stage.unit.call(method, path, content=content, headers=json_type), Code.UNPARSEABLE)
        check(stage.unit.call(method, path, content=b"7", headers=json_type), Code.WRONG_TYPE)
        check(stage.unit.call(method, path, content=b"{}", headers={"Content-Type": "text/plain"}), Code.MEDIA_TYPE)
        large = b" " * (1024 * 1024 + 1)
        check(stage.unit.call(method, path, content=large, headers=json_type), Code.BODY_TOO_LARGE)
    assert stage.everything() == before


def test_a_bad_key_or_query_is_refused_by_every_route_that_has_one(stage: Stage) -> None:
    before = stage.everything()
    for route, method, path in routes_with_a_token(stage):
        operation = stage.operations[route]
        body = example_body(operation)
        for parameter in operation["parameters"]:
            if parameter["in"] == "path":
                broken = path_of(stage, route, {parameter["name"]: "a%00"})
                check(stage.unit.call(method, broken, json=body), Code.INVALID_VALUE)
        names = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"]
        if names:
            check(stage.unit.call(method, f"{path}?{names[0]}=%ff"), Code.BAD_FORMAT)
        if "$page" in names:
            check(stage.unit.call(method, path + "?$page=0"), Code.INVALID_VALUE)
    assert stage.everything() == before
