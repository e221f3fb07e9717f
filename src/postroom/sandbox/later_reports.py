"""What comes back after a mail was taken: a bounce, or a complaint, as other mail systems write them.

The report is a real one (RFC 3464, RFC 5965) and goes to the desk that reads those which come in by SMTP, so what
follows from it is what follows in production: event, webhook, suppression. It waits for the message's `sent` event,
which is written some tens of milliseconds after the mail was taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime

import structlog

from postroom.bounces.return_path import ReturnPath
from postroom.inbound.bounce_desk import BounceDesk
from postroom.inbound.smtp_grammar import Arrival
from postroom.sandbox.headers import Origin, origin_of, summarize
from postroom.sandbox.simulator import DOMAIN, Later, behaviour_of
from postroom.store.pool import Pool
from postroom.store.trouble import DATABASE_TROUBLE, tell_trouble

REPORTS_DOMAIN = f"bounces.{DOMAIN}"
"""What the return paths end with that reports are addressed to; nobody else sees them."""

_LOOK_SECONDS = 0.1
_PATIENCE = timedelta(seconds=60)
_LONGEST_HEAD = 16_384

_SENT = """
select true from event
where account_id = $1 and request_id = $2 and position = $3 and kind = 'sent' and occurred_on >= $4
limit 1
"""

_BOUNCES = {
    "bounce": ("5.1.1", "550 5.1.1 User unknown: the mailbox is gone"),
    "soft-bounce": ("5.2.2", "552 5.2.2 Mailbox full: the user is over quota"),
}


class LaterReports:
    """Reports about the mails of one capture mailbox. `run` it; `about` may be called from anywhere on the loop.

    A report whose time has not come when the process ends never comes.
    """

    def __init__(self, pool: Pool, desk: BounceDesk, paths: ReturnPath, *, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._desk = desk
        self._paths = paths
        self._now = now
        self._waiting: set[asyncio.Task[None]] = set()
        self._looking = asyncio.Semaphore(2)
        self._log = structlog.get_logger("sandbox")

    def about(self, arrival: Arrival) -> None:
        """A mail was taken: what its recipients stand for comes back, if it is one of our own messages."""
        wanted = [
            (recipient, behaviour.later)
            for recipient in arrival.recipients
            if (behaviour := behaviour_of(recipient)) is not None and behaviour.later is not None
        ]
        if not wanted:
            return
        origin = origin_of(summarize(arrival.raw).message_id)
        if origin is None:
            return
        for recipient, later in wanted:
            task = asyncio.create_task(self._report(arrival, origin, recipient, later))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)

    async def run(self) -> None:
        """Hand in reports until `stop`."""
        await self._desk.run()

    def stop(self) -> None:
        """Let `run` return; what still waits is forgotten."""
        for task in self._waiting:
            task.cancel()
        self._desk.stop()

    async def _report(self, arrival: Arrival, origin: Origin, recipient: str, later: Later) -> None:
        try:
            await self._until_sent(origin)
        except DATABASE_TROUBLE as error:
            tell_trouble(self._log, "later_report_does_not_wait", error)
        address = self._paths.address(
            origin.account_id,
            origin.request_id,
            origin.position,
            copies=len(arrival.recipients) > 1,
            from_domain=DOMAIN,
        )
        write = complaint if later == "complaint" else bounce
        raw = write(arrival, recipient, later, self._now())
        self._desk.submit(Arrival("", (address,), raw), lambda reply: self._log.info("later_report", reply=reply))

    async def _until_sent(self, origin: Origin) -> None:
        deadline = self._now() + _PATIENCE
        while self._now() < deadline:
            async with self._looking:
                if await self._pool.fetchval(
                    _SENT, origin.account_id, origin.request_id, origin.position, origin.day - timedelta(days=1)
                ):
                    return
            await asyncio.sleep(_LOOK_SECONDS)


def bounce(arrival: Arrival, recipient: str, later: Later, now: datetime) -> bytes:
    """A delivery status notification (RFC 3464) about a mail."""
    status, said = _BOUNCES[later]
    return _report_mail(
        arrival,
        now,
        sender=f"Mail Delivery System <mailer-daemon@{DOMAIN}>",
        subject="Undelivered Mail Returned to Sender",
        kind="delivery-status",
        text=f"The mail could not be delivered to <{recipient}>: {said}",
        fields=(
            f"Reporting-MTA: dns; mx.{DOMAIN}",
            "",
            f"Final-Recipient: rfc822; {recipient}",
            "Action: failed",
            f"Status: {status}",
            f"Remote-MTA: dns; mx.{DOMAIN}",
            f"Diagnostic-Code: smtp; {said}",
        ),
    )


def complaint(arrival: Arrival, recipient: str, _later: Later, now: datetime) -> bytes:
    """A feedback report (RFC 5965) about a mail."""
    return _report_mail(
        arrival,
        now,
        sender=f"Feedback <fbl@{DOMAIN}>",
        subject="Complaint about a mail",
        kind="feedback-report",
        text=f"The owner of <{recipient}> has marked the mail as spam.",
        fields=(
            "Feedback-Type: abuse",
            "User-Agent: Postroom-Simulator/1",
            "Version: 1",
            f"Reporting-MTA: dns; mx.{DOMAIN}",
            f"Original-Rcpt-To: <{recipient}>",
        ),
    )


def _report_mail(
    arrival: Arrival, now: datetime, *, sender: str, subject: str, kind: str, text: str, fields: tuple[str, ...]
) -> bytes:
    head, blank, _ = arrival.raw[:_LONGEST_HEAD].partition(b"\r\n\r\n")
    parts = (
        ("text/plain; charset=utf-8", text.encode()),
        (f"message/{kind}", "\r\n".join(fields).encode() + b"\r\n"),
        ("text/rfc822-headers", head if blank else b""),
    )
    lines = (
        f"From: {sender}",
        f"Date: {format_datetime(now)}",
        f"Subject: {subject}",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type={kind}; boundary="{_BOUNDARY}"',
    )
    mail = "\r\n".join(lines).encode() + b"\r\n\r\n"
    for media_type, content in parts:
        mail += f"--{_BOUNDARY}\r\nContent-Type: {media_type}\r\n\r\n".encode() + content + b"\r\n"
    return mail + f"--{_BOUNDARY}--\r\n".encode()


_BOUNDARY = "=_report_of_the_simulator"
