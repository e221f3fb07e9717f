"""`postroom tls-report`: what recipients' domains are told of our TLS sessions with their hosts."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from postroom.audience.suppression_file import moment_text
from postroom.cli.database import run_on_database
from postroom.cli.domain import sender_name
from postroom.cli.options import with_settings
from postroom.cli.output import AsJson, clock_text, note, print_json, print_list
from postroom.delivery.routing.tls_counts import Counted, counts_of_day
from postroom.delivery.routing.tls_report import tls_report
from postroom.delivery.smtp.reply import printable
from postroom.delivery.tls_reporting.report_log import Row, recent_reports
from postroom.settings import Settings
from postroom.store.pool import Connection

_MOST = 1_000


@with_settings
def tls_report_command(
    settings: Settings,
    domain: Annotated[str | None, typer.Argument(help="The recipients' domain.", metavar="DOMAIN")] = None,
    day: Annotated[
        str | None,
        typer.Option("--day", help="The day, in UTC. [yesterday; without DOMAIN all]", metavar="YYYY-MM-DD"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print what is counted of TLS with a recipients' domain on a day; --json prints the report of RFC 8460.

    Without a domain: which reports were sent, which wait, and what kept the others.
    """
    about = None if day is None else _day(day)
    if domain is None:

        async def read_log(connection: Connection) -> Sequence[Row]:
            return await recent_reports(connection, day=about, limit=_MOST)

        found = run_on_database(settings, "postroom tls-report", read_log)
        nothing = "no reports: they are made after midnight (UTC) where POSTROOM_TLS_REPORTS is on"
        rows = [
            {
                "day": row.day,
                "domain": row.domain,
                "good": row.good,
                "bad": row.bad,
                "report": _outcome(row),
            }
            for row in found
        ]
        print_list([_shown(row) for row in found], rows, nothing, as_json=as_json)
        return
    name = sender_name(domain)
    reported = about or datetime.now(UTC).date() - timedelta(days=1)

    async def read(connection: Connection) -> list[tuple[Counted, int]]:
        return await counts_of_day(connection, name, reported)

    counts = run_on_database(settings, "postroom tls-report", read)
    sender = settings.tls_report_from
    submitter = urlsplit(settings.public_url).hostname or "postroom" if sender is None else sender.rpartition("@")[2]
    report = tls_report(
        name,
        reported,
        counts,
        organization=settings.tls_report_organization or submitter,
        contact=settings.tls_report_contact or sender or settings.from_address,
        submitter=submitter,
    )
    if not counts:
        note(f"no session for {name} was counted on {reported}; the report is empty")
    if as_json:
        print_json(report)
    else:
        for line in _lines(report):
            typer.echo(printable(line))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day; write one such as 2026-11-22", param_hint="--day") from None


def _lines(report: dict[str, Any]) -> Iterator[str]:
    """The policies of a report in words, each with what failed."""
    for told in report["policies"]:
        summary = told["summary"]
        good, bad = (summary[f"total-{kind}-session-count"] for kind in ("successful", "failure"))
        lines = "; ".join(told["policy"].get("policy-string", ()))
        policy = f"{told['policy']['policy-type']} ({lines})" if lines else told["policy"]["policy-type"]
        yield f"{policy}: {good} sessions as they should be, {bad} not"
        for failure in told.get("failure-details", ()):
            host = failure.get("receiving-mx-hostname", "")
            why = failure.get("failure-reason-code", "")
            where = f" at {host}" if host else ""
            yield f"    {failure['failed-session-count']} {failure['result-type']}{where}{f': {why}' if why else ''}"


def _outcome(row: Row) -> str:
    if row.outcome == "not-asked":
        return "none asked for"
    if row.outcome == "sent":
        settled = "" if row.settled_at is None else clock_text(row.settled_at)
        return f"sent {settled} to {', '.join(row.told)}"
    told = f", sent to {', '.join(row.told)}" if row.told else ""
    if row.outcome == "failed":
        return f"given up after {row.attempt} attempts{told}: {row.last_error}"
    trouble = f"; so far: {row.last_error}" if row.last_error else ""
    return f"due {clock_text(row.due_at)}{told}{trouble}"


def _shown(row: Row) -> dict[str, object]:
    return {
        "domain": row.domain,
        "day": str(row.day),
        "sessions": {"good": row.good, "bad": row.bad},
        "outcome": row.outcome or "waiting",
        "attempts": row.attempt,
        "told": list(row.told),
        "settled": None if row.settled_at is None else moment_text(row.settled_at),
        "due": moment_text(row.due_at),
        "lastError": row.last_error,
    }
