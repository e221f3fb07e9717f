"""Which repetitions of a mail docs/promises.md allows, and by which of its three cases.

unknown   the first mail host's answer did not arrive for sure
kill      a delivery process was killed after the answer and before its settlement can have been committed
lease     settling, or the process, was held up for longer than a lease
None      nothing of this explains it
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tests.soak.ledger import Taking, Trouble

Reason: TypeAlias = Literal["unknown", "kill", "lease"]


@dataclass(frozen=True, slots=True)
class Allowances:
    """What was done to the server, and how long things take: ``grace`` is the most that a settlement needs while
    nothing is wrong, on this machine; ``lease`` the setting. Seconds."""

    troubles: tuple[Trouble, ...]
    lease: float
    grace: float

    def reason(self, taking: Taking) -> Reason | None:
        """Why a mail may go again though this host has it."""
        if not taking.answered:
            return "unknown"
        settled_by = self._settled_by(taking.at)
        for trouble in self.troubles:
            if trouble.kind == "kill" and taking.at - self.grace <= trouble.at <= settled_by:
                return "kill"
        for at, until in self._outages():
            # A third of the lease may be over when it begins: so often leases are renewed.
            if until - at > self.lease * 0.6 and at - self.lease <= taking.at <= until + self.grace:
                return "lease"
        return None

    def _settled_by(self, at: float) -> float:
        by = at + self.grace
        for trouble in self.troubles:
            if trouble.kind != "kill" and trouble.at <= by and trouble.until >= at:
                by = max(by, trouble.until + self.grace)
        return by

    def _outages(self) -> Iterable[tuple[float, float]]:
        """Troubles that follow each other closely are one: a settlement that failed waits before it tries again."""
        begin = end = 0.0
        for trouble in self.troubles:
            if trouble.kind == "kill":
                continue
            if trouble.at > end + self.grace:
                yield begin, end
                begin = trouble.at
            end = max(end, trouble.until)
        yield begin, end


def allowances(troubles: Iterable[Trouble], *, lease: float, grace: float) -> Allowances:
    """In the order of their beginnings."""
    return Allowances(tuple(sorted(troubles, key=lambda trouble: trouble.at)), lease, grace)
