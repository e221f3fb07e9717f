"""The state of one rendering, and what a template can reach outside itself.

Everything is handed in: a rendering reads no clock, draws no random number and does no I/O of its own. What differs
between servers is in Dialect (contested points of ampscript.md §13, account facts, keys) and Services; what differs
between messages is in Run.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, Protocol

from postroom.content.links import Links

from .dialect import Account as Account
from .dialect import Dialect as Dialect
from .dialect import Key as Key
from .dialect import Limits as Limits
from .dialect import MissingName as MissingName
from .faults import Fault, LimitFault, MissingFault


@dataclass(frozen=True, slots=True)
class Rows:
    """What a data extension answered: ``columns`` in its own order and spelling, one value a column in each row.

    Values are None, bool, int, Decimal, str, or a naive ``datetime`` in system time (UTC-06:00).
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


Pairs = Sequence[tuple[str, object]]
"""Column names and language values, in the order they were written; names ignore case."""


class DataAccess(Protocol):
    """The data extensions of one business unit, for one rendering.

    Each call raises MissingFault for a data extension or column that does not exist and ValueFault for a value its
    column cannot hold. Text is compared without case unless ``exact``. Reads may be cached for the rendering.
    """

    async def find(
        self, table: str, match: Pairs, *, exact: bool = False, order: Sequence[tuple[str, bool]] = (), limit: int = 0
    ) -> Rows:
        """Rows where every pair of ``match`` is equal; ``order`` names columns with True for descending; at most
        ``limit`` rows (0: as many as Limits.rows)."""

    async def size(self, table: str) -> int: ...

    async def insert(self, table: str, values: Pairs) -> int: ...

    async def update(self, table: str, match: Pairs, values: Pairs) -> int: ...

    async def upsert(self, table: str, match: Pairs, values: Pairs) -> int: ...

    async def delete(self, table: str, match: Pairs) -> int: ...

    async def claim(self, table: str, claimed: str, claimant: str, who: object, values: Pairs) -> Rows:
        """One row for ``who``: the one it claimed before, or an unclaimed one, whose ``claimed`` column becomes true,
        ``claimant`` column ``who``, and which gets ``values``. No rows when all are taken."""


BlockKind = Literal["key", "id", "name"]
ImageKind = Literal["key", "id"]


@dataclass(frozen=True, slots=True)
class Block:
    """A stored content block; ``identity`` is the same however it was found, for finding cycles."""

    identity: str
    source: str


@dataclass(frozen=True, slots=True)
class Image:
    """A stored image; ``source`` is its address, or the path of it below the account's public URL."""

    identity: str
    source: str
    title: str = ""


class BlockStore(Protocol):
    """The content blocks and images of one business unit."""

    async def find(self, kind: BlockKind, name: str) -> Block | None:
        """By customer key, by numeric id, or by ``folder\\path\\name``; all ignore case. None when there is none."""

    async def image(self, kind: ImageKind, name: str) -> Image | None:
        """By customer key in any case, or by numeric id. None when there is none."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request a template asks for."""

    method: Literal["GET", "POST"]
    url: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """``status`` 0: there was no answer, and ``problem`` says why."""

    status: int
    body: bytes = b""
    charset: str = "utf-8"
    headers: Sequence[tuple[str, str]] = ()
    problem: str = ""


class Fetcher(Protocol):
    """Guarded HTTP: allow-listed hosts only, no private addresses, with limits on time and size."""

    async def fetch(self, request: Request) -> Response: ...


class NoData:
    """A business unit without data extensions."""

    async def find(
        self, table: str, match: Pairs, *, exact: bool = False, order: Sequence[tuple[str, bool]] = (), limit: int = 0
    ) -> Rows:
        raise self._missing(table)

    async def size(self, table: str) -> int:
        raise self._missing(table)

    async def insert(self, table: str, values: Pairs) -> int:
        raise self._missing(table)

    async def update(self, table: str, match: Pairs, values: Pairs) -> int:
        raise self._missing(table)

    async def upsert(self, table: str, match: Pairs, values: Pairs) -> int:
        raise self._missing(table)

    async def delete(self, table: str, match: Pairs) -> int:
        raise self._missing(table)

    async def claim(self, table: str, claimed: str, claimant: str, who: object, values: Pairs) -> Rows:
        raise self._missing(table)

    def _missing(self, table: str) -> Fault:
        return MissingFault(f"there is no data extension {table}", code="UnknownDataExtension")


