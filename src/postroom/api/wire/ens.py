"""Callbacks and subscriptions of the Event Notification Service on the wire (contract §6).

The vendor's create and update calls take, and give, arrays of one object.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from postroom.api.errors import ApiError, Code
from postroom.api.wire.decoding import decode, refuse_token_in, shorter, storable
from postroom.events.callbacks import Callback
from postroom.events.reach import UrlRefused, read_url
from postroom.events.subscriptions import FILTERS, FilterWrong, Status, Subscription, check_filters

SMALLEST_BATCH = 100
LARGEST_BATCH = 1000
LONGEST_NAME = 200
LONGEST_REASON = 500
LONGEST_FILTER = 500
MOST_FILTERS = 50

_T = TypeVar("_T")
_TYPES = {name.lower(): name for name in FILTERS}
_STATUSES: dict[str, Status] = {"active": "active", "paused": "paused"}


class WireCallback(msgspec.Struct, rename="camel"):
    callback_id: str | None = None
    callback_name: str | None = None
    url: str | None = None
    max_batch_size: int | None = None


class WireVerification(msgspec.Struct, rename="camel"):
    callback_id: str | None = None
    verification_key: str | None = None


class WireSubscription(msgspec.Struct, rename="camel"):
    callback_id: str | None = None
    subscription_id: str | None = None
    subscription_name: str | None = None
    event_category_types: list[str] | None = None
    filters: list[str] | None = None
    status: str | None = None
    status_reason: str | None = None


class WireReplay(msgspec.Struct, rename={"since": "from"}):
    since: str | None = None


class ShownCallback(msgspec.Struct, rename="camel"):
    """A callback as it is read: its signature key never."""

    callback_id: str
    callback_name: str
    url: str
    max_batch_size: int
    status: Literal["verified", "unverified"]
    status_reason: str


class ShownKey(msgspec.Struct, rename="camel", kw_only=True):
    """A callback as it is shown once, with its signature key."""

    callback_name: str
    callback_id: str
    url: str
    signature_key: str
    max_batch_size: int | UnsetType = UNSET


class ShownSubscription(msgspec.Struct, rename="camel", kw_only=True):
    """A subscription; the reply of its creation has less."""

    callback_id: str
    callback_name: str
    subscription_name: str
    event_category_types: list[str]
    subscription_id: str
    filters: list[str]
    status: Status
    url: str | UnsetType = UNSET
    max_batch_size: int | UnsetType = UNSET
    status_reason: str | UnsetType = UNSET


class Replay(msgspec.Struct, rename={"callback_id": "callbackId", "since": "from"}):
    """What is sent again."""

    callback_id: str
    since: str


_callbacks = msgspec.json.Decoder(list[WireCallback])
_verification = msgspec.json.Decoder(WireVerification)
_subscriptions = msgspec.json.Decoder(list[WireSubscription])
_replay = msgspec.json.Decoder(WireReplay)


class NewCallback(msgspec.Struct, frozen=True):
    """What POST /ens-callbacks says."""

    name: str
    url: str
    max_batch_size: int


class ChangedCallback(msgspec.Struct, frozen=True):
    """What PUT /ens-callbacks says; None is not given."""

    callback_id: UUID
    name: str | None
    max_batch_size: int | None


class NewSubscription(msgspec.Struct, frozen=True):
    """What POST /ens-subscriptions says."""

    callback_id: UUID
    name: str
    event_types: list[str]
    filters: list[str]


class ChangedSubscription(msgspec.Struct, frozen=True):
    """What PUT /ens-subscriptions says; None is not given."""

    subscription_id: UUID
    event_types: list[str]
    filters: list[str] | None
    name: str | None
    status: Status | None
    status_reason: str | None


def read_new_callback(body: bytes, *, private: bool) -> NewCallback:
    """The body of POST /ens-callbacks; ``private`` as for `read_url`. Raises ApiError naming the field."""
    wire = _only(_callbacks, body)
    name = _name("callbackName", wire.callback_name)
    url = _required("url", wire.url)
    try:
        read_url(url, private=private)
    except UrlRefused as refused:
        raise ApiError(Code.INVALID_VALUE, str(refused)) from None
    return NewCallback(name, url, _batch_size(wire.max_batch_size) or LARGEST_BATCH)


def read_changed_callback(body: bytes) -> ChangedCallback:
    """The body of PUT /ens-callbacks. Raises ApiError naming the field."""
    wire = _only(_callbacks, body)
    name = None if wire.callback_name is None else _name("callbackName", wire.callback_name)
    return ChangedCallback(identity("callbackId", wire.callback_id), name, _batch_size(wire.max_batch_size))


def read_regeneration(body: bytes) -> UUID:
    """The callback that PUT /ens-regenerate names. Raises ApiError."""
    return identity("callbackId", _only(_callbacks, body).callback_id)


def read_verification(body: bytes) -> tuple[UUID, str]:
    """Callback and key of POST /ens-verify, which takes a bare object. Raises ApiError."""
    wire = decode(_verification, body)
    refuse_token_in(body)
    return identity("callbackId", wire.callback_id), _required("verificationKey", wire.verification_key)


def read_new_subscription(body: bytes) -> NewSubscription:
    """The body of POST /ens-subscriptions. Raises ApiError naming the field."""
    wire = _only(_subscriptions, body)
    callback_id = identity("callbackId", wire.callback_id)
    name = _name("subscriptionName", wire.subscription_name)
    types = _event_types(wire.event_category_types)
    return NewSubscription(callback_id, name, types, _filters(types, wire.filters) or [])


def read_changed_subscription(body: bytes) -> ChangedSubscription:
    """The body of PUT /ens-subscriptions. Raises ApiError naming the field."""
    wire = _only(_subscriptions, body)
    types = _event_types(wire.event_category_types)
    status = None
    if wire.status is not None:
        status = _STATUSES.get(wire.status.lower())
        if status is None:
            raise ApiError(Code.INVALID_VALUE, f"status is {wire.status[:50]!r}; use active or paused")
    if wire.status_reason is not None:
        storable({"statusReason": wire.status_reason})
        shorter("statusReason", wire.status_reason, LONGEST_REASON)
    return ChangedSubscription(
        identity("subscriptionId", wire.subscription_id),
        types,
        _filters(types, wire.filters),
        None if wire.subscription_name is None else _name("subscriptionName", wire.subscription_name),
        status,
        wire.status_reason,
    )


def read_replay(body: bytes, *, now: datetime) -> datetime:
    """The moment in a replay's body: ISO 8601 with an offset, or a date, whose UTC midnight is meant.

    Raises ApiError.
    """
    wire = decode(_replay, body)
    refuse_token_in(body)
    text = _required("from", wire.since)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ApiError(
            Code.BAD_FORMAT, f"from is {text[:50]!r}; write a time such as 2026-01-05T09:00:00Z, or a date"
        ) from None
    if moment.tzinfo is None:
        if len(text) > 10:
            raise ApiError(Code.BAD_FORMAT, f"from is {text[:50]!r}; end it with the offset, Z for UTC")
        moment = moment.replace(tzinfo=UTC)
    if not 2000 <= moment.year <= 9000 or moment > now:
        raise ApiError(Code.INVALID_VALUE, f"from is {text[:50]!r}; it must be in the past, after the year 2000")
    return moment.astimezone(UTC)


def shown_callback(callback: Callback) -> ShownCallback:
    """A callback as GET shows it."""
    failing = callback.failing_since
    return ShownCallback(
        str(callback.callback_id),
        callback.name,
        callback.url,
        callback.max_batch_size,
        "verified" if callback.verified else "unverified",
        "none" if failing is None else f"failing since {_moment(failing)}: {callback.last_error}",
    )


def shown_key(callback: Callback, *, new: bool) -> ShownKey:
    """A callback with its signature key, when it is created or gets another key."""
    return ShownKey(
        callback_name=callback.name,
        callback_id=str(callback.callback_id),
        url=callback.url,
        signature_key=callback.signature_key,
        max_batch_size=callback.max_batch_size if new else UNSET,
    )


def shown_subscription(subscription: Subscription, callback: Callback, *, more: bool) -> ShownSubscription:
    """A subscription; ``more`` as GET shows it."""
    return ShownSubscription(
        callback_id=str(callback.callback_id),
        callback_name=callback.name,
        subscription_name=subscription.name,
        event_category_types=list(subscription.event_types),
        subscription_id=str(subscription.subscription_id),
        filters=list(subscription.filters),
        status=subscription.status,
        url=callback.url if more else UNSET,
        max_batch_size=callback.max_batch_size if more else UNSET,
        status_reason=subscription.status_reason if more else UNSET,
    )


def identity(field: str, text: str | None) -> UUID:
    """An id as a client gives it. Raises ApiError: 10002 for none, 30003 for one that can't exist."""
    given = _required(field, text)
    try:
        return UUID(given)
    except ValueError:
        raise unknown(field, given) from None


