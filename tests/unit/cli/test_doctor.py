"""`postroom doctor`: what is said of arguments that can't be used, before anything is looked at."""

import io
from pathlib import Path

import pytest
from typer.testing import CliRunner

from postroom.cli.doctor import progress
from postroom.cli.main import app


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("no domain",), "'no domain' is no domain name that mail can come from"),
        (("example.com", "--address", "out.example.com"), "'out.example.com' is no IP address"),
        (("example.com", "--nameserver", "dns"), "--nameserver: 'dns' is no IP address; write 192.0.2.53"),
    ],
)
def test_arguments(words: tuple[str, ...], part: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", *words, "--data-dir", str(tmp_path)])
    assert result.exit_code == 2
    assert part in result.stderr


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_only_a_person_is_shown_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    terminal, file = Terminal(), io.StringIO()
    for output in (terminal, file):
        tell = progress("example.com", output)
        tell(["dkim", "return path", "tracking"])
        tell([])
    assert terminal.getvalue() == "\r\x1b[Kexample.com: looking at dkim, return pa\r\x1b[K"
    assert file.getvalue() == ""
