"""How fast a site has shown itself to be, and what may wait for it. Pure: fed by ticks."""

HORIZON_SECONDS = 10.0
"""A site may hold what it can send in this time; what does not fit is given back to the queue."""
SOON_SECONDS = 2.0
"""What a site will send in this time takes part of the room for claims; what is beyond is put aside."""
FEWEST = 4
PATIENCE_SECONDS = 5.0
"""A new site has worked for this long before anything is known: one moment says more of us than of the site."""
LONGEST_WAIT_SECONDS = 300.0
_SLOWEST = 0.05
_SMOOTHING = 0.3


class Pace:
    """``tick`` every so often; ``limit`` is how many messages of one lane may wait, None when nothing is known."""

    def __init__(self) -> None:
        self.per_second: float | None = None
        self._done = 0
        self._busy_seconds = 0.0
        self._busy_done = 0.0
        self._was_waiting = False
        self._booked_until = 0.0

    def done(self) -> None:
        """The site has answered one message."""
        self._done += 1

    def tick(self, seconds: float, waiting: bool) -> None:
        """So much time has passed since the last tick; ``waiting``: something waits for the site now."""
        rate, self._done = self._done / seconds, 0
        backlogged, self._was_waiting = waiting and self._was_waiting, waiting
        if backlogged:
            self._busy_seconds += seconds
            self._busy_done += rate * seconds
            if self.per_second is not None:
                self.per_second += _SMOOTHING * (rate - self.per_second)
            elif self._busy_seconds >= PATIENCE_SECONDS:
                self.per_second = self._busy_done / self._busy_seconds
        elif self.per_second is not None:
            # It kept up with what it got, and is given more, but no more than twice what it did: a slow site that
            # had nothing to do for a while is still slow, and what is believed of it must not take the lane again.
            self.per_second = max(self.per_second, min(2 * rate, 1.5 * self.per_second + 1))

    @property
    def limit(self) -> int | None:
        """Most messages of one lane that may wait here."""
        return None if self.per_second is None else max(FEWEST, int(self.per_second * HORIZON_SECONDS))

    @property
    def soon(self) -> int | None:
        """How many messages it will send in the next moments, as far as its work so far tells; None before any."""
        rate = self.per_second
        if rate is None:
            if not self._busy_seconds:
                return None
            rate = self._busy_done / self._busy_seconds
        return max(FEWEST, int(rate * SOON_SECONDS))

    def booked(self, now: float) -> float:
        """Seconds until the last of those comes again that did not fit; 0 when none is outstanding."""
        return max(0.0, self._booked_until - now)

    def all_back(self) -> None:
        """Nothing that was given back is left."""
        self._booked_until = 0.0

    def book(self, now: float, waiting: int) -> float:
        """Seconds after which one more message, which does not fit now, should come again.

        Each booking is behind the one before, so what is given back returns as the site can take it.
        """
        rate = max(_SLOWEST, self.per_second or 0.0)
        self._booked_until = max(self._booked_until, now + waiting / rate) + 1 / rate
        self._booked_until = min(self._booked_until, now + LONGEST_WAIT_SECONDS)
        return self._booked_until - now