def unknown(field: str, value: object) -> ApiError:
    """The error for an id nothing has."""
    return ApiError(Code.NOT_FOUND, f"there is no object with {field} {str(value)[:100]!r}")


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _only(decoder: "msgspec.json.Decoder[list[_T]]", body: bytes) -> _T:
    items = decode(decoder, body)
    if len(items) != 1:
        raise ApiError(Code.BAD_FORMAT, f"the body must be an array of one object, not of {len(items)}")
    # The field would stand in the array's object.
    refuse_token_in(body.strip()[1:-1])
    return items[0]


def _required(field: str, text: str | None) -> str:
    if text is None or not text.strip():
        raise ApiError(Code.REQUIRED, f"{field} is required")
    storable({field: text})
    return text


def _name(field: str, text: str | None) -> str:
    name = _required(field, text)
    shorter(field, name, LONGEST_NAME)
    return name


def _batch_size(size: int | None) -> int | None:
    if size is not None and not SMALLEST_BATCH <= size <= LARGEST_BATCH:
        raise ApiError(Code.INVALID_VALUE, f"maxBatchSize is {size}; use {SMALLEST_BATCH} to {LARGEST_BATCH}")
    return size


def _event_types(given: list[str] | None) -> list[str]:
    if not given:
        raise ApiError(Code.REQUIRED, "eventCategoryTypes is required and must not be empty")
    types = []
    for text in given:
        known = _TYPES.get(text.lower())
        if known is None:
            raise ApiError(
                Code.INVALID_VALUE, f"eventCategoryTypes holds {text[:100]!r}; the types are {', '.join(FILTERS)}"
            )
        types.append(known)
    return list(dict.fromkeys(types))


def _filters(types: Sequence[str], given: list[str] | None) -> list[str] | None:
    if given is None:
        return None
    if len(given) > MOST_FILTERS:
        raise ApiError(Code.INVALID_VALUE, f"filters holds {len(given)} filters; at most {MOST_FILTERS} are allowed")
    for text in given:
        storable({"filters": text})
        shorter("a filter", text, LONGEST_FILTER)
    try:
        check_filters(types, given)
    except FilterWrong as wrong:
        raise ApiError(Code.INVALID_VALUE, str(wrong)) from None
    return given
