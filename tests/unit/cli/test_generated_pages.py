"""The pages of errors and metrics are those of their tables, and README leads to every generated page."""

from pathlib import Path

import pytest

from postroom.cli.errors_reference import error_reference
from postroom.cli.metrics_reference import metrics_reference
from postroom.metrics.declared import METRICS

ROOT = Path(__file__).parents[3]


def test_the_page_of_errors_is_current() -> None:
    assert (ROOT / "docs" / "errors.md").read_text(encoding="utf-8") == error_reference(), "run make docs"


def test_the_page_of_metrics_is_current() -> None:
    assert (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8") == metrics_reference(), "run make docs"


@pytest.mark.parametrize("page", ["settings", "errors", "ampscript", "metrics", "statuses"])
def test_the_readme_leads_to_every_generated_page(page: str) -> None:
    assert f"](docs/{page}.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_metrics_are_named_as_prometheus_wants_it() -> None:
    for metric in METRICS:
        assert metric.name.startswith("postroom_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert len(metric.labels) == len(metric.values)
    assert len({metric.name for metric in METRICS}) == len(METRICS)
