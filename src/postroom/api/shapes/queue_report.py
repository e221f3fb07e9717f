"""Shape of the route that tells what is in the queue."""

from postroom.api.errors import Code
from postroom.api.shape import Shape
from postroom.api.wire.queue_report import ShownQueue

QUEUE = Shape(
    replies={200: ShownQueue},
    errors=(Code.INVALID_VALUE, Code.NOT_FOUND),
    query=("definitionKey",),
    answer={
        "at": "2026-01-05T10:00:00.000Z",
        "definitions": [
            {
                "definitionKey": "order",
                "status": "Active",
                "due": 0,
                "leased": 40,
                "waiting": 1210,
                "held": 0,
                "oldest": "2026-01-05T09:12:40.000Z",
                "next": "2026-01-05T10:03:11.000Z",
                "more": False,
            }
        ],
        "destinations": [
            {
                "domain": "slow.example",
                "messages": 1250,
                "inHand": 40,
                "tried": 900,
                "oldest": "2026-01-05T09:12:40.000Z",
                "next": "2026-01-05T10:03:11.000Z",
                "lastAttempt": {
                    "at": "2026-01-05T09:58:02.000Z",
                    "outcome": "deferred",
                    "host": "mx1.slow.example",
                    "stage": "rcpt",
                    "code": 451,
                    "reply": "4.7.1 Too many messages, slow down",
                },
                "putOffs": [{"reason": "siteBusy", "place": "mx1.slow.example", "messages": 310}],
            }
        ],
        "sites": [
            {
                "site": "mx1.slow.example",
                "messages": 310,
                "oldest": "2026-01-05T09:40:00.000Z",
                "next": "2026-01-05T10:03:11.000Z",
            }
        ],
        "relayAway": [],
        "looked": 1250,
        "more": False,
    },
)
