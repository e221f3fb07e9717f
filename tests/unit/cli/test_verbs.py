"""Each verb is found, and what one process does not need it does not load."""

import subprocess
import sys

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from postroom.cli.main import app

_HEAVY = ("cryptography", "dns", "litestar", "postroom.catalog", "postroom.content", "uvicorn")


def test_every_verb_is_where_its_name_says() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    context = typer.Context(group)
    names = group.list_commands(context)
    assert names[:5] == ["serve", "api", "deliver", "events", "mailbox"]
    for name in names:
        found, verb, rest = group.resolve_command(context, [name, "x"])
        assert verb is not None
        assert (found, verb.name, rest) == (name, name, ["x"])
        assert verb.help, name
        listed = group.get_command(context, name)
        assert listed is not None
        assert listed.help, name
    assert group.get_command(context, "nothing") is None


def test_what_stands_in_square_brackets_is_printed() -> None:
    for words, told in (
        (["client", "create"], "[all]"),
        (["doctor"], "[those of the settings, or the system's]"),
        (["render"], '{"Name": [rows]}'),
        (["serve"], "[POSTROOM_HTTP]"),
        (["message", "job", "count"], "[POSTROOM_DATABASE_URL]"),
    ):
        said = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})
        assert told in " ".join(said.output.replace("│", " ").split()), words


def test_a_misspelt_verb_gets_the_one_that_is_meant() -> None:
    said = CliRunner().invoke(app, ["servee"])
    assert said.exit_code == 2
    assert said.stderr.splitlines() == [
        "postroom: there is no command 'servee'; did you mean 'serve'?",
        "postroom: postroom --help tells what it takes",
    ]


def test_a_day_that_is_none_and_a_file_that_is_not_named_are_told_with_what_to_write() -> None:
    for words, told in (
        (["tls-report", "example.com", "--day", "soon"], "'soon' is no day; write one such as 2026-11-22"),
        (["bounces", "rerun", "--since", "soon"], "--since is 'soon'; write a time such as"),
        (["apply"], "name one TOML file, such as account.toml"),
        (["apply", "/nowhere/a.toml"], "/nowhere/a.toml can't be read (No such file or directory)"),
    ):
        said = CliRunner().invoke(app, words)
        assert said.exit_code == 2
        assert told in said.stderr


def test_a_list_of_verbs_loads_none_of_them() -> None:
    """For the list itself, and for the completion of a shell that asks for it with every press of a key."""
    code = "import sys, postroom.cli.main as m; sys.argv[1:] = ['--help']\ntry: m.run()\nfinally: print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    *shown, loaded = said.splitlines()
    assert any("suppression" in line and "Addresses that get no mail." in line for line in shown)
    assert {"postroom.cli.roles", "postroom.assembly", "structlog"} & set(loaded.split()) == set()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("postroom cl", {"client"}),
        ("postroom client r", {"rotate", "revoke"}),
        ("postroom suppression list --exp", {"--expired"}),
    ],
)
def test_a_shell_completes_verbs_and_options(words: str, offered: set[str]) -> None:
    asked = {"_POSTROOM_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    said = CliRunner().invoke(app, [], prog_name="postroom", env=asked)
    assert set(said.stdout.split()) == offered


def test_what_runs_a_role_loads_the_rooms_of_no_other() -> None:
    """A server is five processes, and importing is most of what starting one costs."""
    code = "import sys, postroom.cli.main, postroom.cli.roles; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "postroom.assembly.roles" in loaded
    assert [name for name in loaded if name.startswith(_HEAVY)] == []
