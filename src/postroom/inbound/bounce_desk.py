"""The desk for bounces and complaints: reads each mail, and answers 250 when what it says is committed.

What is no report is taken and forgotten when it came to a return path (vacation notes, replies), and refused when it
came to an address for complaints: nobody reads it. Nothing is ever sent in answer, so nothing can go round in circles.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime

import structlog

from postroom.audience.soft_bounces import SoftBounceRule
from postroom.bounces.log import Result, record_complaint, record_failure
from postroom.bounces.report import MOST_BYTES, Complaint, Failure, Report, read_report
from postroom.bounces.return_path import Mark, ReturnPath
from postroom.bounces.verdict import Rules
from postroom.inbound.smtp_grammar import Arrival, Manner
from postroom.metrics.counts import Counts
from postroom.metrics.declared import REFUSED_RECIPIENTS, REPORTS
from postroom.store.pool import Pool
from postroom.store.trouble import DATABASE_TROUBLE, Trouble, tell_trouble

MOST_RECIPIENTS = 20
_AT_ONCE = 3

_AWAY = "451 4.3.0 Not recorded: the database is not available. Try again later"
_REFUSED = "554 5.3.0 Not recorded: the database refuses what it says, today and tomorrow"
_FAULT = "451 4.3.0 Not recorded for an error of ours. Try again later"
_NO_REPORT = "550 5.7.1 Nobody reads this: only reports about mail of this server are taken"
_ANSWERS: dict[Result, str] = {
    "recorded": "250 2.0.0 Ok: recorded",
    "known": "250 2.0.0 Ok: known already",
    "unknown-message": "250 2.0.0 Ok: about a mail that is kept no more",
}
_IGNORED = "250 2.0.0 Ok: nothing to record"


def bounce_manner(paths: ReturnPath, *, starttls: bool, counts: Counts | None = None) -> Manner:
    """How the server for bounces differs from others."""
    about = "Only bounces of mail from here and complaints about it are taken"
    counted = counts or Counts()

    def refusal(address: str) -> str | None:
        answer = paths.refusal(address)
        if answer is not None:
            counted.add(REFUSED_RECIPIENTS, paths.reason(address))
        return answer

    return Manner(greeting="Postroom", about=about, starttls=starttls, refusal=refusal, keep_bytes=MOST_BYTES)


class BounceDesk:
    """As `smtp_server.Desk`; a few mails are worked on at the same time. ``now`` is UTC; ``soft`` says when soft
    bounces suppress, None being never."""

    def __init__(
        self,
        pool: Pool,
        paths: ReturnPath,
        rules: Rules,
        *,
        now: Callable[[], datetime],
        soft: SoftBounceRule | None = None,
        counts: Counts | None = None,
    ) -> None:
        self._pool = pool
        self._paths = paths
        self._rules = rules
        self._soft = soft
        self._counts = counts or Counts()
        self._now = now
        self._waiting: deque[tuple[Arrival, Callable[[str], None]]] = deque()
        self._arrived = asyncio.Event()
        self._stopping = False
        self._log = structlog.get_logger("bounces")

    def submit(self, arrival: Arrival, done: Callable[[str], None]) -> None:
        """Take a mail; ``done`` gets the reply once what it says is committed."""
        self._waiting.append((arrival, done))
        self._arrived.set()

    def stop(self) -> None:
        """Let `run` return once everything submitted so far is answered."""
        self._stopping = True
        self._arrived.set()

    async def run(self) -> None:
        """Work on what was submitted; to be run as one task."""
        await asyncio.gather(*(self._work() for _ in range(_AT_ONCE)))

    async def _work(self) -> None:
        while not (self._stopping and not self._waiting):
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            arrival, done = self._waiting.popleft()
            done(await self._answer(arrival))

    async def _answer(self, arrival: Arrival) -> str:
        try:
            # In a thread: reading hostile bytes takes some hundreds of milliseconds at most, but that is long.
            report = await asyncio.to_thread(read_report, arrival.raw, arrival.sender)
            return await self._record(arrival, report)
        except DATABASE_TROUBLE as problem:
            # Where it came to names the message, and nobody.
            trouble = tell_trouble(self._log, "bounce_not_recorded", problem, came_to=arrival.recipients[:3])
            answer = _REFUSED if trouble is Trouble.VALUE else _AWAY
        except Exception:
            # Whatever it is, it concerns one mail, which its sender keeps and brings again.
            self._log.exception("bounce_not_recorded")
            answer = _FAULT
        self._counts.add(REPORTS, "other", "failed")
        return answer

    async def _record(self, arrival: Arrival, report: Report) -> str:
        addressed = [mark for mark in map(self._mark, arrival.recipients) if mark is not None]
        if isinstance(report, Failure):
            marks = addressed
        elif isinstance(report, Complaint):
            found = (self._paths.read(token) for token in report.tokens)
            marks = (addressed or [mark for mark in found if mark is not None])[:1]
        else:
            self._log.info("no_bounce", why=report.why, addressed=len(addressed))
            self._counts.add(REPORTS, "other", "ignored")
            return _IGNORED if addressed or report.why == "not-a-complaint" else _NO_REPORT
        kind = "bounce" if isinstance(report, Failure) else "complaint"
        if not marks:
            self._counts.add(REPORTS, kind, "unmatched")
            self._log.info("report_about_no_mail_of_ours", report=type(report).__name__.lower())
            return _NO_REPORT
        results: list[Result] = []
        counted = Counts()
        async with self._pool.acquire() as connection, connection.transaction():
            for mark in sorted(set(marks)):
                if isinstance(report, Failure):
                    results.append(
                        await record_failure(
                            connection, mark, report, self._rules, self._now(), soft=self._soft, counts=counted
                        )
                    )
                else:
                    results.append(await record_complaint(connection, mark, report, self._now(), counts=counted))
        # Only what was committed counts.
        self._counts.give_back(counted.take())
        for mark, result in zip(sorted(set(marks)), results, strict=True):
            self._log.info(
                "report",
                kind=type(report).__name__.lower(),
                result=result,
                account_id=mark.account_id,
                request_id=str(mark.request_id),
                position=mark.position,
            )
        result = min(results, key=list(_ANSWERS).index)
        self._counts.add(REPORTS, kind, result)
        return _ANSWERS[result]

    def _mark(self, recipient: str) -> Mark | None:
        return self._paths.read(recipient.rpartition("@")[0])
