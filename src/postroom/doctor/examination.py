"""The whole examination of a domain, in the order in which a receiver meets a mail."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from postroom.delivery.smtp.reply import printable
from postroom.doctor.authentication import examine_authentication
from postroom.doctor.finding import Finding, Severity, ok
from postroom.doctor.incoming import Looks, examine_incoming
from postroom.doctor.machines import examine_machines
from postroom.doctor.mailings import LookAtTracking, examine_tracking, examine_unsubscribing
from postroom.doctor.questions import Asked, Questions
from postroom.doctor.sender import Organisation, Sender

_LONGEST_TEXT = 600
_SEVERITIES: tuple[Severity, ...] = ("fails", "warns", "not checked", "ok")


@dataclass(frozen=True, slots=True)
class Instruments:
    """What an examination needs from outside."""

    dns: Questions
    looks: Looks
    tracking: LookAtTracking
    organisation: Organisation


async def examine(sender: Sender, instruments: Instruments) -> list[Finding]:
    """All findings. Never raises for what DNS or hosts do."""
    dns, organisation = Asked(instruments.dns), instruments.organisation
    return [
        _delivery(sender),
        *await examine_machines(sender, dns),
        *await examine_authentication(sender, dns, organisation),
        *await examine_incoming(sender, dns, instruments.looks),
        *examine_unsubscribing(sender),
        *await examine_tracking(sender, instruments.tracking, organisation),
    ]


def counts(findings: Iterable[Finding]) -> Mapping[Severity, int]:
    """How many there are of each severity."""
    severities = [finding.severity for finding in findings]
    return {severity: severities.count(severity) for severity in _SEVERITIES}


def lines(findings: Sequence[Finding]) -> list[str]:
    """For people: what fails first, each with its fix below it, and a count at the end."""
    shown = []
    for severity in _SEVERITIES:
        for finding in findings:
            if finding.severity == severity:
                shown.append(f"{severity:11} {finding.check:11} {_shown(finding.text)}")
                if finding.fix:
                    shown.append(f"{'':24}-> {_shown(finding.fix)}")
    shown.append(", ".join(f"{number} {severity}" for severity, number in counts(findings).items() if number))
    return shown


def _shown(text: str) -> str:
    # Strangers write what they like into their records, and a terminal would obey it.
    return printable(text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}...")


def _delivery(sender: Sender) -> Finding:
    if sender.mode == "sandbox":
        text = "no mail leaves: POSTROOM_DELIVERY=sandbox; what follows is as if this machine sent it to MX hosts"
        return Finding("warns", "delivery", text, "set POSTROOM_DELIVERY to mx, relay or routes")
    ways = {"relay": f"by the relay {' and '.join(sender.relays)}", "mx": "straight to MX hosts"}
    return ok("delivery", f"mail goes {ways.get(sender.mode, 'as the route table says')}, over TLS where it is offered")
