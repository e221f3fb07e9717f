"""Which signatures are made next, and by which process; no I/O.

Targets take turns, one signature each. A process gets several at a time, so that neither side is woken for each, and
gets more shortly before it has done what it has, so that it never waits. As long as there is less to do than that,
each process gets as much as the others, and at once. But where signatures are made together, fewer than that wait
while a process is at work, which takes one or two milliseconds: together they take half the time.
"""

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable
from typing import Protocol

from postroom.delivery.dkim.key import SigningKey
from postroom.delivery.signing.frames import (
    HOW,
    SIGNATURES,
    FrameBroken,
    Frames,
    digests_frame,
    how_of,
    key_frame,
    signatures_of,
)

BATCH = 16
"""Signatures that a process is asked for at a time, at most."""

LOW = 12
"""A process that has no more than so many left gets the next batch."""

KEPT_KEYS = 1000


class Waiting(Protocol):
    """Who waits for signatures."""

    withdrawn: bool

    def signed(self, place: int, signature: bytes) -> None:
        """Called once for each signature, with an empty one when there is none; never when ``withdrawn``."""


class Wanted:
    """One signature: the ``place``-th of somebody's."""

    __slots__ = ("digest", "key", "place", "waiting")

    def __init__(self, waiting: Waiting, place: int, key: SigningKey, digest: bytes) -> None:
        self.waiting = waiting
        self.place = place
        self.key = key
        self.digest = digest


class Turns:
    """What no process has yet."""

    def __init__(self) -> None:
        self._targets: OrderedDict[Hashable, deque[Wanted]] = OrderedDict()
        self._first: deque[Wanted] = deque()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, target: Hashable, wanted: Wanted) -> None:
        """One more for a target."""
        line = self._targets.get(target)
        if line is None:
            line = self._targets[target] = deque()
        line.append(wanted)
        self._count += 1

    def put_back(self, wanted: Iterable[Wanted]) -> None:
        """What a process had when it ended, in its order; it is next."""
        again = [each for each in wanted if not each.waiting.withdrawn]
        self._first.extend(again)
        self._count += len(again)

    def withdraw(self, target: Hashable) -> None:
        """Forget what is wanted for a target; all of it is ``withdrawn``."""
        self._count -= len(self._targets.pop(target, ()))
        kept = [each for each in self._first if not each.waiting.withdrawn]
        self._count -= len(self._first) - len(kept)
        self._first = deque(kept)

    def clear(self) -> None:
        """Forget everything."""
        self._targets.clear()
        self._first.clear()
        self._count = 0

    def take(self, most: int) -> list[Wanted]:
        """The next ones, at most so many."""
        found: list[Wanted] = []
        while self._first and len(found) < most:
            found.append(self._first.popleft())
        targets = self._targets
        while targets and len(found) < most:
            target, line = next(iter(targets.items()))
            found.append(line.popleft())
            if line:
                targets.move_to_end(target)
            else:
                del targets[target]
        self._count -= len(found)
        return found


class Hands:
    """What one process knows and has, as its delivery process sees it."""

    def __init__(self) -> None:
        self._frames = Frames()
        self._places: OrderedDict[SigningKey, int] = OrderedDict()
        self._batches: deque[list[Wanted]] = deque()
        self.inside = 0
        """Signatures it was asked for and has not answered."""
        self.together = 1
        """How many signatures it makes together."""
        self.how = ""
        """How it makes them, in words; empty before it said anything."""

    @property
    def wants(self) -> bool:
        """Whether it is time for its next batch."""
        return self.inside <= LOW

    def share(self, waiting: int, free: int, others_work: bool) -> int:
        """How many of the ``waiting`` signatures to give it, as the first of so many ``free`` ones; ``others_work``
        says that an answer is on its way."""
        even = -(-waiting // free)
        if self.together == 1:
            return min(BATCH, even)
        if waiting >= self.together:
            return min(BATCH, max(self.together, even - even % self.together))
        return 0 if others_work or self.inside else waiting

    def give(self, batch: list[Wanted]) -> bytes:
        """What to send for these signatures, with the keys for them that it does not know."""
        sent = []
        wanted = []
        for each in batch:
            place = self._places.get(each.key)
            if place is None:
                # A batch has fewer keys than are kept: no place is taken that the batch itself needs.
                place = len(self._places) if len(self._places) < KEPT_KEYS else self._places.popitem(last=False)[1]
                self._places[each.key] = place
                sent.append(key_frame(place, each.key.private))
            else:
                self._places.move_to_end(each.key)
            wanted.append((place, each.digest))
        sent.append(digests_frame(wanted))
        self._batches.append(batch)
        self.inside += len(batch)
        return b"".join(sent)

    def answered(self, data: bytes) -> list[tuple[Wanted, bytes]]:
        """The signatures in what it said, an empty one where there is none. Raises FrameBroken."""
        found: list[tuple[Wanted, bytes]] = []
        for kind, content in self._frames.read(data):
            if kind == HOW and not self.how:
                self.together, self.how = how_of(content)
                continue
            if kind != SIGNATURES or not self._batches:
                raise FrameBroken(f"a frame of kind {kind} that nobody asked for")
            signatures = signatures_of(content)
            batch = self._batches[0]
            if len(signatures) != len(batch):
                raise FrameBroken(f"{len(signatures)} signatures for {len(batch)} digests")
            self._batches.popleft()
            self.inside -= len(batch)
            found.extend(zip(batch, signatures, strict=True))
        return found

    @property
    def first(self) -> list[Wanted] | None:
        """The batch it has to answer next, if any."""
        return self._batches[0] if self._batches else None

    def left(self) -> list[Wanted]:
        """What it has not answered, in the order in which it got it."""
        return [each for batch in self._batches for each in batch]
