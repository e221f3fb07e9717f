"""How many messages of each lane a worker has in hand, and how many of them may keep it from claiming more.

What waits for a quick site fills the lane, since it will soon be gone. What waits for a slow site beyond the next
moments, or for the DNS, is put aside: it has a room of its own, as large as the lane. So nobody slow keeps the mail of
the others in the queue until that room is full as well, and then it is given back. Pure.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from postroom.delivery.lanes import lane_capacity
from postroom.delivery.slices import LaneKey


class Holder(Protocol):
    """Who holds messages: a site."""

    def beyond(self) -> Iterable[tuple[LaneKey, int]]:
        """How many of each lane it will not send in the next moments."""


class InHand:
    """``tally`` counts all, ``unrouted`` those of them whose site is not known yet; the owner keeps both up."""

    def __init__(self, lane_messages: int) -> None:
        self._lane_messages = lane_messages
        self.tally: Counter[LaneKey] = Counter()
        self.unrouted: Counter[LaneKey] = Counter()
        self._slow: Counter[LaneKey] = Counter()

    def waiting(self, key: LaneKey) -> int:
        """How much of the lane is taken."""
        held = self.tally.get(key, 0)
        aside = self.unrouted.get(key, 0) + self._slow.get(key, 0)
        return max(0, held - min(aside, lane_capacity(key, self._lane_messages)))

    def full(self) -> set[LaneKey]:
        """The lanes of which nothing more is claimed at present."""
        return {key for key in self.tally if self.waiting(key) > lane_capacity(key, self._lane_messages) // 2}

    def look(self, holders: Iterable[Holder]) -> bool:
        """Count anew what is with the slow; true when a lane may have got room by it."""
        before, self._slow = self._slow, Counter()
        for holder in holders:
            for key, messages in holder.beyond():
                self._slow[key] += messages
        return any(messages > before[key] for key, messages in self._slow.items())
