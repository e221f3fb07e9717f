"""What is in the mail: one-click unsubscribing, and the domain that its links lead to."""

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import TypeAlias
from urllib.parse import urlsplit

from postroom.doctor.finding import Finding, ok
from postroom.doctor.sender import Organisation, Sender

LookAtTracking: TypeAlias = Callable[[], Awaitable[str]]
"""What is wrong with the tracking domain: its certificate, or that it leads elsewhere; empty when nothing is."""

_MOST_NAMED = 5


def examine_unsubscribing(sender: Sender) -> list[Finding]:
    """Gmail and Yahoo want it of advertising, and not of what a person has asked for (RFC 8058)."""
    commercial = [mailing for mailing in sender.mailings if mailing.commercial]
    without = sorted(mailing.key for mailing in commercial if not mailing.list_unsubscribe)
    findings = []
    if without:
        named = ", ".join(without[:_MOST_NAMED]) + (f" and {len(without) - _MOST_NAMED} more" if without[5:] else "")
        text = f"commercial mail has no one-click unsubscribing (List-Unsubscribe): {named}"
        fix = 'give the definition "postroom": {"listUnsubscribe": true}'
        findings.append(Finding("fails", "unsubscribe", text, fix))
    if any(mailing.list_unsubscribe for mailing in sender.mailings) and not sender.tracking_url.startswith("https://"):
        text = f"List-Unsubscribe leads to {sender.tracking_url}; receivers only follow https (RFC 8058)"
        findings.append(Finding("fails", "unsubscribe", text, "set POSTROOM_TRACKING_URL to an https address"))
    if not findings:
        kinds = f"{len(commercial)} commercial, all with one-click unsubscribing" if commercial else "none commercial"
        text = f"{len(sender.mailings)} active definitions send from {sender.domain}, {kinds}"
        findings.append(ok("unsubscribe", text))
    return findings


async def examine_tracking(sender: Sender, look: LookAtTracking, organisation: Organisation) -> list[Finding]:
    """The host of links, of the open pixel and of recipients' pages."""
    host = urlsplit(sender.tracking_url).hostname or ""
    if not sender.tracking_url.startswith("https://"):
        text = f"links are not counted: {sender.tracking_url} is not https"
        return [Finding("warns", "tracking", text, "set POSTROOM_TRACKING_URL to an https address that leads here")]
    findings = []
    problem = await look()
    if problem:
        text = f"links of mails can't lead to {sender.tracking_url}: {problem}"
        fix = "give it a certificate of a public authority, and lead it to this server"
        findings.append(Finding("warns", "tracking", text, fix))
    if _is_address(host) or organisation(host) != organisation(sender.domain):
        text = (
            f"links lead to {host}, which is not below {organisation(sender.domain)}; filters count that against mail"
        )
        fix = f"set POSTROOM_TRACKING_URL=https://links.{sender.domain}"
        findings.append(Finding("warns", "tracking", text, fix))
    return findings or [ok("tracking", f"{host} has a good certificate, leads here and belongs to the from-domain")]


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
