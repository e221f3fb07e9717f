"""The send routes and the status of a message (contract §4, §5.1)."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

import msgspec
import uuid_utils

from postroom.api.definitions import LARGEST_PAGE_SIZE, number_field
from postroom.api.endpoint import Call
from postroom.api.errors import ApiError, Code
from postroom.api.extras import REPLAYED, once_of, pinned_version
from postroom.api.reply import Reply
from postroom.api.times import fine_time
from postroom.api.wire.decoding import decode
from postroom.api.wire.messages import (
    Accepted,
    FinalStatus,
    NotSentInfo,
    NotSentList,
    NotSentMessage,
    PartlyAccepted,
    QueuedStatus,
    StatusInfo,
    WireResponse,
    many_decoder,
    one_decoder,
)
from postroom.events.not_sent import NotSent, not_sent_after
from postroom.events.status import MessageStatus, days_back
from postroom.events.status_reads import StatusReads
from postroom.intake import request as intake
from postroom.store.database import Pool

MOST_RECIPIENTS = 2000  # contract §4.1
NOT_SENT_PAGE_SIZE = 20  # contract §5.2
IN_FLIGHT_SECONDS = 1
LONGEST_WAIT_HOURS = 24 * 14  # between a message's accept and its end, at the most

_KINDS = {
    "queued": "TransactionalSendEvents.EmailQueued",
    "sent": "TransactionalSendEvents.EmailSent",
    "not_sent": "TransactionalSendEvents.EmailNotSent",
}

_encode = msgspec.json.Encoder().encode

_RECIPIENT_TEXTS = {
    intake.RecipientError.MISSING_SUBSCRIBER_KEY: "contactKey is required",
    intake.RecipientError.MISSING_TO: "Invalid subscriber",
    intake.RecipientError.INVALID_MESSAGE_KEY: "messageKey must have 1 to 100 characters and no NUL",
    intake.RecipientError.INVALID_SUBSCRIBER_KEY: "contactKey is too long or holds a NUL",
    intake.RecipientError.DUPLICATE_MESSAGE_KEY: "messageKey was used before",
    intake.RecipientError.INVALID_TO: "to is not an email address",
}

_RECIPIENT_MESSAGES = {error: f"{error.code_name}: {_RECIPIENT_TEXTS[error]}" for error in intake.RecipientError}


class Accepting(Protocol):
    """What the routes need of `intake.accept.Accepter`."""

    async def accept(self, request: intake.SendRequest) -> intake.Accepted: ...


class Messages:
    """The handlers. ``clock`` gives seconds since the epoch."""

    def __init__(self, pool: Pool, accepter: Accepting, *, status_hours: int, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._accepter = accepter
        self._status_hours = status_hours
        self._clock = clock
        self._reads = StatusReads(pool, since_hours=status_hours, now=lambda: datetime.fromtimestamp(clock(), UTC))

    async def send_many(self, call: Call) -> Reply:
        """POST /messages: up to 2,000 recipients."""
        raw = await call.json_body()
        body = decode(many_decoder, raw)
        definition_key = _definition_key(body.definition_key)
        recipients = body.recipients
        if not recipients:
            raise ApiError(Code.NO_SUBSCRIBERS, "recipients must hold at least one recipient")
        if len(recipients) > MOST_RECIPIENTS:
            raise ApiError(
                Code.TOO_MANY_SUBSCRIBERS,
                f"recipients holds {len(recipients)}; at most {MOST_RECIPIENTS} are allowed",
            )
        request = intake.SendRequest(
            call.account_id,
            definition_key,
            recipients,
            body.attributes,
            version_id=pinned_version(call.head),
            once=once_of(call.head, "messages", raw, _accepted),
        )
        try:
            accepted = await self._accept(request)
        except intake.RequestMalformed as problem:
            raise ApiError(Code.WRONG_TYPE, f"{problem.field} {problem.problem}") from None
        except intake.NoValidRecipients as none:
            text = f"{len(none.results)} subscribers failed to queue out of {len(none.results)}"
            raise ApiError(Code.NO_VALID_SUBSCRIBERS, text, extra=_failures(none)) from None
        return _accepted_reply(accepted)

    async def send_one(self, call: Call) -> Reply:
        """POST /messages/{messageKey}: one recipient, the message's key in the path."""
        message_key = call.key("messageKey")
        raw = await call.json_body()
        body = decode(one_decoder, raw)
        definition_key = _definition_key(body.definition_key)
        recipient = body.recipient
        if recipient is None:
            raise ApiError(Code.NO_SUBSCRIBERS, "recipient is required")
        request = intake.SendRequest(
            call.account_id,
            definition_key,
            (recipient,),
            msgspec.Raw(),
            message_key=message_key,
            version_id=pinned_version(call.head),
            once=once_of(call.head, f"messages/{message_key}", raw, _accepted),
        )
        try:
            accepted = await self._accept(request)
        except intake.RequestMalformed as problem:
            field = problem.field.replace("recipients[0]", "recipient")
            raise ApiError(Code.WRONG_TYPE, f"{field} {problem.problem}") from None
        except intake.NoValidRecipients as none:
            raise _single_failure(none) from None
        return _accepted_reply(accepted)

    async def status(self, call: Call) -> Reply:
        """GET /messages/{messageKey}."""
        message_key = call.key("messageKey")
        found = await self._reads.status(call.account_id, message_key)
        if found is None:
            raise ApiError(
                Code.NOT_FOUND,
                f"no message with key {message_key[:100]!r} in the last {self._status_hours} hours",
            )
        return Reply(_encode(_status(found)))

    async def not_sent(self, call: Call) -> Reply:
        """GET /messages/?type=notSent: oldest first, from where ``lastEventId`` left off."""
        query = call.query
        kind = query.get("type")
        if kind is None:
            raise ApiError(Code.REQUIRED, "type is required in the query; it must be notSent")
        if kind.lower() != "notsent":
            raise ApiError(Code.INVALID_VALUE, f"type is {kind[:50]!r}; it must be notSent")
        page_size = number_field(query, "pagesize", default=NOT_SENT_PAGE_SIZE, highest=LARGEST_PAGE_SIZE)
        now = datetime.fromtimestamp(self._clock(), UTC)
        page = await not_sent_after(
            self._pool,
            call.account_id,
            _last_event_id(query.get("lasteventid")),
            limit=page_size,
            days=days_back(now, self._status_hours),
            accepted_days=days_back(now, self._status_hours + LONGEST_WAIT_HOURS),
        )
        messages = [_not_sent(message) for message in page.messages]
        request_id = str(uuid_utils.uuid7())
        return Reply(_encode(NotSentList(request_id, page.last_event_id, messages, len(messages), page_size)))

    async def _accept(self, request: intake.SendRequest) -> intake.Accepted:
        try:
            return await self._accepter.accept(request)
        except intake.DefinitionUnknown:
            raise ApiError(
                Code.INVALID_DEFINITION_KEY, f"there is no definition with key {request.definition_key[:100]!r}"
            ) from None
        except intake.VersionUnknown:
            raise ApiError(
                Code.INVALID_VALUE,
                f"Postroom-Definition-Version is {request.version_id}; the definition "
                f"{request.definition_key[:100]!r} has no such version",
            ) from None
        except intake.OnceKeyReused:
            raise ApiError(Code.ONCE_KEY_REUSED) from None
        except intake.OnceInFlight:
            raise ApiError(Code.ONCE_IN_FLIGHT, retry_after=IN_FLIGHT_SECONDS) from None


