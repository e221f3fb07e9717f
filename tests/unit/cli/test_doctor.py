"""`postroom doctor`: what is said of arguments that can't be used, before anything is looked at."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

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
