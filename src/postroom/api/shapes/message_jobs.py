"""Shapes of the routes of jobs over many messages."""

from postroom.api.errors import Code
from postroom.api.shape import AllOf, Shape
from postroom.api.wire.message_jobs import ShownJob, ShownResent, WireJob

_COUNTED = {
    "id": "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d18",
    "action": "resend",
    "status": "counted",
    "filter": {"definitionKey": "order", "status": "notSent", "to": "2026-01-05T10:00:00.000Z"},
    "requestedBy": "shop",
    "counted": "2026-01-05T10:00:00.000Z",
    "confirmed": None,
    "ended": None,
    "matching": {"queued": 0, "held": 0, "sent": 0, "notSent": 12, "more": False},
    "results": {"done": 0, "claimed": 0, "erased": 0, "definitionGone": 0, "otherState": 0, "refused": 0},
}
_RUNNING = _COUNTED | {"status": "running", "confirmed": "2026-01-05T10:01:00.000Z"}
_CANCELLED = _COUNTED | {"status": "cancelled", "ended": "2026-01-05T10:01:00.000Z"}

COUNT = Shape(
    WireJob,
    {201: ShownJob},
    (Code.REQUIRED,),
    required=("action", "filter"),
    example={"action": "resend", "filter": {"definitionKey": "order", "status": "notSent"}},
    answer=_COUNTED,
)
LIST = Shape(replies={200: AllOf[ShownJob]}, query=("$pageSize",), answer={"items": [_COUNTED], "count": 1})
ONE = Shape(replies={200: ShownJob}, errors=(Code.NOT_FOUND,), answer=_COUNTED)
CONFIRM = Shape(replies={202: ShownJob}, errors=(Code.NOT_FOUND, Code.STATE_TRANSITION), answer=_RUNNING)
CANCEL = Shape(replies={200: ShownJob}, errors=(Code.NOT_FOUND, Code.STATE_TRANSITION), answer=_CANCELLED)
RESENT = Shape(
    replies={200: AllOf[ShownResent]},
    errors=(Code.NOT_FOUND, Code.INVALID_VALUE),
    query=("after", "$pageSize"),
    answer={
        "items": [{"number": 1, "messageKey": "order-1", "resentAs": "order-1~kq3v0y2hT8u1xZbq7m9w4A"}],
        "count": 1,
    },
)
