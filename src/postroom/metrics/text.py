"""Metrics as Prometheus reads them: the text format 0.0.4. Pure."""

from collections.abc import Iterable

from postroom.metrics.declared import METRICS
from postroom.metrics.histogram import histogram_lines

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_text(samples: Iterable[tuple[str, str, int]]) -> str:
    """Name, labels and value of each sample, as lines; of what is not declared (any more) nothing is told."""
    by_name: dict[str, list[tuple[str, int]]] = {}
    for name, labels, value in samples:
        by_name.setdefault(name, []).append((labels, value))
    lines: list[str] = []
    for metric in METRICS:
        lines += [f"# HELP {metric.name} {metric.sentence}", f"# TYPE {metric.name} {metric.kind}"]
        if metric.kind == "histogram":
            stored = [by_name.get(f"{metric.name}_{part}", []) for part in ("bucket", "sum")]
            lines += histogram_lines(metric, *stored)
        else:
            lines += [
                f"{metric.name}{{{labels}}} {value}" if labels else f"{metric.name} {value}"
                for labels, value in by_name.get(metric.name, [])
            ]
    return "\n".join([*lines, ""])
