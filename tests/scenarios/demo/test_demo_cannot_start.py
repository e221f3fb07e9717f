"""What stops the demo before anything was sent is said in a sentence, and nothing stays behind."""

import sys
from pathlib import Path

import pytest
from tests.scenarios.demo.conftest import Start

from postroom.cli.private_server import PrivateServer, ServerFailed


def test_the_example_is_not_there(start_demo: Start, tmp_path: Path) -> None:
    demo = start_demo("--example", str(tmp_path))
    assert demo.ended() == 1
    assert demo.lines == [f"  ✗ {tmp_path / 'definition.json'}: No such file or directory"]


def test_a_server_that_does_not_start_is_quoted(reachable_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(reachable_tmp_path))
    script = "import sys; print('no space left on device', file=sys.stderr); sys.exit(3)"
    with pytest.raises(ServerFailed, match="ended before it was ready\nno space left on device"):  # noqa: SIM117
        with PrivateServer([sys.executable, "-c", script]):
            pytest.fail("a server that ended is none")
    assert list(reachable_tmp_path.iterdir()) == []


def test_a_server_that_does_not_say_where_it_is_is_stopped(
    reachable_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(reachable_tmp_path))
    script = "import time; print('  API   http://127.0.0.1:1'); print('postroom: ready', flush=True); time.sleep(600)"
    server = PrivateServer([sys.executable, "-c", script])
    with pytest.raises(ServerFailed, match="did not print its mailbox"):
        server.__enter__()
    assert list(reachable_tmp_path.iterdir()) == []
