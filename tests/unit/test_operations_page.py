"""What docs/operations.md gives to copy: settings that can be used, and alerts about metrics that are there."""

import re
import textwrap
from pathlib import Path

from postroom.metrics.declared import METRICS
from postroom.settings import load_settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
ALERTS = (ROOT / "examples" / "alerts.yml").read_text(encoding="utf-8")

_SETTINGS = re.compile(r"^    data_dir = .*?\n\n", re.MULTILINE | re.DOTALL)
_SELECTOR = re.compile(r"\b(postroom_\w+)(?:\{([^}]*)\})?")
_LABEL = re.compile(r'(\w+)=~?"([^"]*)"')


def test_the_settings_of_the_page_can_be_used(tmp_path: Path) -> None:
    (block,) = _SETTINGS.findall(PAGE)
    path = tmp_path / "postroom.toml"
    path.write_text(textwrap.dedent(block), encoding="utf-8")
    assert load_settings({}, path).from_name == "Example Shop"


def test_alerts_name_metrics_and_labels_that_exist() -> None:
    declared = {metric.name: metric for metric in METRICS}
    found = _SELECTOR.findall(ALERTS)
    assert len(found) > 10
    for name, selector in found:
        metric = declared[name.removesuffix("_bucket")]
        for label, values in _LABEL.findall(selector):
            described = metric.values[metric.labels.index(label)]
            # Codes and definitions are not listed there; words are, in backticks.
            for value in values.split("|"):
                assert f"`{value}`" in described or label in ("status_code", "definition"), (name, label, value)


def test_the_page_says_what_to_do_for_each_alert() -> None:
    alerts = re.findall(r"- alert: (\w+)", ALERTS)
    rows = "\n".join(re.findall(r"^\| [A-Z].*", PAGE, re.MULTILINE))
    assert [name for name in alerts if name not in rows] == []
