"""Warm-up: a new source address is trusted with more mail each day, site by site. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta


@dataclass(frozen=True, slots=True)
class WarmUp:
    """At most ``per_day[n]`` messages to each site on the n-th day after ``since``; afterwards as many as there are."""

    since: date
    per_day: tuple[int, ...]

    def limit(self, day: date) -> int | None:
        """Most messages for one site on this UTC day; None when the warm-up is over. Before it begins, as on its
        first day."""
        number = max(0, (day - self.since).days)
        return self.per_day[number] if number < len(self.per_day) else None


def seconds_to_next_day(now: datetime) -> float:
    """Until the next UTC day begins."""
    utc = now.astimezone(UTC)
    tomorrow = datetime(utc.year, utc.month, utc.day, tzinfo=UTC) + timedelta(days=1)
    return (tomorrow - utc).total_seconds()
