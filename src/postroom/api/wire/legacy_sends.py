"""Legacy triggered sends on the wire (contract §7.4)."""

from typing import Any

import msgspec

from postroom.api.errors import ApiError, Code
from postroom.api.wire.decoding import decode, refuse_token_in

MOST_SENDS = 2_000


class WireSubscriberAttributes(msgspec.Struct, rename="pascal"):
    subscriber_attributes: dict[str, Any] | None = None


class WireTo(msgspec.Struct, rename="pascal"):
    address: str | None = None
    subscriber_key: str | None = None
    contact_attributes: WireSubscriberAttributes | None = None


class WireSend(msgspec.Struct, rename="pascal"):
    """One send. ``From`` and ``Options`` change nothing: the sender is the definition's, and every send is queued."""

    to: WireTo | None = None


class MessageError(msgspec.Struct, rename="camel", omit_defaults=True):
    message_error_status: str
    message_error_code: int = 0


class SendResult(msgspec.Struct, rename="camel"):
    """What became of one send."""

    recipient_send_id: str
    has_errors: bool
    messages: list[str] | msgspec.UnsetType = msgspec.UNSET
    message_errors: list[MessageError] | msgspec.UnsetType = msgspec.UNSET


class SendReply(msgspec.Struct, rename="camel"):
    """202 of both send routes."""

    request_id: str
    responses: list[SendResult]


class RecordTo(msgspec.Struct):
    address: str
    id: str
    key: str


class DeliveryRecord(msgspec.Struct, rename="camel"):
    """What is known of one send."""

    id: str
    message_id: str
    status: str
    delivery_time: str | None
    to: RecordTo
    message_errors: list[MessageError]


_one = msgspec.json.Decoder(WireSend)
_many = msgspec.json.Decoder(list[WireSend])


def read_send(body: bytes) -> WireSend:
    """The body of /send. Raises ApiError."""
    wire = decode(_one, body)
    refuse_token_in(body)
    return wire


def read_batch(body: bytes) -> list[WireSend]:
    """The body of /sendBatch. Raises ApiError."""
    wire = decode(_many, body)
    if not wire:
        raise ApiError(Code.NO_SUBSCRIBERS, "the body must hold at least one send")
    if len(wire) > MOST_SENDS:
        raise ApiError(Code.TOO_MANY_SUBSCRIBERS, f"the body holds {len(wire)} sends; at most {MOST_SENDS} are allowed")
    return wire
