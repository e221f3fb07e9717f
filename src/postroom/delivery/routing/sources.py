"""Source addresses at work: which one a connection comes from, and which of them this machine has."""

import errno
import socket
from collections.abc import Callable, Iterable
from dataclasses import replace
from ipaddress import ip_address

from postroom.delivery.routing.table import SourceAddress, SourcePool
from postroom.delivery.routing.turns import Turns
from postroom.delivery.smtp.local_address import LocalAddress


class SourceUnusable(ValueError):
    """This machine has no address of a source pool."""


class SourceTurns:
    """The addresses of one pool in turn, by weight; those of a family only for hosts of that family."""

    def __init__(self, addresses: Iterable[SourceAddress], *, helo: str) -> None:
        members = tuple(addresses)
        self._turns = Turns([(LocalAddress(each.ip, each.helo or helo), each.weight) for each in members])
        versions = [ip_address(each.ip).version for each in members]
        self._usable = {version: [own == version for own in versions] for version in (4, 6)}

    def next(self, host_address: str) -> LocalAddress | None:
        """The address from which to connect to this one; None when there is none of its family."""
        return self._turns.next(self._usable[ip_address(host_address.partition("%")[0]).version])


def of_this_machine(pool: SourcePool, has: Callable[[str], bool]) -> SourcePool:
    """The pool with the addresses that this machine has: several machines may share one table.

    Raises SourceUnusable when none is left.
    """
    own = tuple(address for address in pool.addresses if has(address.ip))
    if not own:
        names = ", ".join(address.ip for address in pool.addresses)
        raise SourceUnusable(f"source {pool.name}: none of {names} is an address of this machine; name one that is")
    return replace(pool, addresses=own)


def has_address(ip: str) -> bool:
    """Whether something on this machine can be bound to an address."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.bind((ip, 0))
    except OSError as problem:
        if problem.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL):
            return False
        raise
    return True
