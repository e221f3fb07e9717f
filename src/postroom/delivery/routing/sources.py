"""Source addresses at work: which one a connection comes from, and which of them this machine has."""

import errno
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import structlog

from postroom.delivery.routing.health import Health
from postroom.delivery.routing.table import SourcePool
from postroom.delivery.routing.turns import Turns
from postroom.delivery.smtp.local_address import LocalAddress

LOOK_SECONDS = 60.0
FIRST_REFUSED_SECONDS = 60.0
LONGEST_REFUSED_SECONDS = 3600.0
_MOST_TURNS = 100


class SourceUnusable(ValueError):
    """This machine has no address of a source pool."""


class SourceTurns:
    """The addresses of one pool in turn, by weight; those of a family only for hosts of that family.

    Shared by all sites, so that the weights hold over all of them. Which addresses this machine ``has`` is looked at
    every minute: they come late at a start, and may move from one machine to another.
    """

    def __init__(
        self,
        pool: SourcePool,
        *,
        helo: str,
        has: Callable[[str], bool],
        clock: Callable[[], float],
    ) -> None:
        self._pool = pool
        self._members = {each.ip: (LocalAddress(each.ip, each.helo or helo), each.weight) for each in pool.addresses}
        self._has = has
        self._clock = clock
        self._look_at = clock()
        self._here: frozenset[str] = frozenset()
        self._turns: dict[tuple[int, frozenset[str]], Turns[LocalAddress]] = {}

    @property
    def overflow(self) -> str | None:
        """The pool that carries what this one can't."""
        return self._pool.overflow

    def next(self, host_address: str, without: frozenset[str] = frozenset()) -> LocalAddress | None:
        """The address from which to connect to this one; None when there is none of its family but ``without``."""
        own = self.of_family(host_address)
        key = _version(host_address), without
        turns = self._turns.get(key)
        if turns is None:
            if len(self._turns) >= _MOST_TURNS:
                self._turns.clear()
            # Each selection takes turns by itself: among others it would count as away, and lose what it is owed.
            turns = self._turns[key] = Turns([self._members[ip] for ip in own if ip not in without])
        return turns.next()

    def of_family(self, host_address: str) -> dict[str, LocalAddress]:
        """The addresses from which this one might be connected to."""
        self._look()
        version = _version(host_address)
        return {ip: local for ip, (local, _) in self._members.items() if ip in self._here and _version(ip) == version}

    def _look(self) -> None:
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        here = frozenset(ip for ip in self._members if self._has(ip))
        if here != self._here:
            self._here = here
            self._turns.clear()
            elsewhere = [ip for ip in self._members if ip not in here]
            structlog.get_logger("delivery").info(
                "source_addresses", source=self._pool.name, here=sorted(here), elsewhere=elsewhere
            )


