"""`postroom retention`: what is past its time, and forgetting it now instead of within the hour."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Annotated

import typer

from postroom.assembly.rooms import retention_of
from postroom.cli.database import run_with_pool
from postroom.cli.options import with_settings
from postroom.cli.output import AsJson, note, print_list
from postroom.privacy.retention import Due, due, forget_due
from postroom.settings import Settings
from postroom.store.database import Pool


@with_settings
def retention(
    settings: Settings,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Forget nothing; print what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Forget what is past its time, as a running server does every hour, and print it by class of data."""

    async def run(pool: Pool) -> list[Due]:
        now = datetime.now(UTC)
        found = await due(pool, retention_of(settings), now)
        if not dry_run:
            await forget_due(pool, retention_of(settings), now)
        return found

    found = run_with_pool(settings, "postroom retention", run)
    shown = [
        {
            "class": each.kind,
            "rows": each.rows,
            "bytes": each.bytes,
            "days": [str(day) for day in each.days],
            "neededByQueue": [str(day) for day in each.needed],
        }
        for each in found
    ]
    rows = [
        {
            "class": each.kind,
            "rows": each.rows,
            "bytes": each.bytes,
            "days": _span(each.days),
            "kept for the queue": _span(each.needed),
        }
        for each in found
    ]
    print_list(shown, rows, "", as_json=as_json)
    if dry_run:
        note("nothing was forgotten; without --dry-run it goes")


def _span(days: Sequence[date]) -> str:
    if len(days) < 3:
        return ", ".join(map(str, days))
    return f"{len(days)} from {min(days)} to {max(days)}"
