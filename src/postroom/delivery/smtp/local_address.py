"""Where a connection comes from, when that is not left to the system."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol


class LocalAddress(NamedTuple):
    """An address of this machine, and the name that is said with it in EHLO."""

    ip: str
    helo: str


class Sources(Protocol):
    """Who chooses the address for each connection to one target."""

    def next(self, host_address: str) -> LocalAddress | None:
        """The address from which to connect to this one; None when there is none of its family."""

    def refused(self, ip: str, why: str, host_addresses: Iterable[str]) -> bool:
        """No connection could be had from this address of ours; whether there is another for any of these hosts."""

    def taken(self, ip: str) -> None:
        """A connection from it was taken."""
