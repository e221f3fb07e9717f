"""Recipients that fail on purpose: what the local part of an address in ``simulator.test`` stands for.

The domain is reserved for tests (RFC 6761 §6.2), so no mail in it was ever meant for anybody. The part up to the first
``+`` names the behaviour, in any case; what stands behind makes it an address of a test's own:
``unknown-user+order-17@simulator.test``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

DOMAIN = "simulator.test"

SLOW_SECONDS = 5.0

_REMEMBERED = 10_000

Later: TypeAlias = Literal["bounce", "soft-bounce", "complaint"]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What happens to mail for an address.

    rcpt: the whole reply to RCPT, None to take the recipient; one that begins with 421 ends the connection.
    final: the whole reply behind the final dot, in place of taking the mail.
    first_only: rcpt and cut happen to the first mail that an address gets, and to no other.
    cut: the mail is taken, and the connection ends in place of the answer.
    seconds: how long the answer behind the final dot takes.
    later: what comes back after the mail was sent.
    """

    rcpt: str | None = None
    final: str | None = None
    first_only: bool = False
    cut: bool = False
    seconds: float = 0.0
    later: Later | None = None


BEHAVIOURS: Mapping[str, Behaviour] = MappingProxyType(
    {
        "accepted": Behaviour(),
        "unknown-user": Behaviour(rcpt="550 5.1.1 User unknown: there is no such mailbox here"),
        "disabled": Behaviour(rcpt="550 5.2.1 This mailbox is disabled and takes no mail"),
        "over-quota": Behaviour(rcpt="552 5.2.2 Mailbox full: the user is over quota"),
        "mailbox-full": Behaviour(rcpt="452 4.2.2 Mailbox full, try again later"),
        "blocked": Behaviour(rcpt="550 5.7.1 Your address is on our block list, see https://simulator.test/blocked"),
        "spam": Behaviour(final="554 5.7.1 Message rejected as spam"),
        "size": Behaviour(final="552 5.3.4 Message too big for this system"),
        "greylisted": Behaviour(rcpt="451 4.7.1 Greylisted, please try again later", first_only=True),
        "busy": Behaviour(rcpt="421 4.3.2 Too busy, try again later. Closing"),
        "slow": Behaviour(seconds=SLOW_SECONDS),
        "cut": Behaviour(cut=True, first_only=True),
        "bounces-later": Behaviour(later="bounce"),
        "bounces-soft": Behaviour(later="soft-bounce"),
        "complains": Behaviour(later="complaint"),
    }
)

# Without the names of the others: rules that judge replies would take them for what the reply says.
_UNKNOWN = Behaviour(rcpt=f"550 5.1.1 User unknown: docs/sandbox.md lists the addresses of {DOMAIN}, and this is none")


def behaviour_of(recipient: str) -> Behaviour | None:
    """What happens to mail for this address; None when it is none of the domain's."""
    local, _, domain = recipient.rpartition("@")
    if domain.lower() != DOMAIN:
        return None
    return BEHAVIOURS.get(local.partition("+")[0].lower(), _UNKNOWN)


class Simulator:
    """The addresses of one capture mailbox, which remembers the last ten thousand that fail only at first."""

    def __init__(self) -> None:
        self._met: OrderedDict[str, None] = OrderedDict()

    def refusal(self, recipient: str) -> str | None:
        """The reply to a recipient that is not taken."""
        behaviour = behaviour_of(recipient)
        if behaviour is None or behaviour.rcpt is None:
            return None
        return behaviour.rcpt if not behaviour.first_only or self._first(recipient) else None

    def final(self, recipients: Iterable[str]) -> Behaviour | None:
        """What happens behind the final dot: what the first of a mail's recipients asks for."""
        for recipient in recipients:
            behaviour = behaviour_of(recipient)
            if behaviour is None:
                continue
            if behaviour.cut and not self._first(recipient):
                continue
            if behaviour.final or behaviour.cut or behaviour.seconds:
                return behaviour
        return None

    def _first(self, recipient: str) -> bool:
        key = recipient.lower()
        if key in self._met:
            self._met.move_to_end(key)
            return False
        self._met[key] = None
        if len(self._met) > _REMEMBERED:
            self._met.popitem(last=False)
        return True
