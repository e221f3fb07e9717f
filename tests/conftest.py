"""Fixtures that every test folder may use, how hypothesis works in all of them, and which tests begin."""

from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["tests.postgres"]

# A busy machine is no failure: how long an example takes is measured in benchmarks, never asserted.
settings.register_profile("postroom", deadline=None)
settings.load_profile("postroom")

# These take 5 to 25 seconds each: begun last, they would leave one worker alone at the end.
LONGEST = tuple(
    str(Path(__file__).parent / name) for name in ("wire/test_schema.py", "scenarios/crash", "scenarios/demo")
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first."""
    items.sort(key=lambda item: not str(item.path).startswith(LONGEST))
