"""How long each step of a dialogue may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. The defaults are the minimums of RFC 5321 §4.5.3.2 where it names one.

    Each counts from our command to the complete reply: a peer that dribbles its reply gains nothing.
    """

    connect: float = 30.0
    """For the name, and for each of its addresses."""
    greeting: float = 300.0
    hello: float = 300.0
    tls: float = 60.0
    auth: float = 120.0
    mail: float = 300.0
    rcpt: float = 300.0
    data: float = 120.0
    block: float = 180.0
    """While the body is being written: without any byte of it leaving."""
    final: float = 600.0
    reset: float = 60.0
    quit: float = 5.0

    @property
    def shortest(self) -> float:
        """The shortest of those that a connection can be under."""
        return min(
            self.greeting,
            self.hello,
            self.tls,
            self.auth,
            self.mail,
            self.rcpt,
            self.data,
            self.block,
            self.final,
            self.reset,
            self.quit,
        )