class NoBlocks:
    """A business unit without content blocks."""

    async def find(self, kind: BlockKind, name: str) -> Block | None:
        return None

    async def image(self, kind: ImageKind, name: str) -> Image | None:
        return None


OFF: Final = "HTTP functions are off; name the host in the setting template_http_hosts"


@dataclass(frozen=True, slots=True)
class NoFetch:
    """HTTP is off; ``problem`` says why."""

    problem: str = OFF

    async def fetch(self, request: Request) -> Response:
        return Response(0, problem=self.problem)


@dataclass(frozen=True, slots=True)
class Services:
    """What is the same for many renderings of one business unit. ``clock`` gives monotonic seconds for the limit on
    time; without one there is no such limit."""

    clock: Callable[[], float] | None = None
    data: DataAccess = field(default_factory=NoData)
    blocks: BlockStore = field(default_factory=NoBlocks)
    fetcher: Fetcher = field(default_factory=NoFetch)
    account: Account = field(default_factory=Account)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file AttachFile asked for; fetching it is delivery's work, under its own limits."""

    kind: str
    location: str
    file_name: str
    description: str = ""


Attributes = Callable[[str], tuple[bool, object]]
RenderText = Callable[["Run", str, str, str], Awaitable[str]]

Counted = Literal["blocks", "lookups", "writes", "http", "attachments"]

_LIMIT_CODES = {
    "steps": ("StepLimit", "runs more than {:,} steps; shorten its loops"),
    "output": ("OutputLimit", "prints more than {:,} characters"),
    "blocks": ("BlockLimit", "evaluates more than {:,} content blocks and texts"),
    "block_depth": ("BlockDepthLimit", "nests content blocks more than {:,} deep"),
    "lookups": ("LookupLimit", "reads data extensions more than {:,} times"),
    "writes": ("WriteLimit", "writes to data extensions more than {:,} times"),
    "http": ("HttpLimit", "makes more than {:,} HTTP requests"),
    "attachments": ("AttachmentLimit", "attaches more than {:,} files"),
}