def _definition_key(key: str | None) -> str:
    if not key:
        raise ApiError(Code.REQUIRED_DEFINITION_KEY, "definitionKey is required")
    if "\0" in key:
        raise ApiError(Code.INVALID_VALUE, "definitionKey must not hold a NUL character")
    return key


def _response(result: intake.RecipientResult) -> WireResponse:
    error = result.error
    if error is None:
        return WireResponse(result.message_key)
    return WireResponse(result.message_key, error.errorcode, _RECIPIENT_MESSAGES[error])


def _accepted(accepted: intake.Accepted) -> bytes:
    request_id = str(accepted.request_id)
    responses = [_response(result) for result in accepted.results]
    failed = sum(1 for response in responses if response.errorcode)
    if not failed:
        return _encode(Accepted(request_id, 0, responses))
    code = Code.RESPONSES_HAVE_ERRORS
    message = code.message(f"{failed} subscribers failed to queue out of {len(responses)}")
    return _encode(PartlyAccepted(request_id, code.row.errorcode, message, responses))


def _accepted_reply(accepted: intake.Accepted) -> Reply:
    if accepted.replayed:
        return Reply(accepted.reply, 202, (REPLAYED,))
    return Reply(accepted.reply or _accepted(accepted), 202)


def _failures(none: intake.NoValidRecipients) -> dict[str, object]:
    return {
        "requestId": str(uuid_utils.uuid7()),
        "responses": [_response(result) for result in none.results],
    }


def _single_failure(none: intake.NoValidRecipients) -> ApiError:
    """The only recipient's own error stands at the top as well (contract §4.2)."""
    (result,) = none.results
    assert result.error is not None
    own = {"message": _RECIPIENT_MESSAGES[result.error], "errorcode": result.error.errorcode}
    return ApiError(Code.NO_VALID_SUBSCRIBERS, extra=own | _failures(none))


def _last_event_id(text: str | None) -> int:
    if text is None:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ApiError(Code.INVALID_VALUE, f"lastEventId is {text[:50]!r}; it must be the lastEventID of a reply, or 0")
    return int(text)


def _not_sent(found: NotSent) -> NotSentMessage:
    return NotSentMessage(
        found.status_code,
        found.status_message,
        _KINDS["not_sent"],
        fine_time(found.occurred_at),
        found.definition_key,
        found.event_id,
        NotSentInfo(found.message_key, found.contact_key),
    )


def _status(found: MessageStatus) -> QueuedStatus | FinalStatus:
    request_id = str(uuid_utils.uuid7())
    if found.kind == "queued":
        return QueuedStatus(request_id, _KINDS["queued"], fine_time(found.occurred_at))
    info = StatusInfo(found.message_key, found.contact_key, found.address, found.status_code, found.status_message)
    return FinalStatus(
        request_id,
        _KINDS[found.kind],
        fine_time(found.occurred_at),
        found.composite_id,
        info,
        found.status_code,
        found.status_message,
    )
