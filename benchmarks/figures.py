"""What is measured and how it is shown: cases, medians, goals, the table. Pure."""

import math
import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Run: TypeAlias = dict[str, float]
"""The figures of one run by name; `rate` or `us` is the one a case is judged by."""

RunFunction: TypeAlias = Callable[[int], Awaitable[Run]]
"""Runs a case once; gets the run's number, from 0."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to measure. `main` names the figure that counts, `unit` is its unit; `run` gets the run's number."""

    name: str
    title: str
    main: str
    unit: str
    run: RunFunction


@dataclass(frozen=True, slots=True)
class Result:
    """All runs of one case."""

    case: Case
    runs: list[Run]

    @property
    def medians(self) -> Run:
        """The median of each figure."""
        return medians(self.runs)

    @property
    def value(self) -> float:
        """The median of the figure that counts."""
        return self.medians[self.case.main]


@dataclass(frozen=True, slots=True)
class Goal:
    """A number to reach; `value` is what was measured."""

    title: str
    value: float
    wanted: float
    unit: str

    @property
    def reached(self) -> bool:
        """Whether the measured value is at least the wanted one."""
        return self.value >= self.wanted

    def line(self) -> str:
        """The goal as one line of text."""
        verdict = "reached" if self.reached else "NOT reached"
        return f"{self.title}: {number(self.value)} {self.unit}, goal {number(self.wanted)}: {verdict}"


def medians(runs: Sequence[Mapping[str, float]]) -> Run:
    """The median of each figure over the runs that have it, in the order of first appearance."""
    names = dict.fromkeys(name for run in runs for name in run)
    return {name: statistics.median(run[name] for run in runs if name in run) for name in names}


def median_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float, float]:
    """Between which values the true median lies, and how sure that is: at least ``confidence`` where they suffice.

    The interval is of order statistics: it supposes nothing of how the values are spread (a sign test turned around).
    """
    ordered = sorted(values)
    count = len(ordered)
    if not count:
        raise ValueError("there are no values to take an interval of")
    best = (ordered[0], ordered[-1], 1 - 2 * 0.5**count)
    for left_out in range(1, (count + 1) // 2):
        sure = 1 - 2 * sum(math.comb(count, below) for below in range(left_out + 1)) * 0.5**count
        if sure < confidence:
            break
        best = (ordered[left_out], ordered[-1 - left_out], sure)
    return best


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share (0 to 1) of the values do not exceed."""
    if not values:
        raise ValueError("there are no values to take a percentile of")
    ordered = sorted(values)
    place = -(-len(ordered) * share // 1)
    return ordered[min(max(int(place), 1), len(ordered)) - 1]


def number(value: float) -> str:
    """A value as a person reads it: thousands grouped, decimals only where they say something."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.2f}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as aligned text; the first row is the head, the second column stands at its right edge."""
    columns = max(len(row) for row in rows)
    filled = [[*row, *[""] * (columns - len(row))] for row in rows]
    widths = [max(len(row[place]) for row in filled) for place in range(columns)]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.rjust(width) if place == 1 else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    head, *rest = filled
    return "\n".join([line(head), line(["-" * width for width in widths]), *(line(row) for row in rest)])


def result_rows(results: Sequence[Result]) -> list[list[str]]:
    """One row a case: title, median, unit, single runs, and the medians of all other figures."""
    rows = [["case", "median", "unit", "runs", "also"]]
    for result in results:
        case = result.case
        others = [f"{name} {number(value)}" for name, value in result.medians.items() if name != case.main]
        single = " ".join(number(run[case.main]) for run in result.runs)
        rows.append([case.title, number(result.value), case.unit, single, ", ".join(others)])
    return rows
