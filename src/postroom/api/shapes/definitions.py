"""Shapes of the definition routes and of their queues."""

from postroom.api.errors import Code
from postroom.api.shape import PAGE, Shape, object_of
from postroom.api.wire.definitions import DefinitionBody, Definitions, Deleted, ShownDefinition

_WRONG = (
    *(Code.REQUIRED, Code.INVALID_OPTIONS, Code.INVALID_AUTO_ADD, Code.INVALID_UPDATE),
    *(Code.CLASSIFICATION_TYPE, Code.EMAIL_INVALID, Code.ALREADY_EXISTS),
)
_REQUEST_ID = "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d11"
_SHOWN = {
    "requestId": _REQUEST_ID,
    "name": "Order shipped",
    "definitionKey": "order",
    "definitionId": "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d12",
    "classification": "Default Transactional",
    "status": "Active",
    "createdDate": "2026-01-05T09:00:00",
    "modifiedDate": "2026-01-05T09:00:00",
    "content": {"customerKey": "order-email"},
    "subscriptions": {"list": "All Subscribers - 1", "autoAddSubscriber": True, "updateSubscriber": True},
    "options": {"trackLinks": True},
    "journey": {},
}

CREATE = Shape(
    DefinitionBody,
    {201: ShownDefinition},
    (*_WRONG, Code.REQUIRED_DEFINITION_KEY),
    required=("definitionKey", "name", "content", "subscriptions"),
    example={
        "definitionKey": "order",
        "name": "Order shipped",
        "status": "Active",
        "content": {"customerKey": "order-email"},
        "subscriptions": {"list": "All Subscribers"},
    },
    answer=_SHOWN,
)
LIST = Shape(
    replies={200: Definitions},
    query=("$filter", "$orderBy", *PAGE),
    answer={
        "requestId": _REQUEST_ID,
        "definitions": [
            {name: _SHOWN[name] for name in ("name", "definitionKey", "status", "createdDate", "modifiedDate")}
        ],
        "count": 1,
        "page": 1,
        "pageSize": 50,
    },
)
GET = Shape(replies={200: ShownDefinition}, errors=(Code.NOT_FOUND,), answer=_SHOWN)
CHANGE = Shape(
    DefinitionBody,
    {200: ShownDefinition},
    (*_WRONG, Code.NOT_FOUND, Code.STATE_TRANSITION),
    example={"status": "Inactive"},
    answer=_SHOWN | {"status": "Inactive"},
)
DELETE = Shape(
    replies={200: Deleted},
    errors=(Code.NOT_FOUND,),
    answer={
        "requestId": _REQUEST_ID,
        "message": "Success",
        "deletedDefinitionKey": "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d13",
        "journey": {},
    },
)
QUEUE = Shape(
    replies={
        200: object_of(requestId={"type": "string"}, count={"type": "integer"}, ageSeconds={"type": "integer"}),
    },
    errors=(Code.NOT_FOUND,),
    answer={"requestId": _REQUEST_ID, "count": 22, "ageSeconds": 45},
)
CLEAR_QUEUE = Shape(
    replies={200: object_of(requestId={"type": "string"}, message={"const": "Queued"})},
    errors=(Code.NOT_FOUND, Code.INVALID_OPERATION),
    answer={"requestId": _REQUEST_ID, "message": "Queued"},
)
