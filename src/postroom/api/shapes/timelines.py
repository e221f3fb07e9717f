"""Shape of the timeline route."""

from postroom.api.errors import Code
from postroom.api.shape import Shape
from postroom.api.wire.timeline import ShownTimeline

TIMELINE = Shape(
    replies={200: ShownTimeline},
    errors=(Code.NOT_FOUND,),
    answer={
        "messageKey": "order-1",
        "contactKey": "ann",
        "to": "ann@example.org",
        "status": "sent",
        "complete": True,
        "entries": [
            {
                "type": "accepted",
                "at": "2026-01-05T09:41:18.112Z",
                "requestId": "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d11",
                "position": 0,
                "definitionKey": "order",
                "version": 17,
            },
            {"type": "claimed", "at": "2026-01-05T09:41:18.201Z", "number": 1},
            {"type": "composed", "at": "2026-01-05T09:41:18.204Z", "number": 1},
            {
                "type": "attempt",
                "at": "2026-01-05T09:41:18.550Z",
                "eventId": "35760",
                "number": 1,
                "outcome": "sent",
                "host": "mx1.example.org",
                "address": "192.0.2.25:25",
                "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384",
                "code": 250,
                "enhanced": "2.0.0",
                "reply": "2.0.0 Ok: queued as 4F5B1",
            },
            {
                "type": "sent",
                "at": "2026-01-05T09:41:18.550Z",
                "eventId": "35760",
                "subject": "Your order",
            },
            {
                "type": "webhook",
                "at": "2026-01-05T09:41:18.731Z",
                "eventId": "35760",
                "eventType": "TransactionalSendEvents.EmailSent",
                "callbackId": "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d12",
                "callbackName": "Orders",
                "state": "told",
                "status": 204,
                "milliseconds": 41,
                "webhookId": "msg_019b2f5e6d4c7b1a9a550f6f1c9f2d12_35758_35760_3",
                "events": 3,
                "times": 1,
                "attempt": 1,
            },
        ],
    },
)
