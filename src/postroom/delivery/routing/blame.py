"""Whether a refusal is about the address of ours that mail came from. Pure: a value in, yes or no out."""

import re
from collections.abc import Sequence

from postroom.bounces.verdict import Reply, Rules
from postroom.delivery.outcome import Outcome

IP_REPUTATION = "reputation"
"""The category of verdicts that says so, in the rules that come with Postroom and in a file of one's own."""

_OF_AN_ADDRESS = ("4.1.", "5.1.")  # RFC 3463 §3.2: the status of an address in the envelope
_OURSELVES = "not sent:"


class Blame:
    """Judges by the rules for bounces. What the sender or a recipient chose as an address says nothing: it is cut out
    of the reply, so that nobody can have our addresses put aside by being called ``blocklist``."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def __call__(self, outcome: Outcome, sender: str, recipients: Sequence[str]) -> bool:
        """Whether MAIL or RCPT was refused because the address of ours is on a list or has a bad name."""
        if outcome.code is None or outcome.code < 400 or outcome.stage not in ("mail", "rcpt"):
            return False
        if outcome.enhanced.startswith(_OF_AN_ADDRESS) or outcome.text.startswith(_OURSELVES):
            return False
        text = outcome.text
        for address in (sender, *recipients):
            for part in (address, address.rpartition("@")[2]):
                if part:
                    text = re.sub(re.escape(part), " ", text, flags=re.IGNORECASE)
        reply = Reply(text, outcome.enhanced, outcome.code, outcome.host, outcome.stage)
        return self._rules.judge(reply).category == IP_REPUTATION
