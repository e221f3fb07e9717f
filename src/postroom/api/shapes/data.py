"""Shapes of the data extension routes."""

from typing import Any

from postroom.api.errors import Code
from postroom.api.shape import PAGE, Page, Shape
from postroom.api.wire.data import (
    JobAccepted,
    JobResults,
    JobStatus,
    Rowset,
    ShownExtension,
    ShownFields,
    WireExtension,
    WireItems,
    WireRow,
    WireValues,
    WrittenRow,
)
from postroom.api.wire.data_fields import WireFields

_ID = "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d15"
_JOB = "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d16"
_FIELDS = [
    {
        "id": "2a0d5f5e-43a5-5c67-9f0c-6f1d5c6f0f01",
        "name": "SubscriberKey",
        "type": "Text",
        "ordinal": 0,
        "isPrimaryKey": True,
        "isNullable": False,
        "length": 50,
    },
    {
        "id": "2a0d5f5e-43a5-5c67-9f0c-6f1d5c6f0f02",
        "name": "Total",
        "type": "Decimal",
        "ordinal": 1,
        "isPrimaryKey": False,
        "isNullable": True,
        "length": 10,
        "scale": 2,
    },
]
_EXTENSION = {
    "id": _ID,
    "name": "Orders",
    "key": "orders",
    "description": "",
    "isActive": True,
    "isSendable": True,
    "categoryId": 0,
    "createdDate": "2026-01-05T09:00:00.000",
    "modifiedDate": "2026-01-05T09:00:00.000",
    "rowCount": 0,
    "fieldCount": 2,
    "sendableCustomObjectField": "SubscriberKey",
    "sendableSubscriberField": "_SubscriberKey",
}
_ROW = {"keys": {"SubscriberKey": "ann"}, "values": {"Total": "7.50"}}
_BAD_ROWS = (Code.REQUIRED, Code.NOT_FOUND, Code.INVALID_OPERATION)

CREATE = Shape(
    WireExtension,
    {201: ShownExtension},
    (Code.REQUIRED, Code.ALREADY_EXISTS),
    required=("name", "fields"),
    example={
        "name": "Orders",
        "key": "orders",
        "isSendable": True,
        "sendableCustomObjectField": "SubscriberKey",
        "fields": [
            {"name": "SubscriberKey", "type": "Text", "length": 50, "isPrimaryKey": True, "isNullable": False},
            {"name": "Total", "type": "Decimal", "length": 10, "scale": 2},
        ],
    },
    answer=_EXTENSION | {"fields": _FIELDS},
)
LIST = Shape(
    replies={200: Page[ShownExtension]},
    query=("$search", "$orderBy", *PAGE),
    answer={"count": 1, "page": 1, "pageSize": 50, "links": {}, "items": [_EXTENSION]},
)
GET = Shape(replies={200: ShownExtension}, errors=(Code.NOT_FOUND,), answer=_EXTENSION | {"fields": _FIELDS})
CATEGORY = LIST._replace(query=("$orderBy", *PAGE))
CHANGE = Shape(
    WireExtension,
    {200: ShownExtension},
    (Code.REQUIRED, Code.NOT_FOUND, Code.ALREADY_EXISTS),
    example={"description": "Orders of the shop", "categoryId": 0},
    answer=_EXTENSION | {"description": "Orders of the shop", "fields": _FIELDS},
)
CLEAR = Shape(replies={200: {"const": "OK"}}, errors=(Code.NOT_FOUND,), answer="OK")
ADD_FIELDS = Shape(
    WireFields,
    {202: JobAccepted},
    (Code.REQUIRED, Code.NOT_FOUND, Code.ALREADY_EXISTS),
    required=("fields",),
    example={"fields": [{"name": "Coupon", "type": "Text", "length": 20}]},
    answer={"requestId": _JOB, "resultMessages": []},
)
CHANGE_FIELDS = ADD_FIELDS._replace(
    errors=(Code.REQUIRED, Code.NOT_FOUND),
    example={"fields": [{"name": "SubscriberKey", "length": 100}]},
)
FIELDS = Shape(replies={200: ShownFields}, errors=(Code.NOT_FOUND,), answer={"id": _ID, "fields": _FIELDS})
DELETE = Shape(replies={200: {"const": "OK"}}, errors=(Code.NOT_FOUND, Code.INVALID_OPERATION), answer="OK")

