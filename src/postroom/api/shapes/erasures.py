"""Shapes of the erasure routes."""

from postroom.api.errors import Code
from postroom.api.shape import AllOf, Shape
from postroom.api.wire.erasures import ShownReceipt, WireErasure

_RECEIPT = {
    "id": "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d17",
    "state": "finished",
    "suppress": True,
    "requestedBy": "shop",
    "requested": "2026-01-05T09:00:00Z",
    "finished": "2026-01-05T09:00:01Z",
    "erased": {
        "contacts": 1,
        "listMemberships": 2,
        "queuedMessages": 0,
        "messages": 12,
        "requests": 11,
        "events": 14,
        "dataExtensionRows": 12,
        "capturedMails": 0,
        "suppressions": 0,
    },
}

ERASE = Shape(
    WireErasure,
    {201: ShownReceipt, 202: ShownReceipt},
    (Code.REQUIRED,),
    example={"contactKey": "ann"},
    answer=_RECEIPT,
)
LIST = Shape(replies={200: AllOf[ShownReceipt]}, query=("$pageSize",), answer={"items": [_RECEIPT], "count": 1})
ONE = Shape(replies={200: ShownReceipt}, errors=(Code.NOT_FOUND,), answer=_RECEIPT)
