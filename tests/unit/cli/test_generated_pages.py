"""Pages are those of their tables and verbs, and README leads to every generated page."""

import re
from pathlib import Path

import pytest

from postroom.cli.commands_reference import commands_reference
from postroom.cli.errors_reference import error_reference
from postroom.cli.metrics_reference import metrics_reference
from postroom.metrics.declared import METRICS

ROOT = Path(__file__).parents[3]


def test_the_page_of_errors_is_current() -> None:
    assert (ROOT / "docs" / "errors.md").read_text(encoding="utf-8") == error_reference(), "run make docs"


def test_the_page_of_metrics_is_current() -> None:
    assert (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8") == metrics_reference(), "run make docs"


def test_the_page_of_commands_is_current() -> None:
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == commands_reference(), "run make docs"


# Those that run processes, write files of a kind of their own, or show something to a person.
WITHOUT_JSON = {
    "postroom sandbox",
    "postroom serve", "postroom api", "postroom deliver", "postroom events", "postroom mailbox",
    "postroom bounces serve", "postroom demo", "postroom suppression export", "postroom render",
}  # fmt: skip


def test_every_command_that_answers_does_so_in_json_too() -> None:
    sections = re.split(r"^#{2,3} (?=postroom )", commands_reference(), flags=re.MULTILINE)[1:]
    commands = {name: rest for name, _, rest in (each.partition("\n") for each in sections) if f"    {name}" in rest}
    assert len(commands) > 40
    assert {name for name, rest in commands.items() if "| `--json` |" not in rest} == WITHOUT_JSON


def test_what_a_command_takes_is_told_with_its_default() -> None:
    page = commands_reference()
    for line in (
        "    postroom key create --kind symmetric|salt|iv|jwt|rsa|page [OPTIONS] NAME",
        "| `--format csv\\|ndjson` | What kind of file. | ndjson when its name ends so, else csv |",
        "| `--mid NUMBER` | Its MID, a number of your choice. | required |",
        "| `--suppress, --no-suppress` | Whether the address gets no mail from now on. | `--suppress` |",
    ):
        assert f"\n{line}\n" in page


@pytest.mark.parametrize("page", ["commands", "settings", "errors", "ampscript", "metrics", "statuses"])
def test_the_readme_leads_to_every_generated_page(page: str) -> None:
    assert f"](docs/{page}.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_metrics_are_named_as_prometheus_wants_it() -> None:
    for metric in METRICS:
        assert metric.name.startswith("postroom_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert len(metric.labels) == len(metric.values)
    assert len({metric.name for metric in METRICS}) == len(METRICS)
