"""What is said on one SMTP connection, and what comes of it: the common ground of ``Handshake`` and ``Session``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import msgspec

from postroom.delivery.outcome import Attempt, Certificate, Deferred, Outcome, Stage
from postroom.delivery.smtp.extensions import Extensions
from postroom.delivery.smtp.local_address import LocalAddress
from postroom.delivery.smtp.reply import Reply, printable
from postroom.delivery.smtp.state import STAGES, State
from postroom.delivery.smtp.target import SmtpTarget


@dataclass(frozen=True, slots=True)
class Finished:
    """The transaction has its outcome. ``untouched``: the peer had answered none of its commands. ``left`` are
    recipients of whom the outcome says nothing, since there were too many: they want a further transaction."""

    outcome: Outcome
    untouched: bool
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The handshake failed: no mail can be handed to this target now."""

    outcome: Deferred


@dataclass(frozen=True, slots=True)
class StartTls:
    """The shell must upgrade the connection now and then call ``tls_started`` or ``lost``."""


_Kind = TypeVar("_Kind", bound=Attempt)
Event: TypeAlias = Finished | Unavailable | StartTls


class Dialogue:
    """The state, what is to be written and the events that came about. ``helo`` is our own name."""

    def __init__(self, target: SmtpTarget, *, helo: str) -> None:
        self.state = State.GREETING
        self.extensions = Extensions()
        self.address = ""
        self.tls = ""
        self.certificate: Certificate | None = None
        """Kept by the shell, as ``tls`` before ``tls_started``."""
        self.target = target
        self.helo = helo.encode("ascii")
        self.output = b""
        self.events: list[Event] = []
        self._source = ""

    @property
    def source(self) -> str:
        """Our own address, where it was chosen."""
        return self._source

    def come_from(self, local: LocalAddress) -> None:
        """Our own address, which is part of every outcome, and the name for it; only before the greeting."""
        self._source = local.ip
        self.helo = local.helo.encode("ascii")

    def take_output(self) -> bytes:
        """What is to be written now, in one write; empty when nothing is."""
        output, self.output = self.output, b""
        return output

    def say(self, line: bytes, state: State) -> None:
        """Write a line, and wait for the answer to it."""
        self.output += line
        self.state = state

    def give_up(self, text: str, stage: Stage) -> None:
        """The handshake fails for a reason of our own."""
        self.events.append(Unavailable(self.attempt(Deferred, None, text, stage)))
        self.state = State.CLOSED

    def unavailable(self, reply: Reply, explanation: str = "") -> None:
        """The handshake fails by an answer of the peer."""
        outcome = self.attempt(Deferred, reply, "", STAGES[self.state])
        if explanation:
            outcome = msgspec.structs.replace(outcome, text=printable(f"{outcome.text} ({explanation})"))
        self.events.append(Unavailable(outcome))
        self.state = State.CLOSED

    def attempt(
        self,
        kind: type[_Kind],
        reply: Reply | None,
        text: str,
        stage: Stage,
        code: int | None = None,
        enhanced: str = "",
        refused: tuple[tuple[str, str], ...] = (),
    ) -> _Kind:
        """An outcome with all that is known of the connection."""
        return kind(
            reply.code if reply is not None else code,
            reply.enhanced if reply is not None else enhanced,
            reply.text if reply is not None else printable(text),
            self.target.host,
            self.address,
            self.tls,
            stage,
            refused,
            self.certificate,
            self._source,
        )

    def take_events(self) -> list[Event]:
        """What came about since the last call."""
        events = self.events
        if events:
            self.events = []
        return events
