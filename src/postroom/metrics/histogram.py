"""Histograms over the table of counts: a count for each bucket, and a sum in milliseconds. Pure.

A bucket's row counts what fell into it alone, so that one observation adds to two rows; what Prometheus reads, where
each bucket has everything below its bound, is made of them when it is told.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator

from postroom.metrics.counts import Counts
from postroom.metrics.declared import Metric

_INFINITE = "+Inf"


class Times:
    """What one batch adds to a histogram: each label's times, and then all at once."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._buckets: Counter[tuple[tuple[str, ...], int]] = Counter()
        self._sums: Counter[tuple[str, ...]] = Counter()

    def add(self, seconds: float, *values: str) -> None:
        """One time; below nought, as clocks that differ have it, is nought."""
        seconds = max(0.0, seconds)
        self._buckets[values, bisect_left(self._metric.buckets, seconds)] += 1
        self._sums[values] += round(seconds * 1000)

    def count(self, counts: Counts) -> None:
        """Add everything to what the process counted."""
        metric = self._metric
        bounds = [*(f"{bound:g}" for bound in metric.buckets), _INFINITE]
        bucket = metric._replace(name=f"{metric.name}_bucket", labels=(*metric.labels, "le"))
        total = metric._replace(name=f"{metric.name}_sum")
        for (values, at), number in self._buckets.items():
            counts.add(bucket, *values, bounds[at], by=number)
        for values, milliseconds in self._sums.items():
            counts.add(total, *values, by=milliseconds)


def histogram_lines(
    metric: Metric, buckets: Iterable[tuple[str, int]], sums: Iterable[tuple[str, int]]
) -> Iterator[str]:
    """Lines of one histogram from its stored rows: labels and counts of ``buckets``, labels and milliseconds of
    ``sums``. A bound that is no bucket any more counts for the next above it."""
    milliseconds = dict(sums)
    series: dict[str, list[tuple[float, int]]] = {labels: [] for labels in milliseconds}
    for labels, number in buckets:
        before, _, highest = labels.rpartition('le="')
        series.setdefault(before.removesuffix(","), []).append((float(highest.rstrip('"')), number))
    for labels, counted in sorted(series.items()):
        with_bound = f"{labels}," if labels else ""
        for bound in metric.buckets:
            below = sum(number for each, number in counted if each <= bound)
            yield f'{metric.name}_bucket{{{with_bound}le="{bound:g}"}} {below}'
        everything = sum(number for _, number in counted)
        yield f'{metric.name}_bucket{{{with_bound}le="{_INFINITE}"}} {everything}'
        shown = f"{{{labels}}}" if labels else ""
        yield f"{metric.name}_sum{shown} {milliseconds.get(labels, 0) / 1000}"
        yield f"{metric.name}_count{shown} {everything}"
