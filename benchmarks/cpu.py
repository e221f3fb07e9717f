"""Processor time of groups of processes, read from /proc (proc(5)).

A group is given by its root processes and holds all that descend from them. What a process used that has ended
meanwhile is in the `cutime` and `cstime` of the parent that waited for it, so nothing is lost between two readings
as long as the roots live.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """The part of /proc/PID/stat that is needed; times in clock ticks, user and system together."""

    pid: int
    name: str
    parent: int
    own_ticks: int
    waited_ticks: int
    """Of children that have ended and were waited for."""


def parse_stat(text: str) -> ProcessStat:
    """Read one /proc/PID/stat. The name stands in brackets and may itself hold brackets and spaces."""
    pid, _, rest = text.partition(" (")
    name, _, tail = rest.rpartition(") ")
    fields = tail.split()
    # Fields are numbered from 3 (state) here: 4 ppid, 14 utime, 15 stime, 16 cutime, 17 cstime.
    return ProcessStat(
        pid=int(pid),
        name=name,
        parent=int(fields[1]),
        own_ticks=int(fields[11]) + int(fields[12]),
        waited_ticks=int(fields[13]) + int(fields[14]),
    )


def parse_busy(text: str) -> int:
    """The clock ticks in which the machine's processors did anything, from /proc/stat."""
    fields = [int(field) for field in text.split("\n", 1)[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, _steal = fields
    # steal is time the hypervisor gave to others, and not ours.
    return user + nice + system + irq + softirq


def group_ticks(stats: Iterable[ProcessStat], roots: Iterable[int]) -> int:
    """What the roots and all their descendants have used, those that have ended included."""
    children: dict[int, list[ProcessStat]] = {}
    by_pid = {}
    for each in stats:
        by_pid[each.pid] = each
        children.setdefault(each.parent, []).append(each)
    total = 0
    waiting = [by_pid[pid] for pid in roots if pid in by_pid]
    seen = set()
    while waiting:
        each = waiting.pop()
        if each.pid not in seen:
            seen.add(each.pid)
            total += each.own_ticks + each.waited_ticks
            waiting += children.get(each.pid, [])
    return total


def read_stats() -> list[ProcessStat]:
    """All processes of this machine."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.append(parse_stat((entry / "stat").read_text()))
            except OSError:
                continue  # it has ended since the folder was listed
    return found


def read_busy() -> int:
    """`parse_busy` of this machine."""
    return parse_busy(Path("/proc/stat").read_text())


class CpuMeter:
    """Processor time of groups between `start` and `stop`.

    `groups` gives the root process ids by the group's name.
    """

    def __init__(
        self,
        groups: Mapping[str, Iterable[int]],
        *,
        stats: Callable[[], list[ProcessStat]] = read_stats,
        busy: Callable[[], int] = read_busy,
    ) -> None:
        self._groups = {name: tuple(roots) for name, roots in groups.items()}
        self._stats = stats
        self._busy = busy
        self._begun: dict[str, int] = {}

    def start(self) -> Self:
        """Begin to count."""
        self._begun = self._read()
        return self

    def stop(self) -> dict[str, float]:
        """Seconds of processor time since `start` by group, and those of the whole machine as `machine`."""
        return {name: (ticks - self._begun[name]) / TICKS_PER_SECOND for name, ticks in self._read().items()}

    def _read(self) -> dict[str, int]:
        stats = self._stats()
        return {name: group_ticks(stats, roots) for name, roots in self._groups.items()} | {"machine": self._busy()}
