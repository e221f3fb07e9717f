"""Shapes of the Event Notification Service's routes."""

from postroom.api.errors import Code
from postroom.api.shape import NOTHING, Shape
from postroom.api.wire.ens import (
    Replay,
    ShownCallback,
    ShownKey,
    ShownSubscription,
    WireCallback,
    WireReplay,
    WireSubscription,
    WireVerification,
)

_CALLBACK_ID = "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d19"
_SUBSCRIPTION_ID = "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d1a"
_NAMED = {"callbackId": _CALLBACK_ID}
_CALLBACK = _NAMED | {
    "callbackName": "shop",
    "url": "https://shop.example.org/mail-events",
    "maxBatchSize": 1000,
    "status": "verified",
    "statusReason": "none",
}
_KEY = _NAMED | {
    "callbackName": "shop",
    "url": "https://shop.example.org/mail-events",
    "signatureKey": "c2lnbmF0dXJlIGtleSBvZiAzMiBieXRlcywgb25jZSE=",
}
_EVENTS = ["TransactionalSendEvents.EmailSent", "TransactionalSendEvents.EmailNotSent"]
_CREATED = _NAMED | {
    "callbackName": "shop",
    "subscriptionName": "orders",
    "eventCategoryTypes": _EVENTS,
    "subscriptionId": _SUBSCRIPTION_ID,
    "filters": ["definitionKey=order"],
    "status": "active",
}
_SUBSCRIPTION = _CREATED | {
    "url": "https://shop.example.org/mail-events",
    "maxBatchSize": 1000,
    "statusReason": "none",
}
_ARRAY = (Code.REQUIRED, Code.BAD_FORMAT)

CREATE_CALLBACK = Shape(
    list[WireCallback],
    {201: list[ShownKey], 304: NOTHING},
    (*_ARRAY, Code.PROBE_FAILED),
    required=("callbackName", "url"),
    example=[{"callbackName": "shop", "url": "https://shop.example.org/mail-events", "maxBatchSize": 1000}],
    answer=[_KEY | {"maxBatchSize": 1000}],
)
CALLBACKS = Shape(replies={200: list[ShownCallback]}, answer=[_CALLBACK])
CHANGE_CALLBACK = Shape(
    list[WireCallback],
    {200: list[ShownCallback]},
    (*_ARRAY, Code.NOT_FOUND),
    required=("callbackId",),
    example=[_NAMED | {"callbackName": "shop", "maxBatchSize": 500}],
    answer=[_CALLBACK | {"maxBatchSize": 500}],
)
CALLBACK = Shape(replies={200: ShownCallback}, errors=(Code.NOT_FOUND, Code.REQUIRED), answer=_CALLBACK)
REMOVE_CALLBACK = Shape(
    replies={200: {"type": "object"}},
    errors=(Code.NOT_FOUND, Code.REQUIRED, Code.STATE_TRANSITION),
    answer={},
)
VERIFY = Shape(
    WireVerification,
    {200: ShownCallback},
    (Code.REQUIRED, Code.NOT_FOUND),
    required=("callbackId", "verificationKey"),
    example=_NAMED | {"verificationKey": "…"},
    answer=_CALLBACK,
)
REGENERATE = Shape(
    list[WireCallback],
    {200: list[ShownKey]},
    (*_ARRAY, Code.NOT_FOUND),
    required=("callbackId",),
    example=[_NAMED],
    answer=[_KEY],
)
REPLAY = Shape(
    WireReplay,
    {202: Replay},
    (*_ARRAY, Code.NOT_FOUND),
    required=("from",),
    example={"from": "2026-01-05T09:00:00Z"},
    answer=_NAMED | {"from": "2026-01-05T09:00:00+00:00"},
)

CREATE_SUBSCRIPTION = Shape(
    list[WireSubscription],
    {201: list[ShownSubscription], 304: NOTHING},
    (*_ARRAY, Code.NOT_FOUND, Code.INVALID_OPERATION),
    required=("callbackId", "subscriptionName", "eventCategoryTypes"),
    example=[
        _NAMED | {"subscriptionName": "orders", "eventCategoryTypes": _EVENTS, "filters": ["definitionKey=order"]}
    ],
    answer=[_CREATED],
)
CHANGE_SUBSCRIPTION = Shape(
    list[WireSubscription],
    {200: list[ShownSubscription]},
    (*_ARRAY, Code.NOT_FOUND, Code.ALREADY_EXISTS),
    required=("subscriptionId", "eventCategoryTypes"),
    example=[{"subscriptionId": _SUBSCRIPTION_ID, "eventCategoryTypes": _EVENTS, "status": "paused"}],
    answer=[_SUBSCRIPTION | {"status": "paused"}],
)
SUBSCRIPTION = Shape(replies={200: ShownSubscription}, errors=(Code.NOT_FOUND, Code.REQUIRED), answer=_SUBSCRIPTION)
SUBSCRIPTIONS = Shape(
    replies={200: list[ShownSubscription]}, errors=(Code.NOT_FOUND, Code.REQUIRED), answer=[_SUBSCRIPTION]
)
REMOVE_SUBSCRIPTION = Shape(replies={200: {"type": "object"}}, errors=(Code.NOT_FOUND, Code.REQUIRED), answer={})
