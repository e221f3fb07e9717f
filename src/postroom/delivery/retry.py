"""When a deferred message is tried again: a pure schedule, no clock and no randomness of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

JITTER: Final = 0.2
_LARGEST_EXPONENT: Final = 200


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """Waits of ``first``, ``first * factor``, ... up to ``longest``, until ``max_age`` after the accept.

    Each wait is varied by up to 20 % either way so that messages deferred together do not come back
    together. Raises ValueError, naming the field, for a schedule that could spin or never begin.
    """

    first: timedelta
    factor: float
    longest: timedelta
    max_age: timedelta

    def __post_init__(self) -> None:
        if self.first <= timedelta(0):
            raise ValueError(f"first is {self.first}: the first wait must be longer than nothing")
        if not 1 <= self.factor <= 10:
            raise ValueError(f"factor is {self.factor}: it must be between 1 and 10")
        if self.longest < self.first:
            raise ValueError(f"longest is {self.longest}: it must not be below first, which is {self.first}")
        if self.max_age <= timedelta(0):
            raise ValueError(f"max_age is {self.max_age}: it must be longer than nothing")

    def next_attempt(
        self, accepted_at: datetime, attempt: int, now: datetime, rand: Callable[[], float]
    ) -> datetime | None:
        """The time of the next attempt, or None: too old, it is not sent.

        ``attempt`` is the number of attempts made so far, the one that just failed included (1, 2, ...).
        ``rand`` gives numbers in [0, 1). Never later than ``accepted_at + max_age``: a wait that would
        end later ends exactly then, so that the last of the allowed time is still used once.
        """
        deadline = accepted_at + self.max_age
        if now >= deadline:
            return None
        exponent = min(max(attempt, 1) - 1, _LARGEST_EXPONENT)
        wait = min(self.first.total_seconds() * self.factor**exponent, self.longest.total_seconds())
        varied = wait * (1 - JITTER + 2 * JITTER * rand())
        if varied >= (deadline - now).total_seconds():
            return deadline
        return now + timedelta(seconds=varied)
