"""The memory of the server's processes over time."""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from tests.soak.office import Office

_SECONDS = 5.0
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

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            marked = self._office.marked()
            for pid, words in marked.items():
                with contextlib.suppress(OSError):
                    self._roles.setdefault(pid, words[4] if len(words) > 4 and words[4] else "signing")
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
