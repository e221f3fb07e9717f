"""Shape of the route that finds messages."""

from postroom.api.shape import Shape
from postroom.api.wire.search import ShownMessages

SEARCH = Shape(
    replies={200: ShownMessages},
    query=("recipient", "contactKey", "definitionKey", "status", "from", "to", "cursor", "$pageSize"),
    answer={
        "items": [
            {
                "messageKey": "order-1",
                "contactKey": "ann",
                "to": "ann@example.org",
                "definitionKey": "order",
                "accepted": "2026-01-05T09:41:18.112Z",
                "status": "notSent",
                "occurred": "2026-01-05T09:41:18.550Z",
                "statusCode": 101,
                "statusMessage": "Failure",
                "bounced": False,
                "held": False,
            }
        ],
        "count": 1,
        "cursor": None,
    },
)
