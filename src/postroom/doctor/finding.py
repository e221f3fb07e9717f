"""What the doctor says: findings, each with its fix."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["fails", "warns", "ok", "not checked"]
"""``fails``: large receivers refuse such mail or take it for spam. ``warns``: it counts against the mail, or something
of the kind is about to. ``not checked``: nobody knows, and the text says why."""

Check: TypeAlias = Literal[
    "delivery",
    "dns",
    "from",
    "dkim",
    "spf",
    "dmarc",
    "return path",
    "address",
    "helo",
    "tls",
    "unsubscribe",
    "tracking",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence of diagnosis for people; ``fix`` is empty when there is nothing to do."""

    severity: Severity
    check: Check
    text: str
    fix: str = ""


def ok(check: Check, text: str) -> Finding:
    """All is well."""
    return Finding("ok", check, text)


def unanswered(check: Check, trouble: str) -> Finding:
    """The DNS did not answer; ``trouble`` as the resolver says it."""
    return Finding("not checked", check, trouble, "try again; receivers that get no answer put the mail off")
