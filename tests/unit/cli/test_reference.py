"""The options reference is generated, and the committed page is the generated one."""

from pathlib import Path

from postroom.cli.reference import settings_reference
from postroom.settings import options

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_committed_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == settings_reference(), "run make docs"


def test_every_option_stands_on_the_page_with_all_its_names() -> None:
    page = settings_reference()
    for option in options():
        assert f"## {option.name}\n\n{option.sentence}\n\n- default: " in page
        assert f"- `{option.variable}`, `{option.flag}`\n" in page


def test_sizes_and_bounds_are_written_for_people() -> None:
    page = settings_reference()
    assert "- default: `25 MiB`\n- unit: bytes, from 64 KiB to 1 GiB\n" in page
    assert "- default: `72`\n- unit: hours, above 0 to 720\n" in page
    assert "- default: `72`\n- unit: hours, from 24 to 168\n" in page
