"""`postroom suppression`: the same table by command."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.wire.live import Unit
from typer.testing import CliRunner, Result

from postroom.cli.main import app

Verb = Callable[..., Result]


@pytest.fixture
def verb(unit: Unit) -> Verb:
    """Runs a verb for the unit."""

    def run(*words: str, given: bytes | None = None) -> Result:
        arguments = ["suppression", *words, "--mid", str(unit.account_id), "--database-url", unit.api.dsn]
        return CliRunner().invoke(app, arguments, input=given, catch_exceptions=False)

    return run


def printed(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_added_listed_and_removed(verb: Verb) -> None:
    made = printed(verb("add", "Ann@example.com", "--evidence", "by phone", "--expires", "2999-01-05", "--json"))
    assert (made["address"], made["cause"], made["expires"]) == ("ann@example.com", "manual", "2999-01-05T00:00:00Z")
    told = verb("add", "ben@example.org", "--cause", "Bounce").stdout
    assert told.startswith("ben@example.org gets no mail: bounce (suppression ")
    assert [each["address"] for each in printed(verb("list", "--json"))] == ["ann@example.com", "ben@example.org"]
    assert [each["id"] for each in printed(verb("list", "--json", "--address", "ANN@example.com"))] == [made["id"]]
    assert [each["cause"] for each in printed(verb("list", "--json", "--containing", ".org"))] == ["bounce"]
    assert [each["cause"] for each in printed(verb("list", "--json", "--after", str(made["id"])))] == ["bounce"]
    assert printed(verb("remove", "ben@example.org", "--cause", "manual", "--json")) == {"removed": 0}
    assert verb("remove", "BEN@example.org").stdout == "BEN@example.org: 1 suppression removed\n"


def test_an_export_is_imported_again(verb: Verb, tmp_path: Path) -> None:
    file = tmp_path / "gone.csv"
    file.write_bytes("\ufeffEmail,cause\r\nann@example.com,\r\nben\r\n'=cid@example.com,bounce\r\n".encode())
    result = verb("import", str(file))
    assert (result.exit_code, result.stderr) == (1, f"{file}:3: 'ben' is not an email address\n")
    assert result.stdout == "2 added, 0 known already, 1 rejected\n"
    exported = verb("export", "--format", "ndjson")
    assert {json.loads(line)["address"] for line in exported.stdout.splitlines()} == {
        "ann@example.com",
        "=cid@example.com",
    }
    again = verb("import", "-", "--format", "ndjson", "--json", given=exported.stdout_bytes)
    assert printed(again) == {"added": 0, "known": 2, "rejected": 0}
    assert "'=cid@example.com,bounce" in verb("export", "--cause", "bounce").stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("add", "ann"), "'ann' is not an email address"),
        (("add", "ann@example.com", "--cause", "x"), "it must be one of complaint, bounce"),
        (("add", "ann@example.com", "--expires", "soon"), "write a time such as"),
        (("remove", "ann"), "'ann' is not an email address"),
        (("import", "/nowhere.csv"), "/nowhere.csv: No such file"),
    ],
)
def test_mistakes_are_named(verb: Verb, words: tuple[str, ...], sentence: str) -> None:
    result = verb(*words)
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.split())


def test_a_file_that_is_not_utf_8_and_a_unit_that_is_not_there(verb: Verb, unit: Unit, tmp_path: Path) -> None:
    file = tmp_path / "gone.csv"
    file.write_bytes(b"ann@example.com\nb\xff@example.com\n")
    result = verb("import", str(file))
    assert result.exit_code == 2
    assert "is not UTF-8" in result.stderr
    arguments = ["suppression", "list", "--mid", "1234567", "--database-url", unit.api.dsn]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "there is no business unit 1234567" in result.stderr
