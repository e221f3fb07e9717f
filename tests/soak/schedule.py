"""What is done to the server when: made from the seed alone, before anything begins."""

import random
from dataclasses import dataclass
from typing import Literal, TypeAlias

BlowKind: TypeAlias = Literal[
    "kill deliver",
    "kill api",
    "kill events",
    "kill signing",
    "kill backend",
    "kill postgres",
    "kill serve",
    "terminate deliver",
    "terminate api",
    "terminate events",
    "terminate serve",
    "stop deliver",
    "stop deliver for longer than a lease",
    "stop api",
    "stop events",
    "stop signing",
    "cut database",
    "cut database at a byte",
    "database stands still",
    "disk full",
    "cut clients",
    "cut clients at a byte",
    "cut webhooks",
    "cut webhooks at a byte",
    "webhooks refused",
    "webhooks hang",
    "cut mail hosts",
    "a mail host is away",
    "a mail host is busy",
    "dns fails",
    "dns is silent",
    "the clock steps",
]

_WEIGHTS: dict[BlowKind, int] = {
    "kill deliver": 12,
    "kill api": 8,
    "kill events": 6,
    "kill signing": 6,
    "kill backend": 4,
    "kill postgres": 4,
    "kill serve": 2,
    "terminate deliver": 6,
    "terminate api": 4,
    "terminate events": 3,
    "terminate serve": 2,
    "stop deliver": 5,
    "stop deliver for longer than a lease": 4,
    "stop api": 4,
    "stop events": 3,
    "stop signing": 4,
    "cut database": 6,
    "cut database at a byte": 8,
    "database stands still": 4,
    "disk full": 2,
    "cut clients": 4,
    "cut clients at a byte": 6,
    "cut webhooks": 3,
    "cut webhooks at a byte": 5,
    "webhooks refused": 3,
    "webhooks hang": 2,
    "cut mail hosts": 5,
    "a mail host is away": 4,
    "a mail host is busy": 3,
    "dns fails": 4,
    "dns is silent": 3,
    "the clock steps": 5,
}
KINDS: tuple[BlowKind, ...] = tuple(_WEIGHTS)
_FIRST_SECONDS = 5.0
_PAUSE_SECONDS = 2.5
_LONGEST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Blow:
    """``at`` counts from the beginning; ``pick`` chooses among those that it may hit."""

    at: float
    kind: BlowKind
    seconds: float
    pick: int

    def __str__(self) -> str:
        return f"{self.at:6.1f} s  {self.kind} ({self.seconds:.1f} s, {self.pick})"


def schedule(seed: int, seconds: float, kinds: tuple[BlowKind, ...] = KINDS) -> list[Blow]:
    """Blows of these kinds for so long; they may overlap."""
    rand = random.Random(f"{seed} blows")
    blows = []
    at = _FIRST_SECONDS
    while at < seconds:
        (kind,) = rand.choices(kinds, [_WEIGHTS[each] for each in kinds])
        blows.append(Blow(at, kind, 0.5 + rand.random() * (_LONGEST_SECONDS - 0.5), rand.randrange(1 << 30)))
        at += rand.expovariate(1 / _PAUSE_SECONDS)
    return blows
