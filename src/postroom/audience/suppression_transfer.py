"""Many suppressions at once: storing what was read from a file, and reading everything for one."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from itertools import islice

from postroom.audience.suppression import Cause, Suppression, list_suppressions, suppress
from postroom.audience.suppression_file import Line
from postroom.store.database import Database, Pool

AT_ONCE = 1_000
SHOWN_PROBLEMS = 100


@dataclass(slots=True)
class ImportReport:
    """What became of a file's lines; of the rejected ones the first hundred are told."""

    added: int = 0
    known: int = 0
    rejected: int = 0
    problems: list[Line] = field(default_factory=list)


async def import_lines(pool: Pool, account_id: int, lines: Iterable[Line]) -> ImportReport:
    """Store the good lines, a thousand a transaction. One that was interrupted can be done again as a whole."""
    report = ImportReport()
    waiting = iter(lines)
    while group := list(islice(waiting, AT_ONCE)):
        entries = []
        for line in group:
            if line.entry is not None:
                entries.append(line.entry)
                continue
            report.rejected += 1
            if len(report.problems) < SHOWN_PROBLEMS:
                report.problems.append(line)
        if entries:
            async with pool.acquire() as connection, connection.transaction():
                written = await suppress(connection, account_id, entries)
            report.added += written.added
            report.known += written.known
        # Reading a group costs some milliseconds, in which nobody else is served.
        await asyncio.sleep(0)
    return report


async def every_suppression(
    database: Database, account_id: int, *, cause: Cause | None = None
) -> AsyncIterator[Suppression]:
    """All that are in force and have an address, oldest first, read a thousand at a time."""
    after = 0
    while page := await list_suppressions(database, account_id, after=after, limit=AT_ONCE, cause=cause):
        for each in page:
            if each.address is not None:
                yield each
        after = page[-1].suppression_id
