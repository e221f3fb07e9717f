"""`postroom tls-report`: what a recipient's domain would be told of our TLS sessions with its hosts."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import urlsplit

import typer

from postroom.cli.database import run_on_database
from postroom.cli.options import with_settings
from postroom.delivery.routing.tls_counts import Counted, counts_of_day
from postroom.delivery.routing.tls_report import tls_report
from postroom.settings import Settings
from postroom.store.pool import Connection


@with_settings
def tls_report_command(
    settings: Settings,
    domain: Annotated[str, typer.Argument(help="The recipients' domain.", metavar="DOMAIN")],
    day: Annotated[
        datetime | None,
        typer.Option("--day", formats=["%Y-%m-%d"], help="The day, in UTC. [yesterday]", metavar="YYYY-MM-DD"),
    ] = None,
) -> None:
    """Print the TLS report (RFC 8460) about a recipients' domain and a day, as JSON."""
    name = domain.lower().rstrip(".")
    about = day.date() if day is not None else datetime.now(UTC).date() - timedelta(days=1)

    async def read(connection: Connection) -> list[tuple[Counted, int]]:
        return await counts_of_day(connection, name, about)

    counts = run_on_database(settings, "postroom tls-report", read)
    organization = urlsplit(settings.public_url).hostname or "postroom"
    report = tls_report(name, about, counts, organization=organization, contact=settings.from_address)
    typer.echo(json.dumps(report, indent=2))
