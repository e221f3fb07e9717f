"""Every synchronous error in one table (contract §0.1, §0.2), and the bodies they are answered with.

Two families share the envelope ``{message, errorcode, documentation}``. Messaging errors put their name and a
colon before the text and leave `documentation` empty; gateway errors (the vendor's front door: authorization,
routes, media types, limits) say one sentence and link the vendor's page on errors.
"""

from enum import Enum
from typing import Any, NamedTuple

import msgspec

GATEWAY_DOCUMENTATION = "https://developer.salesforce.com/docs/atlas.en-us.mc-apis.meta/mc-apis/error-handling.htm"

_encode = msgspec.json.Encoder().encode


class Row(NamedTuple):
    """HTTP status, errorcode, name, what it says by itself (empty: each use says it), and when it is answered."""

    status: int
    errorcode: int
    name: str
    sentence: str
    when: str


def _gateway(status: int, errorcode: int, sentence: str, when: str) -> Row:
    return Row(status, errorcode, "", sentence, when)


def _messaging(status: int, errorcode: int, name: str, when: str) -> Row:
    return Row(status, errorcode, "MCMS_UTM_" + name, "", when)


class Code(Enum):
    """The table. The member names are ours, everything else is the vendor's."""

    NOT_AUTHORIZED = _gateway(401, 0, "Not Authorized", "token missing, invalid or expired")
    TOKEN_IN_BODY = _gateway(
        401,
        40004,
        "The access token must be sent in the Authorization header, not in the body.",
        "token passed in the body",
    )
    TOKEN_IN_URL = _gateway(
        403,
        40003,
        "The access token must be sent in the Authorization header, not in the URL.",
        "token passed in the URL",
    )
    INSUFFICIENT_PRIVILEGES = _gateway(
        403, 20002, "Insufficient privileges to complete this action.", "the token lacks the route's scope"
    )
    ROUTE_UNKNOWN = _gateway(404, 404, "Not Found", "no such route")
    METHOD_NOT_ALLOWED = _gateway(405, 405, "Method Not Allowed", "the route exists, not with this method")
    BODY_TOO_LARGE = _gateway(413, 413, "Request Entity Too Large", "the body exceeds the server's limit")
    MEDIA_TYPE = _gateway(
        415, 415, "Unsupported Media Type", "the request's Content-Type is not application/json in UTF-8"
    )
    ONCE_KEY_REUSED = _gateway(
        409,
        40901,
        "The Idempotency-Key belongs to a request with other contents; give each request a key of its own.",
        "an Idempotency-Key was used before with another body (ours, not the vendor's)",
    )
    ONCE_IN_FLIGHT = _gateway(
        409,
        40902,
        "A request with this Idempotency-Key is being accepted; ask again after Retry-After for its reply.",
        "the first request of an Idempotency-Key is not finished (ours, not the vendor's)",
    )
    RATE_LIMIT = _gateway(429, 50100, "Rate limit exceeded", "the client's calls a minute are used up; see Retry-After")
    UNAVAILABLE = _gateway(
        503, 50300, "Service Unavailable", "the database can't be reached; nothing was half-stored; see Retry-After"
    )
    INTERNAL = _gateway(500, 500, "Internal Server Error", "the server failed; nothing was half-stored")

    GENERIC = _messaging(400, 10000, "Validation", "a rule of validation without a number of its own")
    WRONG_TYPE = _messaging(400, 10001, "Validation_InvalidDataType", "a field has the wrong JSON type")
    REQUIRED = _messaging(400, 10002, "Validation_MissingRequiredField", "a required field is missing")
    BAD_FORMAT = _messaging(400, 10003, "Validation_IncorrectFormat", "a value is not in the form it must have")
    UNPARSEABLE = _messaging(400, 10004, "Validation_InvalidJSON", "the body is not JSON in UTF-8")
    INVALID_VALUE = _messaging(400, 10005, "Validation_InvalidValue", "a value is not one of those allowed")
    INVALID_OPERATION = _messaging(400, 30001, "Runtime_InvalidOperation", "not possible in this state")
    STATE_TRANSITION = _messaging(409, 30002, "Runtime_InvalidStateTransition", "no way to this status")
    NOT_FOUND = _messaging(404, 30003, "Runtime_ObjectNotFound", "no such object in the business unit")
    ALREADY_EXISTS = _messaging(409, 30004, "Runtime_ObjectAlreadyExists", "key or name is taken")

    PROBE_FAILED = Row(
        400,
        30000,
        "MCMS_UWH_Runtime_GeneralFailure_probeCallbackLiveness",
        "",
        "a callback's URL did not take its verification key",
    )

    RESPONSES_HAVE_ERRORS = _messaging(202, 109001, "ResponsesHasErrors", "some recipients were not queued")
    TOO_MANY_SUBSCRIBERS = _messaging(400, 109101, "Validation_TooManySubscribers", "over 2,000 recipients")
    NO_SUBSCRIBERS = _messaging(400, 109102, "Validation_NoSubscribers", "no recipients")
    NO_VALID_SUBSCRIBERS = _messaging(400, 109103, "Validation_NoValidSubscribers", "every recipient is bad")
    REQUIRED_DEFINITION_KEY = _messaging(
        400, 109107, "Validation_MissingRequiredField_definitionKey", "definitionKey is missing or empty"
    )
    INVALID_DEFINITION_KEY = _messaging(
        400, 109111, "Validation_InvalidValue_definitionKey", "a send names an unknown definition"
    )
    INVALID_OPTIONS = _messaging(
        400, 109112, "Validation_InvalidValue_options", "a definition's options hold a wrong value"
    )
    INVALID_AUTO_ADD = _messaging(
        400, 109113, "Validation_InvalidValue_autoAddSubscriber", "autoAddSubscriber is not a boolean"
    )
    UNKNOWN_FIELD = _messaging(400, 109122, "Validation_UnknownFieldName", "a send has an unknown field")
    CLASSIFICATION_TYPE = _messaging(
        400,
        109123,
        "Validation_InvalidValue_classification_IncorrectType",
        "the classification is not transactional",
    )
    EMAIL_INVALID = _messaging(400, 109124, "Validation_email_does_not_pass_validation", "the email can't be compiled")
    INVALID_UPDATE = _messaging(
        400, 109125, "Validation_InvalidValue_updateSubscriber", "updateSubscriber is not a boolean"
    )

    @property
    def row(self) -> Row:
        """The table's row."""
        return self.value

    @property
    def documentation(self) -> str:
        """The link of the body."""
        return "" if self.row.name else GATEWAY_DOCUMENTATION

    def message(self, text: str = "") -> str:
        """The body's message; ``text`` says which field, which value and what to do."""
        row = self.row
        if not row.name:
            return row.sentence
        return f"{row.name}: {text}"


class ApiError(Exception):
    """An error reply, raised anywhere in a handler.

    ``extra`` are further fields of the body; ``retry_after`` seconds, unless 0, go into that header.
    """

    def __init__(
        self, code: Code, text: str = "", *, extra: dict[str, Any] | None = None, retry_after: int = 0
    ) -> None:
        super().__init__(code.message(text))
        self.code = code
        self.text = text
        self.extra = extra
        self.retry_after = retry_after

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.code.row.status

    def body(self) -> bytes:
        """The JSON body."""
        return error_body(self.code, self.text, self.extra)


def error_body(code: Code, text: str = "", extra: dict[str, Any] | None = None) -> bytes:
    """The JSON body of an error."""
    body: dict[str, Any] = {
        "message": code.message(text),
        "errorcode": code.row.errorcode,
        "documentation": code.documentation,
    }
    if extra:
        body.update(extra)
    return _encode(body)
