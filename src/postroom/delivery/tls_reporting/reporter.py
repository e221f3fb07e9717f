"""Sends the reports of a day that is over, each once, whichever of all delivery processes is first.

What could not be delivered is tried again with growing waits for 24 hours (RFC 8460 §5.5). Reports by mail are signed
with the key of the from-address's domain, as the RFC demands; without one they are not sent.
"""

import asyncio
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import structlog

from postroom.content.address import Address
from postroom.delivery.dkim.signer import Signer
from postroom.delivery.keyring import Keyring
from postroom.delivery.routing.options import MxOptions
from postroom.delivery.routing.records import TextFound, Trouble
from postroom.delivery.routing.resolver import Resolver
from postroom.delivery.routing.tls_counts import KEPT, counts_of_day
from postroom.delivery.routing.tls_report import tls_report
from postroom.delivery.smtp.reply import printable
from postroom.delivery.tls_reporting.carriers import Carriers
from postroom.delivery.tls_reporting.destination import Destination, read_destinations
from postroom.delivery.tls_reporting.report_log import Claimed, Outcome, ReportLog
from postroom.delivery.tls_reporting.report_mail import ReportMail
from postroom.metrics.counts import Counts
from postroom.metrics.declared import TLS_REPORTS
from postroom.store.pool import Pool
from postroom.store.trouble import DATABASE_TROUBLE, tell_trouble
from postroom.tenancy.sender_domains import owner_of_domain

TRIED_FOR = timedelta(hours=24)
_FIRST_WAIT = timedelta(minutes=5)
_LONGEST_WAIT = timedelta(hours=4)
_SETTLED = timedelta(minutes=5)
"""After midnight: by then every process has written what it counted."""
_LOOK_SECONDS = 60.0
_TOGETHER = 4


@dataclass(frozen=True, slots=True)
class ReportingOptions:
    """Who reports. ``jitter`` is within how long after midnight (UTC) reports leave, so that not all of the world's
    do at once."""

    sender: Address
    organization: str
    contact: str
    helo: str
    mx: MxOptions
    jitter: timedelta = timedelta(hours=4)


class TlsReporter:
    """One process's share. ``now`` is UTC; ``rand`` gives [0, 1)."""

    def __init__(
        self,
        pool: Pool,
        options: ReportingOptions,
        *,
        now: Callable[[], datetime],
        rand: Callable[[], float],
        counts: Counts | None = None,
    ) -> None:
        self._pool = pool
        self._options = options
        self._now = now
        self._counts = counts or Counts()
        self._log_of_reports = ReportLog(pool)
        self._keyring = Keyring(pool)
        self._resolver = Resolver(options.mx.dns_servers, validates=options.mx.dane)
        self._carriers = Carriers(options.mx, self._resolver, helo=options.helo, rand=rand)
        self._planned: date | None = None
        self._log = structlog.get_logger("delivery")

    async def keep(self) -> None:
        """Send what is due, once a minute, until cancelled."""
        while True:
            try:
                await self.turn()
            except DATABASE_TROUBLE as error:
                tell_trouble(self._log, "tls_reports_wait_for_database", error)
            except Exception:
                # Reports are a courtesy: whatever is wrong with one must not end the process's mail.
                self._log.exception("tls_report_failed")
            await asyncio.sleep(_LOOK_SECONDS)

    async def turn(self) -> None:
        """Plan yesterday's reports, and send all that are due."""
        now = self._now()
        yesterday = now.date() - timedelta(days=1)
        midnight = datetime(now.year, now.month, now.day, tzinfo=UTC)
        if self._planned != yesterday and now - midnight >= _SETTLED:
            await self._log_of_reports.plan(
                yesterday, begin=midnight + _SETTLED, jitter=self._options.jitter, kept=KEPT
            )
            self._planned = yesterday
        await asyncio.gather(*(self._send_due() for _ in range(_TOGETHER)))

    async def _send_due(self) -> None:
        while (claimed := await self._log_of_reports.claim()) is not None:
            await self._send(claimed)

    async def _send(self, claimed: Claimed) -> None:
        answer = await self._resolver.text(f"_smtp._tls.{claimed.domain}")
        if isinstance(answer, Trouble):
            await self._again(claimed, [answer.text])
            return
        destinations = read_destinations(answer.texts) if isinstance(answer, TextFound) else ()
        if not destinations:
            await self._settle(claimed, "not-asked")
            return
        compressed = await self._report(claimed)
        problems = []
        for destination in destinations:
            if destination.uri in claimed.told:
                continue
            problem = await self._deliver(claimed, destination, compressed)
            if problem:
                problems.append(f"{destination.uri}: {problem}")
            else:
                await self._log_of_reports.told(claimed, destination.uri)
        if problems:
            await self._again(claimed, problems)
        else:
            await self._settle(claimed, "sent")
            self._log.info("tls_report_sent", domain=claimed.domain, day=str(claimed.day))

    async def _report(self, claimed: Claimed) -> bytes:
        counts = await counts_of_day(self._pool, claimed.domain, claimed.day)
        options = self._options
        report = tls_report(
            claimed.domain,
            claimed.day,
            counts,
            organization=options.organization,
            contact=options.contact,
            submitter=options.sender.domain,
        )
        # Without the time of packing in it, so that a report that is sent again is the same.
        return gzip.compress(json.dumps(report).encode(), mtime=0)

    async def _deliver(self, claimed: Claimed, destination: Destination, compressed: bytes) -> str:
        if destination.kind == "https":
            return await self._carriers.post(destination.target, compressed)
        sender, now = self._options.sender, self._now()
        signer = await self._signer(now)
        if signer is None:
            return f"mail from {sender.domain} is not signed; make a key with: postroom domain create {sender.domain}"
        mail = ReportMail(claimed.domain, claimed.day, self._options.organization, sender, destination.target)
        data = signer.sign(mail.compose(compressed, now), int(now.timestamp()))
        return await self._carriers.mail(sender.wire, destination.target, data)

    async def _signer(self, now: datetime) -> Signer | None:
        domain = self._options.sender.domain
        owner = await owner_of_domain(self._pool, domain)
        if owner is None:
            return None
        await self._keyring.refresh(*owner)
        return self._keyring.signer(owner[0], domain, now)

    async def _again(self, claimed: Claimed, problems: list[str]) -> None:
        error = printable("; ".join(problems))
        wait = min(_FIRST_WAIT * 3 ** (claimed.attempt - 1), _LONGEST_WAIT)
        over = claimed.age + wait > TRIED_FOR
        self._log.warning(
            "tls_report_not_sent", domain=claimed.domain, day=str(claimed.day), error=error, given_up=over
        )
        await self._settle(claimed, "failed" if over else "", error=error, wait=wait)

    async def _settle(
        self, claimed: Claimed, outcome: Outcome, *, error: str = "", wait: timedelta = timedelta()
    ) -> None:
        await self._log_of_reports.settle(claimed, outcome, error=error, wait=wait)
        self._counts.add(TLS_REPORTS, outcome or "waiting")
