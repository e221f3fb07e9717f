"""Shapes of the send and status routes."""

from postroom.api.errors import Code
from postroom.api.shape import AnyOf, Shape
from postroom.api.wire.messages import (
    Accepted,
    FinalStatus,
    ManyBody,
    NotSentList,
    OneBody,
    PartlyAccepted,
    QueuedStatus,
)
from postroom.intake.request import RecipientError

_HEADERS = ("Idempotency-Key", "Postroom-Definition-Version")
_REQUEST_ID = "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d11"
_RECIPIENT = {"contactKey": "ann", "to": "ann@example.org", "attributes": {"FirstName": "Ann"}}
_ACCEPTED = {202: AnyOf(PartlyAccepted, Accepted)}
_ERRORS: tuple[Code | RecipientError, ...] = (
    *(Code.REQUIRED_DEFINITION_KEY, Code.INVALID_DEFINITION_KEY, Code.UNKNOWN_FIELD, Code.BAD_FORMAT),
    *(Code.NO_SUBSCRIBERS, Code.ONCE_KEY_REUSED, Code.ONCE_IN_FLIGHT),
)

SEND_MANY = Shape(
    ManyBody,
    _ACCEPTED,
    (*_ERRORS, Code.TOO_MANY_SUBSCRIBERS, Code.NO_VALID_SUBSCRIBERS),
    required=("definitionKey", "recipients"),
    headers=_HEADERS,
    example={"definitionKey": "order", "recipients": [_RECIPIENT]},
    answer={"requestId": _REQUEST_ID, "errorcode": 0, "responses": [{"messageKey": "nFL4UYnWJEmQ3Un3HwJJSw"}]},
)
SEND_ONE = Shape(
    OneBody,
    _ACCEPTED,
    (*_ERRORS, *RecipientError),
    required=("definitionKey", "recipient"),
    headers=_HEADERS,
    example={"definitionKey": "order", "recipient": _RECIPIENT},
    answer={"requestId": _REQUEST_ID, "errorcode": 0, "responses": [{"messageKey": "order-1"}]},
)
NOT_SENT = Shape(
    replies={200: NotSentList},
    errors=(Code.REQUIRED,),
    query=("type", "$pageSize", "lastEventId"),
    answer={
        "requestId": _REQUEST_ID,
        "lastEventID": 35760,
        "messages": [
            {
                "statusCode": 2,
                "statusMessage": "Held",
                "eventCategoryType": "TransactionalSendEvents.EmailNotSent",
                "timestamp": "2026-01-05T13:05:40.947",
                "definitionKey": "order",
                "eventID": 35760,
                "info": {"messageKey": "order-1", "contactKey": "ann"},
            }
        ],
        "count": 1,
        "pageSize": 20,
    },
)
STATUS = Shape(
    replies={200: AnyOf(FinalStatus, QueuedStatus)},
    errors=(Code.NOT_FOUND,),
    answer={
        "requestId": _REQUEST_ID,
        "eventCategoryType": "TransactionalSendEvents.EmailSent",
        "timestamp": "2026-01-05T03:41:18.55",
        "compositeId": "019B2F5E-6D4C-7B1A-9A55-0F6F1C9F2D12.17.1.4.23",
        "info": {"messageKey": "order-1", "contactKey": "ann", "to": "ann@example.org"},
    },
)
