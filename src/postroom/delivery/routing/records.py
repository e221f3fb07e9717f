"""What a question to the DNS comes back with, as values: records, nothing, or trouble."""

from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class MxRecord:
    """One MX record; ``host`` is lower case without the last dot, and empty for the root (RFC 7505)."""

    preference: int
    host: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """No such records. ``exists`` is false when the name itself does not exist (NXDOMAIN)."""

    exists: bool
    ttl: float


@dataclass(frozen=True, slots=True)
class Trouble:
    """No answer worth the name: time-out, SERVFAIL, a loop. Asking later may work."""

    text: str


@dataclass(frozen=True, slots=True)
class MxFound:
    """MX records in no particular order; ``ttl`` in seconds, of the whole chain."""

    records: tuple[MxRecord, ...]
    ttl: float


@dataclass(frozen=True, slots=True)
class AddressesFound:
    """IP addresses as text, of one family."""

    addresses: tuple[str, ...]
    ttl: float


@dataclass(frozen=True, slots=True)
class TextFound:
    """TXT records, each put together of its strings; bytes that are no ASCII are replaced."""

    texts: tuple[str, ...]


MxAnswer: TypeAlias = MxFound | Nothing | Trouble
AddressAnswer: TypeAlias = AddressesFound | Nothing | Trouble
TextAnswer: TypeAlias = TextFound | Nothing | Trouble


class Dns(Protocol):
    """Whoever answers questions; no method raises for what the network or a peer did."""

    async def mx(self, name: str) -> MxAnswer:
        """The MX records of a name."""

    async def ipv4(self, name: str) -> AddressAnswer:
        """Its A records."""

    async def ipv6(self, name: str) -> AddressAnswer:
        """Its AAAA records."""
