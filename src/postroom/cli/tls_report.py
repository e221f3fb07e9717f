"""`postroom tls-report`: what recipients' domains are told of our TLS sessions with their hosts."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from urllib.parse import urlsplit

import typer

from postroom.cli.database import run_on_database
from postroom.cli.options import with_settings
from postroom.delivery.routing.tls_counts import Counted, counts_of_day
from postroom.delivery.routing.tls_report import tls_report
from postroom.delivery.tls_reporting.report_log import Row, recent_reports
from postroom.settings import Settings
from postroom.store.pool import Connection

_MOST = 1_000


@with_settings
def tls_report_command(
    settings: Settings,
    domain: Annotated[str | None, typer.Argument(help="The recipients' domain.", metavar="[DOMAIN]")] = None,
    day: Annotated[
        str | None,
        typer.Option("--day", help="The day, in UTC. [yesterday; without DOMAIN all]", metavar="YYYY-MM-DD"),
    ] = None,
) -> None:
    """Print the TLS report (RFC 8460) about a recipients' domain and a day, as JSON.

    Without a domain: which reports were sent, which wait, and what kept the others.
    """
    about = None if day is None else _day(day)
    if domain is None:

        async def read_log(connection: Connection) -> Sequence[Row]:
            return await recent_reports(connection, day=about, limit=_MOST)

        rows = run_on_database(settings, "postroom tls-report", read_log)
        for row in rows:
            typer.echo(_line(row))
        if not rows:
            typer.echo("no reports: they are made after midnight (UTC) where POSTROOM_TLS_REPORTS is on", err=True)
        return
    name = domain.lower().rstrip(".")
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
        typer.echo(f"no session for {name} was counted on {reported}; the report is empty", err=True)
    typer.echo(json.dumps(report, indent=2))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day; write one such as 2026-11-22", param_hint="--day") from None


def _line(row: Row) -> str:
    sessions = f"{row.day}  {row.domain}  {row.good} sessions as they should be, {row.bad} not"
    if row.outcome == "not-asked":
        return f"{sessions}  asks for no report"
    if row.outcome == "sent":
        return f"{sessions}  sent {row.settled_at:%Y-%m-%d %H:%M} UTC to {', '.join(row.told)}"
    told = f", sent to {', '.join(row.told)}" if row.told else ""
    if row.outcome == "failed":
        return f"{sessions}  given up after {row.attempt} attempts{told}: {row.last_error}"
    trouble = f"; so far: {row.last_error}" if row.last_error else ""
    return f"{sessions}  due {row.due_at:%Y-%m-%d %H:%M} UTC{told}{trouble}"
