"""The worker's side of the queue: a claimed slice and its messages.

A slice is held under a lease until ``valid_until`` on the loop's clock. No attempt begins after that: by then
another worker may own the slice. ``outstanding`` counts messages without an outcome; at zero the slice is over
and its settlement deletes it.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from postroom.audience.contacts import Contact
from postroom.catalog.sending_options import DEFAULT, SendingOptions
from postroom.content.model import Mail, NotComposed
from postroom.delivery.data_access import Write
from postroom.events.put_offs import PutOff


class LaneKey(NamedTuple):
    """What takes turns: small requests and batches of each definition of each business unit."""

    account_id: int
    definition_id: UUID
    lane: int


@dataclass(slots=True, eq=False)
class Slice:
    """One claimed row of the queue."""

    account_id: int
    slice_id: int
    fence: int
    definition_id: UUID
    lane: int
    request_id: UUID
    accepted_on: date
    accepted_at: datetime
    attempt: int
    valid_until: float
    claimed_at: float = 0.0
    """On the loop's clock."""
    definition_key: str = ""
    """As it is now."""
    sending: SendingOptions = DEFAULT
    """The choices of its definition version."""
    deadline: datetime | None = None
    """No attempt begins after it; None when only the age limit of the queue counts."""
    outstanding: int = 0
    deferred: list[int] = field(default_factory=list)
    """Positions to be tried again, when all others have their outcome."""
    retry_at: datetime | None = None
    """When the deferred ones are due; None while nothing was deferred."""
    held: list[int] = field(default_factory=list)
    """Positions with an unknown outcome that wait for somebody's decision."""
    postponed: list[int] = field(default_factory=list)
    """Positions given back without an attempt, because what they wait for is slower than what there is for it."""
    put_offs: dict[PutOff, list[int]] | None = None
    """Why the postponed ones are; None while there are none."""
    postponed_until: datetime | None = None
    """When the first of the postponed ones should come again."""
    lost: bool = False
    """The lease went to somebody else; nothing of it may begin or be settled any more."""

    key: LaneKey = field(init=False)

    def __post_init__(self) -> None:
        self.key = LaneKey(self.account_id, self.definition_id, self.lane)


@dataclass(frozen=True, slots=True)
class Request:
    """What the messages of one send request have in common."""

    request_id: UUID
    version_id: int
    batch_id: int
    attributes: dict[str, object] | None


class Admission(Protocol):
    """Who let a message in, and counts it."""

    def give_back(self) -> None:
        """It was not sent after all."""


@dataclass(slots=True, eq=False)
class Message:
    """One message of a claimed slice, with everything its composition needs."""

    slice: Slice
    position: int
    message_key: str
    contact_key: str
    address: str
    attributes: dict[str, object]
    """Folded names; the recipient's over the request's."""
    request: Request
    contact: Contact
    subject: str = ""
    """As composed; empty before."""
    composed_at: float = 0.0
    """On the loop's clock; 0 before."""
    copies: bool = False
    """Whether, as composed, it goes to cc or bcc recipients as well."""
    counted: bool = False
    """Whether soft bounces are counted of its address."""
    left_out: tuple[tuple[str, str], ...] = ()
    """(address, cause) of each cc or bcc recipient that is suppressed."""
    mail: Mail | NotComposed | None = None
    """Composed ahead, where the template has to wait for data."""
    admitted: Admission | None = None
    """The warm-up that counts it, while it waits at a site."""
    writes: tuple[Write, ...] = ()
    """What its template writes to data extensions, once the message is sent."""
