"""Metrics as Prometheus reads them: the text format 0.0.4. Pure."""

from collections.abc import Iterable

from postroom.metrics.declared import METRICS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_text(samples: Iterable[tuple[str, str, int]]) -> str:
    """Name, labels and value of each sample, as lines; of what is not declared (any more) nothing is told."""
    by_name: dict[str, list[str]] = {}
    for name, labels, value in samples:
        by_name.setdefault(name, []).append(f"{name}{{{labels}}} {value}" if labels else f"{name} {value}")
    lines: list[str] = []
    for metric in METRICS:
        lines += [f"# HELP {metric.name} {metric.sentence}", f"# TYPE {metric.name} {metric.kind}"]
        lines += by_name.get(metric.name, [])
    return "\n".join([*lines, ""])
