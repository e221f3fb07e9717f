"""docs/flow.md names code; what it names exists."""

import re
from importlib import import_module
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "flow.md"
NAMES = re.findall(r"`(postroom\.[\w.]+):(\w+)`", PAGE.read_text(encoding="utf-8"))


def test_every_step_of_the_flow_page_is_in_the_code() -> None:
    assert len(NAMES) >= 12
    missing = [f"{module}:{name}" for module, name in NAMES if not hasattr(import_module(module), name)]
    assert missing == []
