"""One transaction at one site: a mail, or the copies of it that go to recipients elsewhere."""

from collections.abc import Callable, Sequence
from typing import Protocol

from postroom.delivery.outcome import Deferred, Outcome
from postroom.delivery.smtp.envelope import Mail


class Carrier(Protocol):
    """Who carries a parcel: a site."""

    def ended(self, parcel: "Parcel", outcome: Outcome) -> None:
        """The transaction is over."""


class Parcel:
    """What a connection takes. ``finish`` is called with the outcome once it was really tried, ``back`` when no
    host was reached: the parcel may then be carried again.
    """

    __slots__ = ("_back", "_carrier", "_finish", "data", "first_decides", "recipients", "sender", "smtputf8")

    def __init__(
        self,
        mail: Mail,
        recipients: Sequence[str],
        carrier: Carrier,
        *,
        finish: Callable[[Outcome], None],
        back: Callable[["Parcel"], None],
        first_decides: bool = True,
    ) -> None:
        self.sender = mail.sender
        self.recipients = recipients
        self.first_decides = first_decides
        self.data = mail.data
        self.smtputf8 = mail.smtputf8
        self._carrier = carrier
        self._finish = finish
        self._back = back

    def finish(self, outcome: Outcome) -> None:
        """Called by the pool exactly once for each time it takes the parcel."""
        self._carrier.ended(self, outcome)

    def decide(self, outcome: Outcome) -> None:
        """Called by the site: what became of it, or that it must go again."""
        if isinstance(outcome, Deferred) and outcome.stage == "connect":
            self._back(self)
        else:
            self._finish(outcome)

    def again(self) -> None:
        """Called by the site: it was refused for nothing that lies in it, and goes another way at once."""
        self._back(self)

    def give_up(self, outcome: Outcome) -> None:
        """It is not carried any more."""
        self._finish(outcome)
