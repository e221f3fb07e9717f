"""A list of waits written as people write them, such as `1m 5m 15m 1h 3h 6h`."""

import re
from datetime import timedelta
from typing import Final

SHORTEST: Final = timedelta(milliseconds=100)
LONGEST: Final = timedelta(days=1)
MOST_WAITS: Final = 50

_WAIT = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smhd])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_waits(text: str) -> tuple[timedelta, ...]:
    """The waits in their order, at least one. Raises ValueError with what is wrong and what to write."""
    words = text.split()
    if not words:
        raise ValueError("it is empty; write waits with spaces between them, such as 1m 5m 15m 1h")
    if len(words) > MOST_WAITS:
        raise ValueError(f"it has {len(words)} waits; write at most {MOST_WAITS}, the last one repeats")
    waits = []
    for word in words:
        found = _WAIT.fullmatch(word)
        if found is None:
            raise ValueError(f"{word[:20]!r} is no wait; write a number and s, m, h or d, such as 1m 5m 15m 1h")
        wait = timedelta(seconds=float(found[1]) * _SECONDS[found[2]])
        if not SHORTEST <= wait <= LONGEST:
            raise ValueError(f"{word!r} is out of range; a wait is from 0.1s to 1d")
        waits.append(wait)
    return tuple(waits)
