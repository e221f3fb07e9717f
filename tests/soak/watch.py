"""The memory of the server's processes over time, stalls of the machine, and who waits long for a lock."""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import asyncpg
from tests.soak.ledger import Ledger, Trouble
from tests.soak.office import Office

_SECONDS = 5.0
_BEAT_SECONDS = 0.05
_STALL_SECONDS = 0.7
_LOCKS = """
select a.application_name as who, round(extract(epoch from now() - a.query_start)::numeric, 1) as seconds,
       left(regexp_replace(a.query, '\\s+', ' ', 'g'), 120) as statement, b.application_name as holder, b.state,
       left(regexp_replace(b.query, '\\s+', ' ', 'g'), 120) as holds,
       round(extract(epoch from now() - b.xact_start)::numeric, 1) as since
from pg_stat_activity a
cross join lateral unnest(pg_blocking_pids(a.pid)) as h(pid)
join pg_stat_activity b on b.pid = h.pid
where a.query_start < now() - interval '1 s'
"""
_WARM = 45.0
"""Seconds after which a process has seen everything once."""
_LONG = 120.0
_MOST = 400.0
_GROWTH = 1.5
_SLACK = 20.0


class Watch:
    """``grown`` holds sentences about processes that grow without end or are too large; megabytes of their own."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._seen: dict[int, list[tuple[float, float]]] = defaultdict(list)
        self._roles: dict[int, str] = {}

    async def heart(self, ledger: Ledger) -> None:
        """Until cancelled: writes down when nobody was let work, as on a machine with too much to do."""
        beat = time.time()
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            now = time.time()
            if now - beat > _STALL_SECONDS:
                ledger.troubles.append(Trouble("stall", beat, now))
                ledger.counts["stalls of the machine"] += 1
            beat = now

    async def locks(self, say: Callable[[str], None]) -> None:
        """Until cancelled: tells of each statement that waits long for another's lock."""
        while True:
            await asyncio.sleep(1)
            with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection = await self._office.connect()
                try:
                    for row in await connection.fetch(_LOCKS, timeout=10):
                        say(f"waits for a lock: {dict(row)}")
                finally:
                    connection.terminate()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            marked = self._office.marked()
            for pid, words in marked.items():
                with contextlib.suppress(OSError):
                    self._roles.setdefault(pid, words[4] if words[4:5] and words[4].isalpha() else "signing")
                    self._seen[pid].append((time.monotonic(), own_megabytes(pid)))
            await asyncio.sleep(_SECONDS)

    def largest(self) -> dict[str, float]:
        """The most that a process of each role had."""
        most: dict[str, float] = defaultdict(float)
        for pid, samples in self._seen.items():
            most[self._roles[pid]] = max(most[self._roles[pid]], *(size for _, size in samples))
        return dict(most)

    def grown(self) -> Iterable[str]:
        """Each process that is too large, or larger than when it was warm."""
        for pid, samples in self._seen.items():
            role, begun = self._roles[pid], samples[0][0]
            last_at, last = samples[-1]
            warm = [size for at, size in samples if _WARM <= at - begun <= _WARM + 4 * _SECONDS]
            if last > _MOST:
                yield f"{role} {pid} has {last:.0f} MB"
            elif warm and last_at - begun > _LONG and last > max(warm) * _GROWTH + _SLACK:
                yield f"{role} {pid} had {max(warm):.0f} MB, and {last:.0f} MB {last_at - begun:.0f} s after its start"


def own_megabytes(pid: int) -> float:
    """Memory that a process shares with nobody's file."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    return 0.0
