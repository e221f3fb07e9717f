"""Histograms over the table of counts: a count for each bucket, and a sum in milliseconds. Pure.

A bucket's row counts what fell into it alone, so that one observation adds to two rows; what Prometheus reads, where
each bucket has everything below its bound, is made of them when it is told.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from postroom.metrics.counts import Counts
from postroom.metrics.declared import Metric

_INFINITE = "+Inf"


def count_times(counts: Counts, metric: Metric, seconds: Sequence[float], *values: str) -> None:
    """Count a batch of times; ``values`` are those of the metric's labels. Below nought, as clocks that differ have it,
    is nought."""
    if not seconds:
        return
    rising = sorted(seconds)
    bucket = metric._replace(name=f"{metric.name}_bucket", labels=(*metric.labels, "le"))
    before = 0
    for bound in metric.buckets:
        below = bisect_right(rising, bound, before)
        if below > before:
            counts.add(bucket, *values, f"{bound:g}", by=below - before)
            before = below
    if before < len(rising):
        counts.add(bucket, *values, _INFINITE, by=len(rising) - before)
    total = metric._replace(name=f"{metric.name}_sum")
    counts.add(total, *values, by=round(1000 * sum(rising[bisect_left(rising, 0.0) :])))


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
