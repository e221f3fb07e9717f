"""What everybody outside saw: the client, the mail hosts, the webhook receiver; and what was done to the server.

Nothing here comes from the server's tables: the audit holds the two against each other. Times are seconds since the
epoch, of the one clock of this machine.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

TroubleKind: TypeAlias = Literal["kill", "stop", "database", "stall"]


class Place(NamedTuple):
    """Where a message stands; its Message-ID says the same. ``request`` is the id in hexadecimal digits."""

    account_id: int
    request: str
    position: int


class Key(NamedTuple):
    """A message key of a business unit, in lower case."""

    account_id: int
    text: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The client was told that this message is accepted."""

    key: Key
    address: str
    definition: str


@dataclass(frozen=True, slots=True)
class Taking:
    """A mail host has a whole mail, up to and with its final dot. ``answered``: its 250 was sent on a connection that
    went on; what came of a 250 right before the end of the connection nobody can know."""

    at: float
    place: Place
    address: str
    host: str
    answered: bool
    digest: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """One event of a webhook; ``answered``: with 200, on a connection that nobody cut."""

    at: float
    event_id: int
    webhook_id: str
    kind: str
    key: Key
    answered: bool


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something was done to a delivery process, or to the database it settles in, from one moment to another; a stall
    is of the whole machine."""

    kind: TroubleKind
    at: float
    until: float


@dataclass(slots=True)
class Ledger:
    """All of it, as it comes."""

    accepted: dict[Key, Accepted] = field(default_factory=dict)
    refused: set[Key] = field(default_factory=set)
    """Keys that were refused for good: nothing of them may be stored or sent."""
    takings: list[Taking] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    """How often mail hosts refused an address for good."""
    suppressed: set[str] = field(default_factory=set)
    """Addresses that were suppressed at any time, by the steward."""
    forbidden: set[str] = field(default_factory=set)
    """Those of them that were suppressed before anything was sent to them, and still are."""
    erased: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)
    """Definitions of which a job cancelled messages."""
    faults: list[str] = field(default_factory=list)
    """Answers that contradict a promise by themselves."""
    counts: Counter[str] = field(default_factory=Counter)
    """What was asked and done, to be printed."""

    def accept(self, account_id: int, key: str, address: str, definition: str) -> None:
        """The client was told so; once more is no news."""
        folded = Key(account_id, key.lower())
        self.accepted.setdefault(folded, Accepted(folded, address, definition))

    def refuse(self, account_id: int, key: str) -> None:
        """The client was told that this key is not accepted."""
        self.refused.add(Key(account_id, key.lower()))
