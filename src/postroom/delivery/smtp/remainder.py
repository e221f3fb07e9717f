"""Recipients that one transaction could not hold, and the further one that takes them. Pure.

A peer may take fewer recipients at a time than a mail has (RFC 5321 §4.5.3.1.8 and .10): those it took are served in
this transaction, the others in further ones right behind it, with the same bytes. Each takes at least one recipient, or
is the last. The mail has one outcome, after the last of them; what is known of each recipient is in it.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from postroom.delivery.outcome import Outcome, Sent
from postroom.delivery.smtp.envelope import Mail
from postroom.delivery.smtp.reply import Reply

MOST_RECIPIENTS: Final = 100
"""Every server takes so many (RFC 5321 §4.5.3.1.8), unless it says otherwise (RFC 9422)."""


class Finishing(Mail, Protocol):
    """A mail that wants to know its outcome."""

    def finish(self, outcome: Outcome) -> None:
        """What became of it."""


def is_too_many(reply: Reply) -> bool:
    """Whether a recipient is refused only because there are so many others: X.5.3 (RFC 3463), or 452, or the 552 of
    older servers (RFC 5321 §4.5.3.1.10), where no other status says what else it is."""
    enhanced = reply.enhanced
    return enhanced[1:] == ".5.3" or (reply.code in (452, 552) and not enhanced)


def not_taken(recipients: Sequence[str], outcome: Outcome) -> tuple[tuple[str, str], ...]:
    """(address, reply) of each of a transaction's recipients that the peer did not take."""
    if isinstance(outcome, Sent):
        return outcome.refused_recipients
    own = dict(outcome.refused_recipients)
    return tuple((recipient, own.get(recipient, outcome.text)) for recipient in recipients)


class Remainder:
    """What a transaction ``left`` of a mail, as a mail of its own. ``finish`` passes on the outcome of both."""

    __slots__ = ("_before", "_mail", "_refused", "data", "first_decides", "recipients", "sender", "smtputf8")

    def __init__(self, mail: Finishing, outcome: Outcome, left: Sequence[str]) -> None:
        others = set(left)
        here = not_taken([recipient for recipient in mail.recipients if recipient not in others], outcome)
        if isinstance(mail, Remainder):
            self._before, self._refused = mail.with_(outcome, here)
            self._mail: Finishing = mail._mail
        else:
            self._before, self._refused, self._mail = outcome, here, mail
        self.sender = mail.sender
        self.recipients = left
        self.data = mail.data
        self.smtputf8 = mail.smtputf8
        self.first_decides = False

    def finish(self, outcome: Outcome) -> None:
        """Called exactly once, for the last of the transactions."""
        decisive, refused = self.with_(outcome, not_taken(self.recipients, outcome))
        self._mail.finish(msgspec.structs.replace(decisive, refused_recipients=refused))

    def with_(
        self, outcome: Outcome, refused: tuple[tuple[str, str], ...]
    ) -> tuple[Outcome, tuple[tuple[str, str], ...]]:
        """The outcome that counts, and who was refused so far. The first transaction decides, but where it reached
        nobody the first that did."""
        sent_before = isinstance(self._before, Sent) or not isinstance(outcome, Sent)
        return self._before if sent_before else outcome, (*self._refused, *refused)
