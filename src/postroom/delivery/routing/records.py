"""What a question to the DNS comes back with, as values: records, nothing, or trouble.

``secure`` answers are those that a resolver we trust has validated (DNSSEC, RFC 4035).
"""

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from postroom.delivery.routing.dane import Tlsa


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
    secure: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """No answer worth the name: time-out, SERVFAIL, a loop. Asking later may work."""

    text: str


@dataclass(frozen=True, slots=True)
class MxFound:
    """MX records in no particular order; ``ttl`` in seconds, of the whole chain."""

    records: tuple[MxRecord, ...]
    ttl: float
    secure: bool = False


@dataclass(frozen=True, slots=True)
class AddressesFound:
    """IP addresses as text, of one family. ``owner`` is the name at the end of all aliases."""

    addresses: tuple[str, ...]
    ttl: float
    secure: bool = False
    owner: str = ""


@dataclass(frozen=True, slots=True)
class TextFound:
    """TXT records, each put together of its strings; bytes that are no ASCII are replaced."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NamesFound:
    """Host names that an address is said to have (PTR), lower case without the last dot."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TlsaFound:
    """TLSA records in no particular order."""

    records: tuple[Tlsa, ...]
    ttl: float
    secure: bool


MxAnswer: TypeAlias = MxFound | Nothing | Trouble
AddressAnswer: TypeAlias = AddressesFound | Nothing | Trouble
TextAnswer: TypeAlias = TextFound | Nothing | Trouble
NameAnswer: TypeAlias = NamesFound | Nothing | Trouble
TlsaAnswer: TypeAlias = TlsaFound | Nothing | Trouble


class Dns(Protocol):
    """Whoever answers questions; no method raises for what the network or a peer did."""

    async def mx(self, name: str) -> MxAnswer:
        """The MX records of a name."""

    async def ipv4(self, name: str) -> AddressAnswer:
        """Its A records."""

    async def ipv6(self, name: str) -> AddressAnswer:
        """Its AAAA records."""
