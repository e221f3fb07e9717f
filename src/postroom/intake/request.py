"""The terms in which the API hands a send request over, and what it gets back.

The recipients are passed on as they were decoded: 2,000 of them are read by attribute, never copied.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol
from uuid import UUID

import msgspec


class Recipient(Protocol):
    """One entry of ``recipients`` (contract §4.1), as the API decoded it."""

    @property
    def contact_key(self) -> str | None: ...

    @property
    def to(self) -> str | None: ...

    @property
    def message_key(self) -> str | None: ...

    @property
    def attributes(self) -> msgspec.Raw:
        """The JSON value as it was sent; empty when absent."""


@dataclass(frozen=True, slots=True)
class Once:
    """A send that is made once however often it is asked for.

    ``fingerprint`` is the same for the same request; ``render`` makes the reply that repetitions get byte for byte.
    It is called inside the accept transaction: it must be quick and must not wait.
    """

    key: str
    fingerprint: bytes
    render: "Callable[[Accepted], bytes]"


@dataclass(frozen=True, slots=True)
class SendRequest:
    """One call of either send route.

    ``attributes`` is the request-wide JSON object as it was sent, empty when absent. ``message_key`` is the key
    of the single-send route, which stands in the path instead of the recipient. ``version_id`` pins a version of the
    definition; None is the current one.
    """

    account_id: int
    definition_key: str
    recipients: Sequence[Recipient]
    attributes: msgspec.Raw
    message_key: str | None = None
    version_id: int | None = None
    once: Once | None = None


class RecipientError(Enum):
    """Why one recipient was not queued: the vendor's number and name (contract §0.2)."""

    MISSING_SUBSCRIBER_KEY = (109105, "MissingRequiredField_subscriberKey")
    MISSING_TO = (109106, "MissingRequiredField_to")
    INVALID_MESSAGE_KEY = (109108, "InvalidValue_messageKey")
    INVALID_SUBSCRIBER_KEY = (109109, "InvalidValue_subscriberKey")
    DUPLICATE_MESSAGE_KEY = (109110, "DuplicateMessageKey")
    INVALID_TO = (109121, "InvalidValue_to")

    @property
    def errorcode(self) -> int:
        return self.value[0]

    @property
    def code_name(self) -> str:
        return "MCMS_UTM_Validation_" + self.value[1]


class RecipientResult(msgspec.Struct, frozen=True, gc=False):
    """What became of one recipient. ``error`` is None when its message is committed."""

    message_key: str
    error: RecipientError | None = None


class Accepted(msgspec.Struct, frozen=True):
    """The request is on disk. ``results`` stands in request order; at least one of them is without error.

    Of a request with `Once`, ``reply`` is the reply; ``replayed`` says that it was made before, and then there are
    no results.
    """

    request_id: UUID
    results: list[RecipientResult]
    reply: bytes = b""
    replayed: bool = False


class DefinitionUnknown(Exception):
    """No definition of this key in the business unit; nothing was stored."""


class VersionUnknown(Exception):
    """The definition has no version of the number it was pinned to; nothing was stored."""


class OnceKeyReused(Exception):
    """The key belongs to a request with other contents; nothing was stored."""


class OnceInFlight(Exception):
    """A request with this key is being accepted at this moment; nothing more was stored."""


class NoValidRecipients(Exception):
    """Not one recipient could be queued; nothing was stored. ``results`` says why, in request order."""

    def __init__(self, results: list[RecipientResult]) -> None:
        super().__init__(f"none of {len(results)} recipients could be queued")
        self.results = results


class RequestMalformed(Exception):
    """A value has the wrong JSON type where only this room looks; ``field`` is its path in the body."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem
