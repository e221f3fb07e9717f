"""Which of several relays takes the next message: the first priority that has one in health. Pure.

Who is suspect is tried with one message at a time, while the others carry the rest. So a relay that went away is back
as soon as it answers, and costs nobody but its probe a moment.
"""

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from postroom.delivery.routing.health import Health
from postroom.delivery.routing.turns import Turns

_T = TypeVar("_T")


class Member(NamedTuple, Generic[_T]):
    """One of several; the lowest ``priority`` comes first, equals share by ``weight``."""

    relay: _T
    health: Health
    priority: int
    weight: int


class Choice(Generic[_T]):
    """``next`` is who takes the next message, None while nobody can."""

    def __init__(self, members: Sequence[Member[_T]]) -> None:
        self._members = tuple(members)
        self._groups = [
            _Group([member for member in members if member.priority == priority])
            for priority in sorted({member.priority for member in members})
        ]

    def next(self, now: float) -> _T | None:
        """Seconds as ``Health`` has them."""
        for group in self._groups:
            for member in group.members:
                if member.health.probe(now):
                    return member.relay
            chosen = group.turns.next([member.health.state(now) == "well" for member in group.members])
            if chosen is not None:
                return chosen
        return None

    def wait(self, now: float) -> float:
        """Seconds until somebody may be worth a try again."""
        return min(member.health.wait(now) for member in self._members)


class _Group(Generic[_T]):
    def __init__(self, members: Sequence[Member[_T]]) -> None:
        self.members = members
        self.turns = Turns([(member.relay, member.weight) for member in members])
