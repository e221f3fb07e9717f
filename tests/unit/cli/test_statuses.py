"""The page of status codes is that of the table, and the table is whole."""

from pathlib import Path

from postroom.cli.statuses import status_reference
from postroom.content import model
from postroom.events.causes import CAUSES
from postroom.events.codes import NAMES, StatusCode

PAGE = Path(__file__).parents[3] / "docs" / "statuses.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == status_reference(), "run make docs"


def test_every_code_has_a_cause_and_a_name_of_the_vendor() -> None:
    assert set(CAUSES) == set(StatusCode)
    assert set(StatusCode) <= NAMES.keys()


def test_what_composing_can_say_is_in_the_table() -> None:
    said = {value for name, value in vars(model).items() if name.isupper() and isinstance(value, int)}
    assert said
    assert said <= {int(code) for code in StatusCode}
