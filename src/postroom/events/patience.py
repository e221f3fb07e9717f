"""When a failed webhook is tried again (contract §6): three attempts at once, then ever later.

    attempt   1    2     3     4     5     6      7 …
    wait      -    0.5s  1.5s  5s    10s   20s    40s … up to 10 minutes

The last wait goes on for ever, as slow probing: no endpoint is switched off. What may no longer be tried is the
event, seven days after it occurred.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

_QUICK = (0.5, 1.5)
_DEFERRED = 5.0
_SPREAD = 0.2


@dataclass(frozen=True, slots=True)
class Patience:
    """``longest`` bounds the wait between two attempts; events are tried for ``days`` after they occurred."""

    longest: timedelta = timedelta(minutes=10)
    days: timedelta = timedelta(days=7)

    def wait(self, failures: int, rand: Callable[[], float]) -> float:
        """Seconds until the next attempt after this many failures in a row (1 or more); ``rand`` gives [0, 1).

        Waits are spread by up to a fifth downwards, so that endpoints behind one broken proxy do not come together.
        """
        if failures <= len(_QUICK):
            wait = _QUICK[failures - 1]
        else:
            # The exponent is bounded: a float ends at 2**1024, a dead endpoint does not.
            wait = _DEFERRED * 2.0 ** min(failures - len(_QUICK) - 1, 40)
        wait = min(wait, self.longest.total_seconds())
        return wait * (1 - _SPREAD * rand())