UPSERT_ROWSET = Shape(list[WireRow], {200: list[WireRow]}, _BAD_ROWS, example=[_ROW], answer=[_ROW])
UPSERT_ROW = Shape(
    WireValues,
    {200: WrittenRow},
    _BAD_ROWS,
    required=("values",),
    example={"values": {"Total": "7.50"}},
    answer=_ROW,
)
DELETE_ROW = Shape(replies={200: WrittenRow}, errors=_BAD_ROWS, answer={"keys": {"SubscriberKey": "ann"}, "values": {}})

INCREMENT = Shape(
    replies={200: WrittenRow},
    errors=_BAD_ROWS,
    query=("step",),
    answer={"keys": {"SubscriberKey": "ann"}, "values": {"Total": "8.50"}},
)
_EMPTY: dict[str, Any] = {"const": ""}
UPSERT_ROWSET_LATER = UPSERT_ROWSET._replace(replies={202: _EMPTY}, errors=(Code.REQUIRED, Code.NOT_FOUND), answer="")
UPSERT_ROW_LATER = UPSERT_ROW._replace(replies={202: _EMPTY}, errors=(Code.REQUIRED, Code.NOT_FOUND), answer="")
INCREMENT_LATER = INCREMENT._replace(replies={202: _EMPTY}, errors=(Code.NOT_FOUND,), answer="")

ASYNC_ROWS = Shape(
    WireItems,
    {202: JobAccepted, 200: JobAccepted},
    (Code.REQUIRED,),
    required=("items",),
    example={"items": [{"SubscriberKey": "ann", "Total": "7.50"}]},
    answer={"requestId": _JOB, "resultMessages": []},
)
ASYNC_DELETE = ASYNC_ROWS._replace(example={"items": [{"SubscriberKey": "ann"}]})
JOB_STATUS = Shape(
    replies={200: JobStatus},
    errors=(Code.NOT_FOUND,),
    answer={
        "status": {
            "callDateTime": "2026-01-05T09:00:00.000",
            "pickupDateTime": "2026-01-05T09:00:00.000",
            "completionDateTime": "2026-01-05T09:00:00.120",
            "hasErrors": False,
            "requestStatus": "Complete",
            "resultStatus": "OK",
            "requestId": _JOB,
        },
        "requestId": _JOB,
        "resultMessages": [],
    },
)
JOB_RESULTS = Shape(
    replies={200: JobResults},
    errors=(Code.NOT_FOUND,),
    query=PAGE,
    answer={
        "page": 1,
        "pageSize": 50,
        "count": 1,
        "items": [{"errorCode": "", "message": "", "status": "OK"}],
        "requestId": _JOB,
        "resultMessages": [],
    },
)

ROWSET_BY_TOKEN = Shape(
    replies={200: Rowset},
    errors=(Code.NOT_FOUND,),
    query=PAGE,
    answer={
        "links": {"self": "/v1/customobjectdata/token/…/rowset?$pageSize=50&$page=1"},
        "requestToken": "…",
        "tokenExpireDateUtc": "2026-01-06T15:00:00",
        "customObjectId": _ID,
        "customObjectKey": "orders",
        "pageSize": 50,
        "page": 1,
        "count": 1,
        "items": [{"keys": {"subscriberkey": "ann"}, "values": {"total": "7.50"}}],
    },
)
ROWSET = ROWSET_BY_TOKEN._replace(query=("$filter", "$orderBy", "$fields", *PAGE))
