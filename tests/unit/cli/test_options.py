"""Settings as command line options: every one is there, wins over the environment, and is checked."""

from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
import typer
from typer.testing import CliRunner

from postroom.cli.failures import StartFailed, report_failures
from postroom.cli.main import app
from postroom.cli.options import read_settings, with_settings
from postroom.settings import Settings, SettingsRejected, options
from postroom.store.errors import DirectoryInUse, ServerTooOld


def program(seen: list[tuple[Settings, int]]) -> typer.Typer:
    app = typer.Typer()

    @app.command()
    @with_settings
    def verb(settings: Settings, times: int = 1) -> None:
        """Do it."""
        seen.append((settings, times))

    return app


def test_options_reach_the_verb_as_checked_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTROOM_HTTP", "127.0.0.1:1")
    monkeypatch.setenv("POSTROOM_FROM_NAME", "Env")
    seen: list[tuple[Settings, int]] = []
    words = ["--http", "127.0.0.1:2", "--sandbox-max-bytes", "2 GiB", "--times", "3"]
    result = CliRunner().invoke(program(seen), words)
    assert result.exit_code == 0, result.output
    settings, times = seen[0]
    assert (settings.http, settings.from_name, settings.sandbox_max_bytes) == ("127.0.0.1:2", "Env", 2 << 30)
    assert times == 3


def test_the_help_names_every_option_and_shows_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    shown = CliRunner().invoke(app, ["serve", "--help"]).output
    for option in options():
        assert option.flag in shown
        assert f"[{option.variable}]" in shown
    assert "smtp://[user:pass@]host[:port]" in shown


def test_the_help_of_a_command_shows_what_says_where_the_database_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shown = CliRunner().invoke(app, ["account", "list", "--help"]).output
    assert [each.flag for each in options() if f"{each.flag} " in shown] == ["--data-dir", "--database-url"]
    assert "each of docs/settings.md is an option here, too." in shown
    taken = CliRunner().invoke(app, ["account", "list", "--http", "nowhere"])
    assert isinstance(taken.exception, SettingsRejected)


def test_a_relay_url_is_read_in_full_before_anything_starts() -> None:
    with pytest.raises(SettingsRejected, match="tls"):
        read_settings({"delivery": "relay", "relay": "smtp://relay.example.com:25?tls=perhaps"}, {})


def fails(error: Exception) -> Callable[[], None]:
    def start() -> None:
        raise error

    return start


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsRejected(["option A=1: wrong; fix", "option B=2: wrong; fix"]), 2),
        (ServerTooOld("too old; upgrade"), 2),
        (DirectoryInUse("taken; stop it"), 1),
        (StartFailed("api-1 ended; see above"), 1),
    ],
)
def test_what_the_reader_can_mend_is_told_without_a_traceback(
    capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    with pytest.raises(SystemExit) as ended:
        report_failures(fails(error))
    assert ended.value.code == code
    shown = capsys.readouterr()
    assert shown.err == "".join(f"postroom: {line}\n" for line in str(error).splitlines())
    assert shown.out == ""


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (asyncpg.ConnectionDoesNotExistError("gone"), "the database went away (gone); see whether it runs"),
        (asyncpg.InterfaceError("connection is closed"), "the database went away (connection is closed)"),
        (asyncpg.ReadOnlySQLTransactionError("read-only"), "the database refuses (read-only); see that its user"),
        (ConnectionResetError(), "a connection broke (ConnectionResetError); see whether the database runs"),
        (OSError(28, "No space left on device"), "the output can't be written (No space left on device); make room"),
        (OSError(13, "Permission denied", "/x"), "/x: Permission denied; see that it is there and may be used"),
    ],
)
def test_what_fails_in_the_middle_is_told_in_a_line(
    capsys: pytest.CaptureFixture[str], error: Exception, told: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        report_failures(fails(error))
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"postroom: {told}")


@pytest.mark.parametrize("error", [ZeroDivisionError(), asyncpg.UndefinedColumnError("no column x")])
def test_a_fault_of_ours_keeps_its_traceback(capsys: pytest.CaptureFixture[str], error: Exception) -> None:
    with pytest.raises(SystemExit) as ended:
        report_failures(fails(error))
    assert ended.value.code == 70
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first == "Traceback (most recent call last):"
    assert last == "postroom: this is a fault of Postroom, not of the command; its makers need the lines above"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "it can't be read ("),
        (
            "[[rule]]\nroute = 'x'\n[route.y]\nmx = true\n",
            "the table, line 2: rule 1: route = 'x' is no route; write",
        ),
    ],
)
def test_a_bad_route_table_is_told_before_anything_starts(tmp_path: Path, text: str | None, problem: str) -> None:
    file = tmp_path / "routes.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SettingsRejected) as caught:
        read_settings({"delivery": "routes", "routes": str(file)}, {})
    (line,) = caught.value.lines
    assert line.startswith(f"option POSTROOM_ROUTES={file}: {problem}")


def test_the_example_of_a_route_table_is_one() -> None:
    example = Path(__file__).parents[3] / "examples" / "routes.toml"
    assert read_settings({"delivery": "routes", "routes": str(example)}, {}).routes == example


@pytest.mark.parametrize("command", ["serve", "deliver"])
def test_a_source_address_of_another_machine_stops_the_start(tmp_path: Path, command: str) -> None:
    table = tmp_path / "routes.toml"
    table.write_text(
        '[[rule]]\nroute = "r"\n[route.r]\nmx = true\nsource = "s"\n[source.s]\naddresses = ["192.0.2.1"]\n'
    )
    words = [command, "--delivery", "routes", "--routes", str(table), "--data-dir", str(tmp_path / "data")]
    if command == "deliver":
        words += ["--database-url", "postgresql://nobody@127.0.0.1:1/nothing"]
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, SettingsRejected)
    assert result.exception.lines == (
        f"option POSTROOM_ROUTES={table}: source s: none of 192.0.2.1 is an address of this machine; name one that is",
    )
    assert not (tmp_path / "data").exists()
