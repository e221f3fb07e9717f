"""One attempt at one message, in the form the SMTP pool takes."""

from collections.abc import Callable

from postroom.content.model import Mail
from postroom.delivery.outcome import Outcome
from postroom.delivery.slices import Message


class Job:
    """A composed message on its way; ``finish`` passes the outcome on, with the message it belongs to.

    ``sender`` is the envelope's, which is not always that of the mail: bounces go to it.
    """

    first_decides = True
    __slots__ = ("_finished", "data", "message", "recipients", "sender", "smtputf8")

    def __init__(self, message: Message, mail: Mail, sender: str, finished: Callable[[Message, Outcome], None]) -> None:
        self.message = message
        self._finished = finished
        self.sender = sender
        self.recipients = mail.recipients
        self.data = mail.data
        self.smtputf8 = mail.smtputf8

    def finish(self, outcome: Outcome) -> None:
        """Called by the pool exactly once."""
        self._finished(self.message, outcome)
