"""docs/compatibility.md speaks of every route that the API documents."""

from pathlib import Path

import pytest

from postroom.api.shapes import AUTH_SHAPES, SHAPES

PAGE = (Path(__file__).parents[3] / "docs" / "compatibility.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("method_and_path", sorted(f"{method} {path}" for method, path in SHAPES))
def test_the_page_names_the_route(method_and_path: str) -> None:
    assert f"`{method_and_path}`" in PAGE or f"`{method_and_path}?type=notSent`" in PAGE


@pytest.mark.parametrize("path", sorted(AUTH_SHAPES))
def test_the_page_names_the_route_for_tokens(path: str) -> None:
    assert f" {path}`" in PAGE


@pytest.mark.parametrize(
    "extra", ["Idempotency-Key", "Postroom-Definition-Version", "/schema", "compatibility-data.md"]
)
def test_the_page_names_what_is_not_the_vendors(extra: str) -> None:
    assert extra in PAGE
