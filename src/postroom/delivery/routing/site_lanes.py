"""The lanes of one site, counted together with those of all others."""

from collections import Counter
from collections.abc import Iterable

from postroom.delivery.lanes import Lanes
from postroom.delivery.slices import LaneKey, Message


class SiteLanes(Lanes):
    """``tally`` counts the messages of each lane over all sites: what a claim looks at."""

    def __init__(self, tally: Counter[LaneKey]) -> None:
        super().__init__()
        self._tally = tally

    def keys(self) -> list[LaneKey]:
        """The lanes that hold something."""
        return list(self._lanes)

    def offer(self, key: LaneKey, messages: Iterable[Message]) -> None:
        """See ``Lanes``."""
        before = len(self)
        super().offer(key, messages)
        self._tally[key] += len(self) - before

    def take(self) -> Message | None:
        """See ``Lanes``."""
        message = super().take()
        if message is not None:
            self._less(message.slice.key, 1)
        return message

    def put_back(self, key: LaneKey, message: Message) -> None:
        """See ``Lanes``."""
        super().put_back(key, message)
        self._tally[key] += 1

    def drain(self) -> list[Message]:
        """See ``Lanes``."""
        messages = super().drain()
        for message in messages:
            self._less(message.slice.key, 1)
        return messages

    def shed(self, key: LaneKey, count: int) -> list[Message]:
        """Take so many from the end of a lane: those whose turn is the furthest away."""
        lane = self._lanes.get(key)
        if lane is None:
            return []
        shed = [lane.pop() for _ in range(min(count, len(lane)))]
        if not lane:
            del self._lanes[key]
        self._size -= len(shed)
        self._less(key, len(shed))
        return shed

    def _less(self, key: LaneKey, count: int) -> None:
        left = self._tally[key] - count
        if left:
            self._tally[key] = left
        else:
            del self._tally[key]