class SiteSources:
    """The addresses of a pool at one site, which may not take all of them: see ``Sources``.

    An address that the site refuses connections or mails from is left alone for a minute, then for longer and longer,
    and tried by one connection at a time when that is over. When none is left it is the host that takes nothing: then
    all that was learned of each is forgotten, for how long to wait is the host's affair. Only mails are not taken round
    again for the same time, and where the pool has an overflow that carries all but one mail now and then.
    """

    def __init__(self, turns: SourceTurns, site: str, *, clock: Callable[[], float], rand: Callable[[], float]) -> None:
        self._turns = turns
        self._site = site
        self._clock = clock
        self._rand = rand
        self._refused: dict[str, _Refusal] = {}
        self._all: _Refusal | None = None
        """That every address was refused, as long as no other is known to be taken."""

    @property
    def overflows(self) -> bool:
        """Whether the site takes nothing from this pool, and another carries its mail."""
        return self._all is not None and self._turns.overflow is not None

    def admits(self) -> bool:
        """Whether a mail may go from this pool: also while it overflows one finds out now and then."""
        return self._all is None or self._turns.overflow is None or self._all.health.probe(self._clock())

    def next(self, host_address: str) -> LocalAddress | None:
        """See ``Sources``."""
        if not self._refused:
            return self._turns.next(host_address)
        now = self._clock()
        own = self._turns.of_family(host_address)
        for ip, refusal in self._refused.items():
            if ip in own and refusal.health.probe(now):
                return own[ip]
        suspect = frozenset(self._refused)
        return self._turns.next(host_address, suspect) or self._turns.next(host_address, self._away(now))

    def refused(self, ip: str, why: str, host_addresses: Iterable[str]) -> bool:
        """See ``Sources``."""
        return self._refuse(ip, why, host_addresses, mails=False)

    def refused_mail(self, ip: str, why: str, host_addresses: Iterable[str]) -> bool:
        """A mail was refused because it came from this address; whether another may do for any of these hosts."""
        if self._all is not None and self._all.mails and self._all.health.state(self._clock()) == "away":
            return False
        return self._refuse(ip, why, host_addresses, mails=True)

    def taken(self, ip: str) -> None:
        """See ``Sources``."""
        refusal = self._refused.get(ip)
        if refusal is not None and not refusal.mails:
            del self._refused[ip]
        if self._all is not None and not self._all.mails:
            self._all = None

    def unreached(self, host_addresses: Sequence[str]) -> None:
        """A host could not be reached: perhaps since this machine has no address of its family any more."""
        if host_addresses and not any(self._turns.of_family(address) for address in host_addresses):
            self._none_taken("no address of the pool for this host", mails=False)

    def took_mail(self, ip: str) -> None:
        """The recipient of a mail from this address was accepted."""
        if not self._refused and self._all is None:
            return
        self._all = None
        refusal = self._refused.get(ip)
        if refusal is not None and refusal.health.state(self._clock()) != "away":
            # One that was under way when others were refused does not count.
            del self._refused[ip]

    def _refuse(self, ip: str, why: str, host_addresses: Iterable[str], *, mails: bool) -> bool:
        now = self._clock()
        refusal = self._refused.get(ip)
        if refusal is None:
            refusal = self._refused[ip] = self._refusal()
        # Connections and mails begun together are refused together: that is one refusal, not several.
        first = refusal.count(now, mails=mails)
        away = self._away(now)
        if not any(self._turns.of_family(address).keys() - away for address in host_addresses):
            self._refused.clear()
            self._none_taken(why, mails=mails)
            return False
        if first:
            wait = round(refusal.health.wait(now), 1)
            structlog.get_logger("delivery").warning(
                "source_address_refused", site=self._site, source=ip, reply=why, retry_in=wait
            )
        return True

    def _none_taken(self, why: str, *, mails: bool) -> None:
        now = self._clock()
        if self._all is None:
            self._all = self._refusal()
        if self._all.count(now, mails=mails) and self._turns.overflow is not None:
            wait = round(self._all.health.wait(now), 1)
            structlog.get_logger("delivery").warning(
                "source_pool_refused", site=self._site, overflow=self._turns.overflow, reply=why, retry_in=wait
            )

    def _refusal(self) -> "_Refusal":
        return _Refusal(Health(first=FIRST_REFUSED_SECONDS, longest=LONGEST_REFUSED_SECONDS, rand=self._rand))

    def _away(self, now: float) -> frozenset[str]:
        return frozenset(ip for ip, refusal in self._refused.items() if refusal.health.state(now) == "away")


@dataclass(slots=True)
class _Refusal:
    """That something is not taken: connections, or only mails. Only what was refused can prove the contrary."""

    health: Health
    mails: bool = False

    def count(self, now: float, *, mails: bool) -> bool:
        """Whether it is another one."""
        self.mails = mails
        if self.health.state(now) == "away":
            return False
        self.health.failed(now)
        return True


def check_source(pool: SourcePool, has: Callable[[str], bool]) -> None:
    """Raises SourceUnusable when this machine has no address of the pool; several machines may share one table."""
    if not any(has(address.ip) for address in pool.addresses):
        names = ", ".join(address.ip for address in pool.addresses)
        raise SourceUnusable(f"source {pool.name}: none of {names} is an address of this machine; name one that is")


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


def _version(address: str) -> int:
    return ip_address(address.partition("%")[0]).version
