"""`--keep`: the server goes on answering until Ctrl-C, and the result stays the result."""

import json
import urllib.request

from tests.scenarios.demo.conftest import Start


def test_demo_keeps_its_server(start_demo: Start) -> None:
    demo = start_demo("--recipients", "5", "--keep")
    api = demo.until("  API ").split()[1]
    demo.until("Ctrl-C stops it")
    with urllib.request.urlopen(f"{api}/sandbox/messages", timeout=30) as answer:
        assert json.load(answer)["total"] == 5
    demo.interrupt()
    assert demo.ended() == 0, demo.output
    assert demo.lines[-1] == "demo: 5 accepted, 5 delivered, 0 lost, 0 twice"
    assert list(demo.folder.iterdir()) == []
