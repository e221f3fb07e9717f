"""Lists as tables and as JSON."""

import json
from datetime import UTC, datetime

import pytest

from postroom.cli.output import print_list, table_lines


def test_columns_are_as_wide_as_a_terminal_shows_them() -> None:
    rows = [
        {"name": "蓮", "created": datetime(2026, 1, 5, 9, 41, 18, tzinfo=UTC), "end": None},
        {"name": "Zoë B", "created": datetime(2026, 1, 6, tzinfo=UTC), "end": "x"},
    ]
    assert table_lines(rows) == [
        "NAME   CREATED              END",
        "蓮     2026-01-05 09:41:18",
        "Zoë B  2026-01-06 00:00:00  x",
    ]


def test_terminal_injection_what_a_terminal_would_obey_is_replaced() -> None:
    assert table_lines([{"name": "a\x1b[2J\nb"}]) == ["NAME", "a\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}b"]


def test_json_is_what_was_found_and_an_empty_table_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    print_list([], [], "no keys", as_json=False)
    assert capsys.readouterr() == ("", "no keys\n")
    print_list([], [], "no keys", as_json=True)
    assert capsys.readouterr() == ("[]\n", "")
    print_list([{"id": 1}], [{"shown": 2}], "no keys", as_json=True)
    assert json.loads(capsys.readouterr().out) == [{"id": 1}]
