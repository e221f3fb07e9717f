"""Who is next among several that have weights: smooth weighted round robin. Pure, without randomness."""

from collections.abc import Sequence
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Turns(Generic[_T]):
    """``next`` among the usable ones; over time each gets its weight's share, evenly spread."""

    def __init__(self, members: Sequence[tuple[_T, int]]) -> None:
        self._members = tuple(members)
        self._credit = [0] * len(self._members)

    def next(self, usable: Sequence[bool] | None = None) -> _T | None:
        """The next of those that are usable, by position (None: of all); None when none is."""
        best, total = -1, 0
        for position, (_, weight) in enumerate(self._members):
            if usable is None or usable[position]:
                total += weight
                self._credit[position] += weight
                if best < 0 or self._credit[position] > self._credit[best]:
                    best = position
            else:
                # Who is away saves nothing up.
                self._credit[position] = 0
        if best < 0:
            return None
        self._credit[best] -= total
        return self._members[best][0]
