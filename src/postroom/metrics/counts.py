"""Counting without a cost: in memory, and added to one table every few seconds and at the end.

A process that is killed loses what it counted in the last seconds. Counts only grow, over restarts too.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog

from postroom.metrics.declared import Metric
from postroom.store.database import Database, Pool
from postroom.store.isolation import apart
from postroom.store.trouble import DATABASE_TROUBLE, tell_trouble

FLUSH_SECONDS = 5.0

# In the order of their keys, so that processes that add to the same rows wait for each other and never deadlock.
_ADD = """
insert into metric_count (metric, labels, value)
select * from unnest($1::text[], $2::text[], $3::bigint[]) order by 1, 2
on conflict (metric, labels) do update set value = metric_count.value + excluded.value
"""

_ALL = "select metric, labels, value from metric_count order by metric, labels"


def label_text(metric: Metric, values: tuple[str, ...]) -> str:
    """Labels as they are stored and told, such as ``cause="bounce"``."""
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(metric.labels, values, strict=True))


class Counts:
    """What one process counted and has not written yet."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[Metric, tuple[str, ...]]] = Counter()

    def add(self, metric: Metric, *values: str, by: int = 1) -> None:
        """Count; ``values`` are those of the metric's labels, in their order."""
        self._counts[metric, values] += by

    def take(self) -> Counter[tuple[Metric, tuple[str, ...]]]:
        """Everything, which is then no longer here."""
        taken, self._counts = self._counts, Counter()
        return taken

    def give_back(self, taken: Counter[tuple[Metric, tuple[str, ...]]]) -> None:
        """What could not be written."""
        self._counts.update(taken)


@asynccontextmanager
async def counting(pool: Pool) -> AsyncIterator[Counts]:
    """Counts that are written while they are in use, and once more at the end."""
    counts, stop = Counts(), asyncio.Event()
    writing = asyncio.create_task(_keep(pool, counts, stop))
    try:
        yield counts
    finally:
        # Not cancelled: whether a statement that is cut off has added what it took, nobody could say.
        stop.set()
        await writing
        await _write(pool, counts)


async def read_counts(database: Database) -> list[tuple[str, str, int]]:
    """Name, labels and value of everything that was ever counted."""
    return [(row["metric"], row["labels"], row["value"]) for row in await database.fetch(_ALL)]


async def _keep(pool: Pool, counts: Counts, stop: asyncio.Event) -> None:
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await stop.wait()
                return
        await _write(pool, counts)


async def _write(pool: Pool, counts: Counts) -> None:
    taken = counts.take()
    if not taken:
        return
    log = structlog.get_logger("metrics")
    keys = list(taken)

    async def add(part: Sequence[tuple[Metric, tuple[str, ...]]]) -> None:
        await pool.execute(
            _ADD,
            [metric.name for metric, _ in part],
            [label_text(metric, values) for metric, values in part],
            [taken[key] for key in part],
        )
        for key in part:
            del taken[key]

    try:
        for refused in await apart(keys, add):
            metric, values = keys[refused.place]
            tell_trouble(log, "count_lost", refused.error, metric=metric.name, labels=ascii(values))
    except DATABASE_TROUBLE as error:
        counts.give_back(taken)
        tell_trouble(log, "metrics_wait_for_database", error)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
