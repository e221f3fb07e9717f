"""Shapes of the legacy triggered sends."""

from postroom.api.errors import Code
from postroom.api.shape import Shape
from postroom.api.wire.legacy_sends import DeliveryRecord, SendReply, WireSend

_ID = "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d1b"
_SEND = {
    "From": {"Address": "shop@example.org", "Name": "The Shop"},
    "To": {
        "Address": "ann@example.org",
        "SubscriberKey": "ann",
        "ContactAttributes": {"SubscriberAttributes": {"FirstName": "Ann"}},
    },
    "Options": {"RequestType": "ASYNC"},
}
_ANSWER = {
    "requestId": "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d11",
    "responses": [{"recipientSendId": _ID, "hasErrors": False, "messages": ["Queued"]}],
}

SEND = Shape(WireSend, {202: SendReply}, (Code.NOT_FOUND,), required=("To",), example=_SEND, answer=_ANSWER)
SEND_BATCH = Shape(
    list[WireSend],
    {202: SendReply},
    (Code.NOT_FOUND, Code.NO_SUBSCRIBERS, Code.TOO_MANY_SUBSCRIBERS),
    required=("To",),
    example=[_SEND],
    answer=_ANSWER,
)
DELIVERY_RECORD = Shape(
    replies={200: DeliveryRecord},
    errors=(Code.NOT_FOUND,),
    answer={
        "id": _ID,
        "messageId": _ID,
        "status": "Sent",
        "deliveryTime": "2026-01-05T03:41:18.55",
        "to": {"address": "ann@example.org", "id": "23", "key": "ann"},
        "messageErrors": [],
    },
)
