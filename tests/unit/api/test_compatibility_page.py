"""docs/compatibility.md speaks of what is not the vendor's; tests/wire/test_schema.py looks for every route in it."""

from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[3] / "docs" / "compatibility.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "extra", ["Idempotency-Key", "Postroom-Definition-Version", "/schema", "compatibility-data.md"]
)
def test_the_page_names_what_is_not_the_vendors(extra: str) -> None:
    assert extra in PAGE
