"""When a deferred message is tried again: a pure schedule, no clock and no randomness of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from postroom.catalog.sending_options import SendingOptions

JITTER: Final = 0.2


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """The waits before the second, third ... attempt, the last one repeated, until ``max_age`` after the accept.

    Each wait is varied by up to 20 % either way so that messages deferred together do not come back
    together. Raises ValueError, naming the field, for a schedule that could spin or never begin.
    """

    waits: tuple[timedelta, ...]
    max_age: timedelta

    def __post_init__(self) -> None:
        if not self.waits:
            raise ValueError("waits is empty: name at least one wait")
        for wait in self.waits:
            if wait <= timedelta(0):
                raise ValueError(f"waits has {wait}: each wait must be longer than nothing")
        if self.max_age <= timedelta(0):
            raise ValueError(f"max_age is {self.max_age}: it must be longer than nothing")

    def chosen(self, sending: SendingOptions) -> RetrySchedule:
        """The schedule of a definition with these options."""
        within = sending.deliver_within
        return replace(
            self,
            waits=sending.waits or self.waits,
            max_age=self.max_age if within is None else min(self.max_age, within),
        )

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
        wait = self.waits[min(max(attempt, 1), len(self.waits)) - 1].total_seconds()
        varied = wait * (1 - JITTER + 2 * JITTER * rand())
        if varied >= (deadline - now).total_seconds():
            return deadline
        return now + timedelta(seconds=varied)
