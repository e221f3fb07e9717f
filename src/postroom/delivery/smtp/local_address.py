"""Where a connection comes from, when that is not left to the system."""

from typing import NamedTuple


class LocalAddress(NamedTuple):
    """An address of this machine, and the name that is said with it in EHLO."""

    ip: str
    helo: str
