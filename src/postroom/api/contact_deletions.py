"""The vendor's routes to delete contacts and to ask how far that is; each contact is an erasure."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from uuid_utils.compat import uuid7

from postroom.api.endpoint import Call
from postroom.api.erasures import READ, WRITE
from postroom.api.errors import ApiError, Code
from postroom.api.reply import Reply
from postroom.api.shape import Route, Shape
from postroom.api.times import fine_time
from postroom.api.wire.audience import required_key
from postroom.api.wire.decoding import decode, refuse_token_in
from postroom.privacy.contact_deletion import ContactDeletion, begin_deletion, find_deletion
from postroom.store.database import Pool

MOST_CONTACTS = 1000
_ONLY = "ContactAndAttributes"

_encode = msgspec.json.Encoder().encode


class WireDeletion(msgspec.Struct):
    """Contact keys, and what to delete: always the contact with its attributes."""

    values: list[str] | None = None
    DeleteOperationType: str | None = None


class BegunDeletion(msgspec.Struct, rename="camel"):
    """The call is taken; its number asks how far it is."""

    operation_initiated: bool
    operation_id: int = msgspec.field(name="operationID")
    request_service_message_id: str = msgspec.field(name="requestServiceMessageID")
    result_messages: list[str]
    service_message_id: str = msgspec.field(name="serviceMessageID")


class BackgroundOperation(msgspec.Struct, rename="camel"):
    """How far the erasing is: what clients look at."""

    background_operation_id: int = msgspec.field(name="backgroundOperationID")
    created_date: str
    background_operation_status_id: Literal["Completed", "Processing"] = msgspec.field(
        name="backgroundOperationStatusID"
    )


class ShownDeletion(msgspec.Struct, rename="camel"):
    """How a call to delete contacts stands."""

    operation_mappings: list[str]
    background_operations_summary: list[BackgroundOperation]
    numberof_restorable_days: int
    operation: dict[str, Any]
    request_service_message_id: str = msgspec.field(name="requestServiceMessageID")
    response_date_time: str
    result_messages: list[str]
    service_message_id: str = msgspec.field(name="serviceMessageID")


_deletion = msgspec.json.Decoder(WireDeletion)

_ID, _OTHER_ID = "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d17", "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d18"
_TIME = "2026-01-05T03:41:18.55"
_MESSAGE = {"requestServiceMessageID": _ID, "resultMessages": [], "serviceMessageID": _OTHER_ID}
DELETE = Shape(
    WireDeletion,
    {200: BegunDeletion},
    (Code.REQUIRED,),
    required=("values",),
    example={"values": ["ann"], "DeleteOperationType": _ONLY},
    answer={"operationInitiated": True, "operationID": 2} | _MESSAGE,
)
STATUS = Shape(
    replies={200: ShownDeletion},
    errors=(Code.REQUIRED, Code.NOT_FOUND),
    query=("operationID",),
    answer={
        "operationMappings": [],
        "backgroundOperationsSummary": [
            {"backgroundOperationID": 2, "createdDate": _TIME, "backgroundOperationStatusID": "Completed"}
        ],
        "numberofRestorableDays": 0,
        "operation": {"operationID": 2, "expectedListCount": 1, "deleteType": _ONLY, "status": "Completed"},
        "responseDateTime": _TIME,
    }
    | _MESSAGE,
)


class ContactDeletions:
    """The handlers. ``clock`` gives seconds since the epoch."""

    def __init__(self, pool: Pool, *, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._clock = clock

    def routes(self) -> list[Route]:
        """Both, with their scopes."""
        path = "/contacts/v1/contacts/actions/delete"
        return [
            Route("POST", path, WRITE, self.delete, DELETE),
            Route("GET", path + "/status", READ, self.status, STATUS),
        ]

    async def delete(self, call: Call) -> Reply:
        """POST /contacts/actions/delete?type=keys: each contact is erased, beginning within some seconds."""
        kind = call.query.get("type", "keys")
        if kind.lower() != "keys":
            raise ApiError(Code.INVALID_VALUE, f"type is {kind[:50]!r}; contacts are deleted by their keys")
        keys = _read_keys(await call.json_body())
        async with self._pool.acquire() as connection, connection.transaction():
            number = await begin_deletion(
                connection, call.account_id, keys, new_id=uuid7, requested_by=call.access.client_id
            )
        return Reply(_encode(BegunDeletion(True, number, str(uuid7()), [], str(uuid7()))))

    async def status(self, call: Call) -> Reply:
        """GET /contacts/actions/delete/status: how far it is."""
        text = call.query.get("operationid")
        if not text:
            raise ApiError(Code.REQUIRED, "operationID is required in the query")
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise ApiError(Code.INVALID_VALUE, f"operationID is {text[:50]!r}; it must be a number")
        found = await find_deletion(self._pool, call.account_id, int(text))
        if found is None:
            raise ApiError(Code.NOT_FOUND, f"there is no deletion of contacts with operationID {text}")
        now = fine_time(datetime.fromtimestamp(self._clock(), UTC))
        return Reply(_encode(_shown(call.account_id, found, now)))


def _read_keys(body: bytes) -> list[str]:
    wire = decode(_deletion, body)
    refuse_token_in(body)
    if not wire.values:
        raise ApiError(Code.REQUIRED, "values is required: the keys of contacts")
    if len(wire.values) > MOST_CONTACTS:
        raise ApiError(Code.INVALID_VALUE, f"values holds {len(wire.values)} keys; at most {MOST_CONTACTS} are allowed")
    kind = wire.DeleteOperationType or _ONLY
    if kind.lower() != _ONLY.lower():
        raise ApiError(Code.INVALID_VALUE, f"DeleteOperationType is {kind[:50]!r}; it must be {_ONLY}")
    return [required_key(f"values[{place}]", key) for place, key in enumerate(wire.values)]


def _shown(account_id: int, found: ContactDeletion, now: str) -> ShownDeletion:
    status: Literal["Completed", "Processing"] = "Processing" if found.waiting else "Completed"
    created, changed = fine_time(found.requested_at), fine_time(found.ended_at)
    operation = {
        "operationID": found.operation_id,
        "expectedListCount": found.contacts,
        "deleteType": _ONLY,
        "eID": account_id,
        "mID": account_id,
        "status": status,
        "scheduledDate": created,
        "startDate": created,
        "retryCount": 0,
        "createdDate": created,
        "modifiedDate": changed,
    }
    background = BackgroundOperation(found.operation_id, created, status)
    return ShownDeletion([], [background], 0, operation, str(uuid7()), now, [], str(uuid7()))
