"""What is to be settled of one business unit, and taking it apart."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from postroom.audience.soft_bounces import Consequence
from postroom.delivery.slices import Part, Slice, Wrote
from postroom.events.log import Event


@dataclass(slots=True)
class Batch:
    """Outcomes that are not written yet, in their order."""

    events: list[tuple[Slice, Event]] = field(default_factory=list)
    writes: dict[Event, tuple[Wrote, ...]] = field(default_factory=dict)
    consequences: dict[Event, Consequence] = field(default_factory=dict)
    parts: list[tuple[Slice, Sequence[Part]]] = field(default_factory=list)
    """What leaves a slice that goes on."""
    over: dict[Slice, None] = field(default_factory=dict)
    """Slices with an outcome for every message."""

    @property
    def slices(self) -> list[Slice]:
        """All that it tells of."""
        given_back = (slice_ for slice_, _ in self.parts)
        return list(dict.fromkeys([*(slice_ for slice_, _ in self.events), *given_back, *self.over]))

    def append(self, later: "Batch") -> None:
        """Take over what was recorded afterwards."""
        self.events += later.events
        self.writes |= later.writes
        self.consequences |= later.consequences
        self.parts += later.parts
        self.over |= later.over

    def of(self, slices: Collection[Slice]) -> "Batch":
        """What it tells of these slices."""
        events = [each for each in self.events if each[0] in slices]
        return Batch(
            events,
            {event: self.writes[event] for _, event in events if event in self.writes},
            {event: self.consequences[event] for _, event in events if event in self.consequences},
            [each for each in self.parts if each[0] in slices],
            {slice_: None for slice_ in self.over if slice_ in slices},
        )

    def of_events(self, slice_: Slice, events: Sequence[Event]) -> "Batch":
        """Some events of a slice with what follows from them, but not what becomes of the slice."""
        return Batch(
            [(slice_, event) for event in events],
            {event: self.writes[event] for event in events if event in self.writes},
            {event: self.consequences[event] for event in events if event in self.consequences},
        )

    def drop(self, slices: Collection[Slice]) -> None:
        """These slices are dealt with."""
        self.events = [each for each in self.events if each[0] not in slices]
        self.parts = [each for each in self.parts if each[0] not in slices]
        self.over = {slice_: None for slice_ in self.over if slice_ not in slices}

    def drop_events(self, slice_: Slice, events: Collection[Event]) -> None:
        """These events of a slice are dealt with."""
        self.events = [each for each in self.events if each[0] is not slice_ or each[1] not in events]
