"""`postroom sandbox -- COMMAND`: the command has a sandbox of its own, its end is ours, and nothing is left behind."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.scenarios.demo.running import ROOT, Demo

Start = Callable[..., Demo]

PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

# What the page has, and a stranger's tests below it.
TESTS = """

def test_a_mail_comes(token):
    mine = {"client_id": os.environ["SFMC_CLIENT_ID"], "client_secret": os.environ["SFMC_CLIENT_SECRET"]}
    mine = call("/v2/token", {"grant_type": "client_credentials"} | mine)["access_token"]
    person = {"contactKey": "c", "to": "zoe@example.com", "attributes": {"FirstName": "Zoe", "OrderId": "1"}}
    call("/messaging/v1/email/messages/m-1", {"definitionKey": "order", "recipient": person}, mine)
    assert call("/sandbox/wait?messageKey=m-1&timeout=30")["to"] == "zoe@example.com"
    assert os.environ["SFMC_ACCOUNT_ID"] == "100001"


def test_each_has_its_own(token):
    assert call("/messaging/v1/email/definitions", token=token)["count"] == 0
"""


@pytest.fixture
def start(reachable_tmp_path: Path) -> Iterator[Start]:
    started: list[Demo] = []

    def begin(*arguments: str, environ: dict[str, str] | None = None) -> Demo:
        started.append(Demo(reachable_tmp_path, arguments, environ, verb="sandbox"))
        return started[-1]

    yield begin
    for each in started:
        each.close()


def nothing_left(sandbox: Demo) -> bool:
    return list(sandbox.folder.iterdir()) == [] and sandbox.server_processes == []


def test_a_test_run_finds_what_a_file_states_and_sends(start: Start, tmp_path: Path) -> None:
    _, _, block = (ROOT / "docs" / "sandbox.md").read_text().partition("```python\n")
    tests = tmp_path / "test_shop.py"
    tests.write_text(block.partition("```")[0] + TESTS)
    file = ROOT / "examples" / "account.toml"
    live = tmp_path / "live.toml"
    live.write_text('delivery = "mx"\ndatabase_url = "postgresql://127.0.0.1:9/live"\ntoken_seconds = 60\n')
    environ = {
        "PATH": PATH,
        # Where mail is really sent a sandbox is one all the same.
        "POSTROOM_CONFIG": str(live),
        "POSTROOM_BOUNCE_DOMAIN": "bounces.example.com",
        "POSTROOM_BOUNCE_SMTP": "127.0.0.1:1",
        "POSTROOM_TRACKING_URL": "https://links.example.com",
        "POSTROOM_DELIVERY": "relay",
        "POSTROOM_RELAY": "smtp://127.0.0.1:9",
        "POSTROOM_DATABASE_URL": "postgresql://127.0.0.1:9/live",
    }
    sandbox = start(
        "--apply", str(file), "--", sys.executable, "-m", "pytest", "-q", "-n0", str(tests), environ=environ
    )
    assert sandbox.ended() == 0, sandbox.output
    assert "2 passed" in sandbox.lines[-1]
    assert nothing_left(sandbox)


def test_its_commands_work_on_its_database(start: Start) -> None:
    command = "postroom account list && kill -TERM $$"
    sandbox = start("--", "sh", "-c", command, environ={"PATH": PATH})
    assert sandbox.ended() == 128 + signal.SIGTERM, sandbox.output
    assert "100001" in sandbox.output
    assert nothing_left(sandbox)


def test_what_is_not_there_is_said_at_once(start: Start) -> None:
    missing = start("--apply", "/nowhere.toml", "--", "true")
    assert missing.ended() == 2
    assert "/nowhere.toml" in missing.output
    unknown = start("--", "no-such-command")
    assert unknown.ended() == 127
    assert unknown.lines == ["postroom sandbox: there is no command 'no-such-command'"]


def test_a_file_that_cannot_be_applied_ends_it(start: Start, reachable_tmp_path: Path) -> None:
    broken = reachable_tmp_path / "broken.toml"
    broken.write_text("[[nothing]]\n")
    sandbox = start("--apply", str(broken), "--", "touch", str(reachable_tmp_path / "ran"))
    assert sandbox.ended() == 1
    assert f"--apply {broken} did not work" in sandbox.output
    broken.unlink()
    assert nothing_left(sandbox)


def test_it_stays_until_it_is_interrupted_and_passes_a_stop_on(start: Start) -> None:
    alone = start()
    assert alone.until("export SFMC_URL=").startswith("export SFMC_URL=http://127.0.0.1:")
    alone.until("Ctrl-C removes this sandbox")
    alone.interrupt()
    assert alone.ended() == 130
    assert nothing_left(alone)
    busy = start("--", "sh", "-c", "trap 'echo told; exit 9' INT; echo begun; while :; do sleep 0.05; done")
    busy.until("begun")
    busy.interrupt()
    assert busy.ended() == 9, busy.output
    assert busy.lines[-1] == "told"
    assert nothing_left(busy)