class Run:
    """One message being rendered: variables, the parts' shared scope, and the counters of its limits.

    ``variables`` is keyed by folded names without ``@``; a name that was never set, or was only declared by VAR, is
    absent. ``now`` and ``send_time`` are aware UTC. ``part`` is the part being rendered, ``context`` the vendor's
    word for the occasion. ``may_write``: whether data extension writes happen in this part (they happen once, in the
    HTML part, or in the text part of a message without one). ``guide`` is the stack of data a section of the Guide
    Template Language looks into. ``rendered`` holds the one-line parts that are done, by name.

    Randomness comes from ``seed`` alone, so that a message composed again is the same to the byte.
    """

    __slots__ = (
        "_attributes", "_drawn", "_open_blocks", "_render_text", "_seed", "_started", "_used", "attachments", "clock",
        "context", "dialect", "guide", "links", "may_write", "notes", "now", "part", "regions", "rendered", "room",
        "send_time", "services", "steps", "variables",
    )  # fmt: skip

    def __init__(
        self,
        attributes: Attributes,
        now: datetime,
        services: Services,
        dialect: Dialect,
        render_text: RenderText,
        *,
        seed: str = "",
        send_time: datetime | None = None,
        context: str = "SEND",
        links: Links | None = None,
    ) -> None:
        """``attributes`` finds a folded name: (found, value). ``links`` counts links; None leaves them as they are."""
        self._attributes = attributes
        self._render_text = render_text
        self._open_blocks: list[str] = []
        self._used: dict[str, int] = {}
        self._started: float | None = None
        self._seed = seed
        self._drawn = 0
        self.variables: dict[str, object] = {}
        self.now = now
        self.send_time = send_time or now
        self.services = services
        self.dialect = dialect
        self.context = context
        self.links = links
        self.part = "html"
        self.may_write = True
        self.attachments: list[Attachment] = []
        self.notes: list[str] = []
        self.regions: list[str] = []
        self.guide: list[object] = []
        self.rendered: dict[str, str] = {}
        self.clock = services.clock
        self.room = dialect.limits.output
        self.steps = dialect.limits.steps

    @property
    def account(self) -> Account:
        return self.services.account

    @property
    def data(self) -> DataAccess:
        return self.services.data

    @property
    def blocks(self) -> BlockStore:
        return self.services.blocks

    def attribute(self, name: str) -> tuple[bool, object]:
        """Whether ``name`` (in any case) is known, and its value."""
        return self._attributes(name.strip().casefold())

    def read(self, name: str, written: str) -> object:
        """The value of ``Name``, ``[Name]`` or ``%%Name%%``; ``name`` is folded. A name nobody has a value for is
        what the dialect says: MissingFault UnknownName, nothing, or itself as written."""
        found, value = self._attributes(name)
        if found:
            return value
        if self.dialect.missing_name == "fail":
            raise MissingFault(f"no value for {written}", code="UnknownName")
        return written if self.dialect.missing_name == "keep" else None

    def random_int(self, low: int, high: int) -> int:
        """An integer between both, ends included, whichever is the smaller."""
        if low > high:
            low, high = high, low
        return low + int.from_bytes(self.random_bytes(16), "big") % (high - low + 1)

    def random_bytes(self, count: int) -> bytes:
        """The next ``count`` (at most 32) bytes of this message's random stream."""
        self._drawn += 1
        return hashlib.sha256(f"{self._drawn}:{self._seed}".encode("utf-8", "replace")).digest()[:count]

    def new_guid(self) -> str:
        """A version 4 UUID in lower case."""
        octets = bytearray(self.random_bytes(16))
        octets[6] = octets[6] & 0x0F | 0x40
        octets[8] = octets[8] & 0x3F | 0x80
        digits = octets.hex()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    async def fetch(self, request: Request) -> Response:
        """One HTTP request, counted; never raises for a request that failed."""
        self.count("http")
        return await self.services.fetcher.fetch(request)

    async def render_text(self, source: str, label: str = "text", identity: str = "") -> str:
        """``source`` evaluated as a template now, in this run's scope; ``label`` names it in errors. A content block
        gives its ``identity``, and evaluating one within itself raises LimitFault RecursiveContent."""
        self.count("blocks")
        if len(self._open_blocks) >= self.dialect.limits.block_depth:
            raise _over("block_depth", self.dialect.limits.block_depth)
        if identity and identity in self._open_blocks:
            raise LimitFault(f"{label} contains itself; take the inner one out", code="RecursiveContent")
        self._open_blocks.append(identity)
        try:
            return await self._render_text(self, source, label, self.part)
        finally:
            self._open_blocks.pop()

    def count(self, kind: Counted, amount: int = 1) -> None:
        """Use up ``amount`` of a limit.

        Raises LimitFault with BlockLimit, LookupLimit, … when it is passed, and TimeLimit when the time is.
        """
        used = self._used.get(kind, 0) + amount
        self._used[kind] = used
        allowed: int = getattr(self.dialect.limits, kind)
        if used > allowed:
            raise _over(kind, allowed)
        self.check_time()

    def step(self, printed: int = 0) -> None:
        """One iteration of a loop that prints ``printed`` characters of static text."""
        self.steps -= 1
        if self.steps < 0:
            raise _over("steps", self.dialect.limits.steps)
        self.room -= printed
        if self.room < 0:
            raise self.full()
        if self.clock is not None:
            self.check_time()

    def full(self) -> LimitFault:
        """The fault of a rendering that printed more than ``room``."""
        return _over("output", self.dialect.limits.output)

    def check_time(self) -> None:
        """Raises LimitFault TimeLimit once the rendering has run longer than it may, what it waits for left out."""
        if self.clock is None:
            return
        now = self.clock()
        if self._started is None:
            self._started = now
        elif now - self._started > self.dialect.limits.seconds:
            raise LimitFault(f"the template ran longer than {self.dialect.limits.seconds:g} s", code="TimeLimit")

    def check_text(self, length: int) -> None:
        """Raises LimitFault TextLimit for a value of ``length`` characters that would be too long to hold; call it
        before building one."""
        if length > self.dialect.limits.text:
            raise LimitFault(
                f"a value of {length:,} characters is longer than {self.dialect.limits.text:,}", code="TextLimit"
            )


def _over(kind: str, allowed: int) -> LimitFault:
    code, what = _LIMIT_CODES[kind]
    return LimitFault(f"the template {what.format(allowed)}", code=code)
