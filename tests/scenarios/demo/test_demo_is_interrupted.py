"""Ctrl-C at any moment leaves neither a process nor a file behind."""

import pytest
from tests.scenarios.demo.conftest import Start


@pytest.mark.parametrize("moment", ["starting a private server", "accepted and committed", "mails compared"])
def test_demo_is_interrupted(start_demo: Start, moment: str) -> None:
    demo = start_demo("--recipients", "500")
    demo.until(moment)
    demo.interrupt()
    assert demo.ended() == 130, demo.output
    assert demo.lines[-1] == "  ✗ stopped; the server is down and its folder is removed"
    assert list(demo.folder.iterdir()) == []
    assert demo.server_processes == []
