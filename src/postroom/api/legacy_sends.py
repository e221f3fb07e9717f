"""Legacy triggered sends over the same pipeline as all others (contract §7.4).

A send's ``recipientSendId`` is its message key, so the status routes know it as well. The definition is named by
``key:<definitionKey>`` or by its id. Every send is queued, whatever its RequestType says.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from postroom.api.endpoint import Call
from postroom.api.errors import ApiError, Code
from postroom.api.messages import Accepting
from postroom.api.reply import Reply
from postroom.api.shape import Route
from postroom.api.shapes import legacy_sends as shapes
from postroom.api.times import fine_time
from postroom.api.wire.legacy_sends import (
    DeliveryRecord,
    MessageError,
    RecordTo,
    SendReply,
    SendResult,
    WireSend,
    read_batch,
    read_send,
)
from postroom.api.wire.messages import WireRecipient
from postroom.catalog.definitions import find_definition, find_definition_key
from postroom.content.address import parse_address
from postroom.events.status import message_status
from postroom.intake import request as intake
from postroom.store.database import Pool

SEND = frozenset({"email_send"})
READ = frozenset({"email_read"})

_NOT_QUEUED = MessageError("Unable to queue Triggered Send request. There are no valid subscribers.", 180008)
_STATUSES = {"queued": "Queued", "sent": "Sent", "not_sent": "Error"}

_encode = msgspec.json.Encoder().encode


class LegacySends:
    """The handlers. ``clock`` gives seconds since the epoch."""

    def __init__(self, pool: Pool, accepter: Accepting, *, status_hours: int, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._accepter = accepter
        self._status_hours = status_hours
        self._clock = clock

    def routes(self) -> list[Route]:
        """Every route with its scopes."""
        sends = "/messaging/v1/messageDefinitionSends/{id}"
        return [
            Route("POST", sends + "/send", SEND, self.send, shapes.SEND),
            Route("POST", sends + "/sendBatch", SEND, self.send_batch, shapes.SEND_BATCH),
            Route(
                "GET", sends + "/deliveryRecords/{recipientSendId}", READ, self.delivery_record, shapes.DELIVERY_RECORD
            ),
        ]

    async def send(self, call: Call) -> Reply:
        """POST /messageDefinitionSends/{id}/send: one recipient."""
        wire = read_send(await call.json_body())
        return await self._send(call, [wire])

    async def send_batch(self, call: Call) -> Reply:
        """POST /messageDefinitionSends/{id}/sendBatch: an array of what /send takes."""
        wires = read_batch(await call.json_body())
        return await self._send(call, wires)

    async def delivery_record(self, call: Call) -> Reply:
        """GET /messageDefinitionSends/{id}/deliveryRecords/{recipientSendId}."""
        await self._definition_key(call)
        send_id = call.key("recipientSendId", 1)
        now = datetime.fromtimestamp(self._clock(), UTC)
        found = await message_status(self._pool, call.account_id, send_id, since_hours=self._status_hours, now=now)
        if found is None:
            raise ApiError(Code.NOT_FOUND, f"no send with id {send_id[:100]!r} in the last {self._status_hours} hours")
        failed = found.kind == "not_sent"
        record = DeliveryRecord(
            id=found.message_key,
            message_id=found.message_key,
            status=_STATUSES[found.kind],
            delivery_time=None if found.kind == "queued" else fine_time(found.occurred_at),
            to=RecordTo(found.address, found.composite_id.rpartition(".")[2], found.contact_key),
            message_errors=[MessageError(found.status_message or "", found.status_code or 0)] if failed else [],
        )
        return Reply(_encode(record))

    async def _send(self, call: Call, wires: Sequence[WireSend]) -> Reply:
        definition_key = await self._definition_key(call)
        results = [_refusal(wire) for wire in wires]
        places = [place for place, result in enumerate(results) if result is None]
        recipients = [_recipient(wires[place]) for place in places]
        request_id = str(uuid7())
        if recipients:
            try:
                accepted = await self._accepter.accept(
                    intake.SendRequest(call.account_id, definition_key, recipients, msgspec.Raw())
                )
                request_id, outcomes = str(accepted.request_id), accepted.results
            except intake.NoValidRecipients as none:
                outcomes = list(none.results)
            except intake.DefinitionUnknown:
                raise _unknown(definition_key) from None
            for place, outcome in zip(places, outcomes, strict=True):
                results[place] = _result(outcome)
        return Reply(_encode(SendReply(request_id, [result for result in results if result is not None])), 202)

    async def _definition_key(self, call: Call) -> str:
        name = call.key("id")
        if name[:4].lower() == "key:":
            found = await find_definition(self._pool, call.account_id, name[4:])
            key = None if found is None else found.definition_key
        else:
            try:
                key = await find_definition_key(self._pool, call.account_id, UUID(name))
            except ValueError:
                key = None
        if key is None:
            raise _unknown(name)
        return key


def _refusal(wire: WireSend) -> SendResult | None:
    """Why a send is not even handed in."""
    to = wire.to
    if to is None or not to.address or parse_address(to.address) is None:
        return SendResult("", True, messages=["InvalidOrMissingToAddress"])
    if not to.subscriber_key:
        return SendResult("", True, message_errors=[_NOT_QUEUED])
    return None


def _recipient(wire: WireSend) -> WireRecipient:
    assert wire.to is not None
    attributes = wire.to.contact_attributes
    values = None if attributes is None else attributes.subscriber_attributes
    return WireRecipient(
        contact_key=wire.to.subscriber_key,
        to=wire.to.address,
        message_key=str(uuid7()),
        attributes=msgspec.Raw(_encode(values)) if values else msgspec.Raw(),
    )


def _result(outcome: intake.RecipientResult) -> SendResult:
    if outcome.error is not None:
        return SendResult("", True, message_errors=[_NOT_QUEUED])
    return SendResult(outcome.message_key, False, messages=["Queued"])


def _unknown(name: str) -> ApiError:
    return ApiError(Code.NOT_FOUND, f"there is no definition {name[:100]!r}; name it by its id or by key:<key>")
