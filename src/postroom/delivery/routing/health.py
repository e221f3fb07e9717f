"""Whether a host or a relay is worth a try. Pure: the clock is an argument, in seconds.

    state      | event            | next
    -----------|------------------|-------------------------------------------
    well       | failed           | away
    well       | trouble, 5 times | away
    away       | time passes      | suspect
    suspect    | reached          | well
    suspect    | failed, trouble  | away, twice as long

Well is used; away is not tried; suspect gets one message at a time, to find out. ``reached`` forgets all troubles.
"""

from collections.abc import Callable
from typing import Literal, TypeAlias

State: TypeAlias = Literal["well", "away", "suspect"]

MOST_TROUBLES = 5
PROBE_SECONDS = 30.0
"""A probe that brought no answer in this time is followed by another."""


class Health:
    """``first`` and ``longest`` bound the time away; ``rand`` gives numbers in [0, 1)."""

    def __init__(self, *, first: float, longest: float, rand: Callable[[], float]) -> None:
        self._first = first
        self._longest = longest
        self._rand = rand
        self._failures = 0
        self._troubles = 0
        self._away_until = float("-inf")
        self._probe_until = float("-inf")

    def state(self, now: float) -> State:
        """See the table."""
        if not self._failures:
            return "well"
        return "away" if now < self._away_until else "suspect"

    def failed(self, now: float) -> None:
        """It could not be reached."""
        wait = min(self._longest, self._first * 2.0 ** min(self._failures, 10))
        self._failures += 1
        self._troubles = 0
        self._away_until = now + wait * (0.8 + 0.4 * self._rand())
        self._probe_until = float("-inf")

    def trouble(self, now: float) -> bool:
        """It was reached, and broke off; true when that was once too often. While it is away that says nothing new:
        what was under way when it went breaks off too."""
        if self.state(now) == "away":
            return False
        self._troubles += 1
        if self._failures or self._troubles >= MOST_TROUBLES:
            self.failed(now)
            return True
        return False

    def reached(self) -> None:
        """It answered as it should."""
        self._failures = self._troubles = 0

    def probe(self, now: float) -> bool:
        """Whether one message may find out now; if so it is taken to be on its way."""
        if self.state(now) != "suspect" or now < self._probe_until:
            return False
        self._probe_until = now + PROBE_SECONDS
        return True

    def wait(self, now: float) -> float:
        """Seconds until it may be worth a try again; 0 when it is."""
        match self.state(now):
            case "well":
                return 0.0
            case "away":
                return self._away_until - now
            case "suspect":
                return max(0.0, self._probe_until - now)
