"""What a mail host does with an attempt: chosen by the seed, the address and the number of the attempt alone.

So one mail has the same fate in every run of a seed, whichever process sends it, and when.
"""

import random
from dataclasses import dataclass
from typing import Literal, TypeAlias

Fate: TypeAlias = Literal[
    "take",
    "take slowly",
    "defer at rcpt",
    "defer at dot",
    "421 at dot",
    "refuse at rcpt",
    "refuse at dot",
    "unknown user",
    "hang at rcpt",
    "cut in the mail",
    "cut after dot",
    "cut after half a reply",
    "cut after 250",
    "hang after dot",
    "drop after dot",
]

# Rarely 421: who says so is fed less and less, and that would be the end of the traffic.
_WEIGHTS: dict[Fate, float] = {
    "take": 140,
    "take slowly": 10,
    "defer at rcpt": 8,
    "defer at dot": 8,
    "421 at dot": 0.2,
    "refuse at rcpt": 3,
    "refuse at dot": 3,
    "unknown user": 2,
    "hang at rcpt": 1,
    "cut in the mail": 5,
    "cut after dot": 5,
    "cut after half a reply": 3,
    "cut after 250": 4,
    "hang after dot": 1,
    "drop after dot": 3,
}
_ATTEMPTS = 4
"""From this one on every mail is taken, so that there is an end."""

KEPT: frozenset[Fate] = frozenset({"cut after dot", "cut after half a reply", "cut after 250", "hang after dot"})
"""The host has the mail, and its sender can't know."""


@dataclass(frozen=True, slots=True)
class Fates:
    """Of one seed."""

    seed: int

    def of(self, address: str, attempt: int) -> Fate:
        """What happens to this attempt, counted from 1 by the host's side."""
        if attempt >= _ATTEMPTS:
            return "take"
        rand = random.Random(f"{self.seed} {address} {attempt}")
        return rand.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]

    def number(self, *what: object, most: float) -> float:
        """Something between 0 and ``most`` that belongs to this."""
        return random.Random(f"{self.seed} {what}").random() * most
