"""The whole examination of a domain, in the order in which a receiver meets a mail."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from postroom.delivery.smtp.reply import printable
from postroom.doctor.authentication import examine_dkim, examine_dmarc, examine_spf
from postroom.doctor.finding import Check, Finding, Severity, ok
from postroom.doctor.incoming import Looks, examine_replies, examine_return_path, examine_tls
from postroom.doctor.machines import examine_machines
from postroom.doctor.mailings import LookAtTracking, examine_tracking, examine_unsubscribing
from postroom.doctor.questions import Asked, Questions
from postroom.doctor.sender import Organisation, Sender

_LONGEST_TEXT = 600
_SEVERITIES: tuple[Severity, ...] = ("fails", "warns", "not checked", "ok")


_SILENT = Finding(
    "fails",
    "dns",
    "no question to the DNS was answered, so of what receivers see nothing is known",
    "see whether POSTROOM_DNS_SERVERS or /etc/resolv.conf name a server that answers, or name one with --nameserver",
)


@dataclass(frozen=True, slots=True)
class Instruments:
    """What an examination needs from outside."""

    dns: Questions
    looks: Looks
    tracking: LookAtTracking
    organisation: Organisation


Tell: TypeAlias = Callable[[Sequence[Check]], None]
"""Told at the beginning and after each check which of them are not done yet."""


async def examine(
    sender: Sender, instruments: Instruments, *, seconds: float | None = None, tell: Tell = lambda _waiting: None
) -> list[Finding]:
    """All findings; the checks are made at the same time. Never raises for what DNS or hosts do.

    What is not known after ``seconds`` is `not checked`.
    """
    dns, organisation = Asked(instruments.dns), instruments.organisation
    dkim = asyncio.ensure_future(examine_dkim(sender, dns))
    spf = asyncio.ensure_future(examine_spf(sender, dns))
    replies = asyncio.ensure_future(examine_replies(sender, dns, instruments.looks.allow_private))

    async def dmarc() -> list[Finding]:
        # Its question is asked at once, and need not be waited for a second time.
        (_, signed), (_, passes), _ = await asyncio.gather(dkim, spf, dns.text(f"_dmarc.{sender.domain}"))
        return await examine_dmarc(sender, dns, organisation, signed=signed, spf=passes)

    async def tls() -> list[Finding]:
        questions = (dns.text(f"{name}.{sender.domain}") for name in ("_mta-sts", "_smtp._tls"))
        (_, route), _ = await asyncio.gather(replies, asyncio.gather(*questions))
        return await examine_tls(sender, route, dns, instruments.looks)

    checks: dict[Check, Coroutine[object, object, list[Finding]]] = {
        "address": examine_machines(sender, dns),
        "dkim": _first(dkim),
        "spf": _first(spf),
        "dmarc": dmarc(),
        "from": _first(replies),
        "return path": examine_return_path(sender, dns),
        "tls": tls(),
        "tracking": examine_tracking(sender, instruments.tracking, organisation),
    }
    tasks = {check: asyncio.create_task(work) for check, work in checks.items()}
    await _within(tasks, seconds, tell)
    for task in (dkim, spf, replies):
        task.cancel()
    found = {check: _result(check, task) for check, task in tasks.items()}
    tracking = found.pop("tracking")
    made = [each for findings in found.values() for each in findings]
    return [_delivery(sender), *([_SILENT] if dns.silent else []), *made, *examine_unsubscribing(sender), *tracking]


async def _first(both: Awaitable[tuple[list[Finding], object]]) -> list[Finding]:
    return (await both)[0]


async def _within(tasks: Mapping[Check, asyncio.Task[list[Finding]]], seconds: float | None, tell: Tell) -> None:
    """Return when all are done or the time is over; those that are not are cancelled then."""
    try:
        async with asyncio.timeout(seconds):
            waiting = set(tasks.values())
            while waiting:
                tell([check for check, task in tasks.items() if task in waiting])
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            tell([])
    except TimeoutError:
        tell([])
        for task in tasks.values():
            task.cancel()
        await asyncio.wait(tasks.values())


def _result(check: Check, task: asyncio.Task[list[Finding]]) -> list[Finding]:
    if not task.cancelled():
        return task.result()
    fix = "try again with more --seconds, or name a server that answers with --nameserver"
    return [Finding("not checked", check, "nothing was known when the time was over", fix)]


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
