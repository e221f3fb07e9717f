"""Each verb is found, and what one process does not need it does not load."""

import subprocess
import sys

import typer
from typer.core import TyperGroup

from postroom.cli.main import app

_HEAVY = ("cryptography", "dns", "litestar", "postroom.catalog", "postroom.content", "uvicorn")


def test_every_verb_is_where_its_name_says() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    context = typer.Context(group)
    names = group.list_commands(context)
    assert names[:5] == ["serve", "api", "deliver", "events", "mailbox"]
    for name in names:
        verb = group.get_command(context, name)
        assert verb is not None
        assert verb.name == name
        assert verb.help, name
    assert group.get_command(context, "nothing") is None


def test_what_runs_a_role_loads_the_rooms_of_no_other() -> None:
    """A server is five processes, and importing is most of what starting one costs."""
    code = "import sys, postroom.cli.main, postroom.cli.roles; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "postroom.assembly" in loaded
    assert [name for name in loaded if name.startswith(_HEAVY)] == []
