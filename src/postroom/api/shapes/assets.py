"""Shapes of the Content Builder routes. An asset has whatever fields it was given, so its schema is no struct's."""

from postroom.api.asset_categories import CategoryBody, ShownCategory
from postroom.api.errors import Code
from postroom.api.shape import PAGE, Page, Shape, object_of
from postroom.api.wire.asset_queries import QueryBody
from postroom.api.wire.assets import AssetBody

_STRING = {"type": "string"}
_NUMBER = {"type": "integer"}
_OBJECT = {"type": "object"}

_ASSET = object_of(
    id=_NUMBER,
    customerKey=_STRING,
    objectID=_STRING,
    assetType=object_of(id=_NUMBER, name=_STRING, displayName=_STRING),
    name=_STRING,
    description=_STRING,
    createdDate=_STRING,
    createdBy=_OBJECT,
    modifiedDate=_STRING,
    modifiedBy=_OBJECT,
    enterpriseId=_NUMBER,
    memberId=_NUMBER,
    status=object_of(id=_NUMBER, name=_STRING),
    thumbnail=_OBJECT,
    views=_OBJECT,
)
_CHOSEN = {"type": "object", "required": ["id"], "properties": _ASSET["properties"]}
_PAGE = object_of(
    count=_NUMBER, page=_NUMBER, pageSize=_NUMBER, links=_OBJECT, items={"type": "array", "items": _CHOSEN}
)
_EXAMPLE = {
    "name": "Order email",
    "customerKey": "order-email",
    "assetType": {"id": 208, "name": "htmlemail"},
    "views": {"html": {"content": "<p>Hello %%FirstName%%</p>"}, "subjectline": {"content": "Your order"}},
}
_AUTHOR = {"id": 1, "email": "", "name": "Postroom", "userId": "1"}
_ANSWER = _EXAMPLE | {
    "id": 12,
    "objectID": "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d14",
    "assetType": {"id": 208, "name": "htmlemail", "displayName": "HTML Email"},
    "description": "",
    "createdDate": "2026-01-05T09:00:00.000-06:00",
    "createdBy": _AUTHOR,
    "modifiedDate": "2026-01-05T09:00:00.000-06:00",
    "modifiedBy": _AUTHOR,
    "enterpriseId": 1,
    "memberId": 1,
    "status": {"id": 1, "name": "Draft"},
    "thumbnail": {},
}
_LISTED = {"count": 1, "page": 1, "pageSize": 50, "links": {}, "items": [_ANSWER]}

CREATE = Shape(
    AssetBody,
    {201: _ASSET},
    (Code.REQUIRED, Code.BAD_FORMAT, Code.ALREADY_EXISTS),
    required=("name", "assetType"),
    example=_EXAMPLE,
    answer=_ANSWER,
)
LIST = Shape(replies={200: _PAGE}, query=("$filter", "$orderBy", "$fields", *PAGE), answer=_LISTED)
QUERY = Shape(
    QueryBody,
    {200: _PAGE},
    (Code.REQUIRED,),
    example={
        "page": {"page": 1, "pageSize": 50},
        "query": {
            "leftOperand": {"property": "name", "simpleOperator": "like", "value": "Order"},
            "logicalOperator": "AND",
            "rightOperand": {"property": "assetType.id", "simpleOperator": "in", "value": [207, 208]},
        },
        "sort": [{"property": "name", "direction": "ASC"}],
        "fields": ["customerKey", "name"],
    },
    answer=_LISTED,
)
GET = Shape(replies={200: _ASSET}, errors=(Code.NOT_FOUND,), answer=_ANSWER)
REPLACE = Shape(
    AssetBody,
    {200: _ASSET},
    (Code.REQUIRED, Code.BAD_FORMAT, Code.ALREADY_EXISTS, Code.NOT_FOUND),
    required=("name", "assetType"),
    example=_EXAMPLE,
    answer=_ANSWER,
)
CHANGE = Shape(
    AssetBody,
    {200: _ASSET},
    (Code.REQUIRED, Code.BAD_FORMAT, Code.ALREADY_EXISTS, Code.NOT_FOUND),
    example={"name": "Order email 2"},
    answer=_ANSWER | {"name": "Order email 2"},
)
DELETE = Shape(replies={200: {"const": "OK"}}, errors=(Code.NOT_FOUND,), answer="OK")
CHANNEL_VIEW = Shape(
    replies={200: object_of(compiled=_STRING)},
    errors=(Code.NOT_FOUND, Code.EMAIL_INVALID),
    answer={"compiled": "<p>Hello %%FirstName%%</p>"},
)

FILE = Shape(replies={200: _STRING}, errors=(Code.NOT_FOUND,), answer="R0lGODlhAQABAAAAACw=")

_CATEGORY = {
    "id": 2,
    "name": "Mails",
    "parentId": 1,
    "categoryType": "asset",
    "memberId": 1,
    "enterpriseId": 1,
    "description": "",
}

CATEGORIES = Shape(
    replies={200: Page[ShownCategory]},
    query=("$filter", "$orderBy", *PAGE),
    answer={"count": 1, "page": 1, "pageSize": 50, "links": {}, "items": [_CATEGORY]},
)
CATEGORY = Shape(replies={200: ShownCategory}, errors=(Code.NOT_FOUND,), answer=_CATEGORY)
CREATE_CATEGORY = Shape(
    CategoryBody,
    {201: ShownCategory},
    (Code.REQUIRED, Code.ALREADY_EXISTS),
    example={"name": "Mails", "parentId": 1},
    answer=_CATEGORY,
)
CHANGE_CATEGORY = Shape(
    CategoryBody,
    {200: ShownCategory},
    (Code.REQUIRED, Code.NOT_FOUND, Code.ALREADY_EXISTS, Code.INVALID_OPERATION),
    example={"name": "Mails", "parentId": 1},
    answer=_CATEGORY,
)
DELETE_CATEGORY = Shape(replies={200: {"const": "OK"}}, errors=(Code.NOT_FOUND, Code.INVALID_OPERATION), answer="OK")
