"""`postroom demo --postfix`: two hundred mails through a real Postfix over TLS, and what it delivered is counted."""

from pathlib import Path

from tests.scenarios.demo.conftest import Start


def test_what_postfix_delivered_is_compared(start_demo: Start) -> None:
    production = {"POSTROOM_DELIVERY": "mx", "POSTROOM_RELAY": "smtp://127.0.0.1:9"}
    demo = start_demo("--postfix", "--recipients", "200", environ=production)
    code = demo.ended()
    assert demo.lines[-1] == "demo: 200 accepted, 200 delivered, 0 lost, 0 twice", demo.output
    assert code == 0
    assert "  ✓ mails delivered by Postfix: 200 of 200" in demo.lines
    assert list(demo.folder.iterdir()) == []
    assert demo.server_processes == []


def test_interrupted_it_leaves_no_postfix_behind(start_demo: Start) -> None:
    demo = start_demo("--postfix", "--recipients", "3")
    demo.until("asks for TLS")
    assert _masters(demo.folder) != []
    demo.interrupt()
    assert demo.ended() == 130, demo.output
    assert list(demo.folder.iterdir()) == []
    assert _masters(demo.folder) == []


def _masters(folder: Path) -> list[str]:
    """Postfix's processes that have a working folder below this one: all of them live in their queue."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            where = (entry / "cwd").readlink() if entry.name.isdigit() else None
        except OSError:
            continue
        if where is not None and str(where).startswith(str(folder)):
            found.append(entry.name)
    return found
