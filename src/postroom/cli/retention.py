"""`postroom retention`: what is past its time, and forgetting it now instead of within the hour."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from postroom.assembly import retention_of
from postroom.cli.database import database_of
from postroom.cli.options import with_settings
from postroom.privacy.retention import Due, due, forget_due
from postroom.settings import Settings
from postroom.store.pool import open_pool


@with_settings
def retention(
    settings: Settings,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Forget nothing; print what would go.")] = False,
) -> None:
    """Forget what is past its time, as a running server does every hour, and print it as JSON by class of data."""

    async def run() -> list[Due]:
        async with database_of(settings) as dsn:
            pool = await open_pool(dsn, max_size=2, application_name="postroom retention")
            try:
                now = datetime.now(UTC)
                found = await due(pool, retention_of(settings), now)
                if not dry_run:
                    await forget_due(pool, retention_of(settings), now)
                return found
            finally:
                await pool.close()

    shown = [
        {
            "class": each.kind,
            "rows": each.rows,
            "bytes": each.bytes,
            "days": [str(day) for day in each.days],
            "neededByQueue": [str(day) for day in each.needed],
        }
        for each in asyncio.run(run())
    ]
    typer.echo(json.dumps(shown, indent=2))
