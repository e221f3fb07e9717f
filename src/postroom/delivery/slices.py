"""The worker's side of the queue: a claimed slice and its messages.

A slice is held under a lease until ``valid_until`` on the loop's clock. No attempt begins after that: by then
another worker may own the slice. ``outstanding`` counts messages without an outcome; at zero the slice is over
and its settlement deletes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple, Protocol, TypeAlias
from uuid import UUID

from postroom.audience.contacts import Contact
from postroom.catalog.sending_options import DEFAULT, SendingOptions
from postroom.content.model import Mail, NotComposed
from postroom.delivery.data_access import Write
from postroom.delivery.kept_page import KeptPage
from postroom.events.put_offs import PutOff

Wrote: TypeAlias = Write | KeptPage


class LaneKey(NamedTuple):
    """What takes turns: small requests and batches of each definition of each business unit."""

    account_id: int
    definition_id: UUID
    lane: int


class Part(NamedTuple):
    """Messages of a slice that go their own way: queued again together, as a slice of their own."""

    positions: list[int]
    due_at: datetime | None
    """None for somebody's decision, which has no time."""
    tried: bool
    """Whether there was an attempt."""
    put_offs: Sequence[tuple[PutOff, list[int]]] = ()
    """Why those without an attempt are given back."""

    @property
    def waits_for(self) -> str | None:
        """The site that may call them back early."""
        return next((why.place for why, _ in self.put_offs if why.reason == "siteBusy"), None)


@dataclass(slots=True)
class Postponed:
    """Messages given back without an attempt for one reason."""

    positions: list[int]
    until: datetime
    """When the first of them should come again."""


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
    postponed: dict[PutOff, Postponed] = field(default_factory=dict)
    """Those given back without an attempt, by why: what they wait for is slower than what there is for it."""
    given_back_at: datetime | None = None
    """When the first message was deferred, held or postponed that is in no slice of its own yet."""
    lost: bool = False
    """The lease went to somebody else; nothing of it may begin or be settled any more."""

    key: LaneKey = field(init=False)

    def __post_init__(self) -> None:
        self.key = LaneKey(self.account_id, self.definition_id, self.lane)

    def parts(self) -> list[Part]:
        """Everything that was given back, by when and why it comes again."""
        together: dict[str, list[tuple[PutOff, Postponed]]] = {}
        for why, each in self.postponed.items():
            # What waits for one site comes again at its pace, whatever others wait for.
            together.setdefault(why.place if why.reason == "siteBusy" else why.reason, []).append((why, each))
        parts = [
            Part(
                [position for _, each in group for position in each.positions],
                min(each.until for _, each in group),
                tried=False,
                put_offs=[(why, each.positions) for why, each in group],
            )
            for group in together.values()
        ]
        if self.deferred:
            parts.append(Part(self.deferred, self.retry_at, tried=True))
        if self.held:
            parts.append(Part(self.held, None, tried=True))
        return parts

    def forget_parts(self) -> None:
        """What was given back is no longer part of the slice."""
        self.deferred, self.held, self.postponed = [], [], {}
        self.retry_at = self.given_back_at = None


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
    page: bytes | None = None
    """As composed: what its page shows, where it can't be made again."""
    writes: tuple[Wrote, ...] = ()
    """What its template writes to data extensions, and its page, once the message is sent."""

    def not_sent(self) -> None:
        """Nothing of it reached its site: whoever let it in has room for another."""
        if self.admitted is not None:
            self.admitted.give_back()
            self.admitted = None
