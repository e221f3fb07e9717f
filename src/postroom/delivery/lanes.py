"""Whose turn it is: claimed messages wait in lanes, and the lanes take turns.

A lane is the small requests or the batches of one definition. However many messages a batch holds, a message
of another lane waits for at most one message of each lane that has work (demand: "10,000 mails of one tenant
hold up one mail of another"). Pure: no clock, no I/O.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Protocol

from postroom.delivery.slices import LaneKey, Message

SMALL_SHARE = 4
"""The lane of small requests may hold a quarter of what a lane of batches may."""


def lane_capacity(key: LaneKey, lane_messages: int) -> int:
    """How many messages of a lane may be in hand, where a lane of batches may have ``lane_messages``."""
    return lane_messages if key.lane else lane_messages // SMALL_SHARE


class Signed(Protocol):
    """The mails of some lanes that are signed or being signed."""

    def __len__(self) -> int: ...

    @property
    def ready(self) -> bool:
        """Whether one of them can be taken."""


class Lanes:
    """A fair buffer. ``take`` gives one message of each lane in turn."""

    def __init__(self) -> None:
        self._lanes: OrderedDict[LaneKey, deque[Message]] = OrderedDict()
        self._size = 0
        self.ahead: Signed | None = None
        """What left these lanes to be signed and no connection has taken; None before there was any."""

    def __len__(self) -> int:
        return self._size

    def waiting(self, key: LaneKey) -> int:
        """How many messages wait in one lane."""
        lane = self._lanes.get(key)
        return 0 if lane is None else len(lane)

    def offer(self, key: LaneKey, messages: Iterable[Message]) -> None:
        """Append to a lane, in order; a lane that was empty gets its turn after those that were not."""
        lane = self._lanes.get(key)
        if lane is None:
            lane = deque()
        before = len(lane)
        lane.extend(messages)
        if lane:
            self._lanes[key] = lane
        self._size += len(lane) - before

    def take(self) -> Message | None:
        """The next message, or None when all lanes are empty."""
        if not self._lanes:
            return None
        key = next(iter(self._lanes))
        lane = self._lanes[key]
        message = lane.popleft()
        self._size -= 1
        if lane:
            self._lanes.move_to_end(key)
        else:
            del self._lanes[key]
        return message

    def put_back(self, key: LaneKey, message: Message) -> None:
        """Undo a ``take``: the message is the first of its lane again."""
        lane = self._lanes.get(key)
        if lane is None:
            self._lanes[key] = deque((message,))
        else:
            lane.appendleft(message)
        self._size += 1

    def drain(self) -> list[Message]:
        """Take everything, lane by lane."""
        messages = [message for lane in self._lanes.values() for message in lane]
        self._lanes.clear()
        self._size = 0
        return messages
