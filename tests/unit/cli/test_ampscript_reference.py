"""The functions' reference is generated, and the committed page is the generated one."""

from pathlib import Path

from postroom.cli.ampscript_reference import ampscript_reference
from postroom.content.ampscript.functions.registry import build_functions

PAGE = Path(__file__).parents[3] / "docs" / "ampscript.md"


def test_the_committed_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == ampscript_reference(), "run make docs"


def test_every_function_stands_on_the_page() -> None:
    page = ampscript_reference()
    functions = build_functions()
    assert len(functions) == 159
    for entry in functions.values():
        assert f"**{entry.name}**`({entry.params})`" in page
        assert entry.doc.endswith(".")
