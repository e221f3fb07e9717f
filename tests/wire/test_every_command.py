"""One rule for all commands, on a database: one JSON document with --json, 2 for a business unit that is not there."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.wire.live import LiveApi, Unit
from typer.core import TyperGroup
from typer.testing import CliRunner, Result

from postroom.cli.main import VERBS, app
from postroom.cli.verbs import load_verb

# What its own arguments need, beside the business unit.
ARGUMENTS = {
    "account change": "--city Oslo",
    "bounces rerun": "",
    "client list": "",
    "doctor": "example.com",
    "domain check": "example.com",
    "domain create": "example.com",
    "domain dns": "example.com",
    "domain list": "",
    "domain rotate": "example.com",
    "erase": "--contact-key nobody",
    "key create": "x --kind jwt --file /etc/hostname",
    "key delete": "x",
    "key list": "",
    "message cancel": "k",
    "message held": "",
    "message job cancel": "01a20829-1a42-71e2-afe5-c9f2f8887cd5",
    "message job confirm": "01a20829-1a42-71e2-afe5-c9f2f8887cd5 0",
    "message job count": "hold --status queued",
    "message job list": "",
    "message job resent": "01a20829-1a42-71e2-afe5-c9f2f8887cd5",
    "message job show": "01a20829-1a42-71e2-afe5-c9f2f8887cd5",
    "message release": "k",
    "message search": "",
    "message show": "k",
    "queue": "",
    "suppression add": "a@example.com",
    "suppression export": "",
    "suppression import": "/dev/null",
    "suppression list": "",
    "suppression remove": "a@example.com",
}


def commands_of_a_unit() -> Iterator[str]:
    """Those with --mid, but for the two that make the business unit."""

    def walk(path: str, command: Any) -> Iterator[str]:
        if isinstance(command, TyperGroup):
            for name, inner in command.commands.items():
                yield from walk(f"{path} {name}", inner)
        elif any("--mid" in parameter.opts for parameter in command.params):
            yield path

    for name, verb in VERBS.items():
        yield from walk(name, load_verb(name, verb.place))


def run(api: LiveApi, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--database-url", api.dsn], catch_exceptions=False)


def test_every_command_of_a_business_unit_is_tried_below() -> None:
    assert set(commands_of_a_unit()) - {"account create", "client create"} == set(ARGUMENTS)


@pytest.mark.parametrize("command", ARGUMENTS)
def test_a_business_unit_that_is_not_there_is_told(live_api: LiveApi, command: str) -> None:
    said = run(live_api, *command.split(), *ARGUMENTS[command].split(), "--mid", "987654321")
    assert (said.exit_code, said.stdout) == (2, "")
    assert said.stderr == "postroom: --mid: there is no business unit 987654321; postroom account list shows them\n"


def test_what_commands_did_is_one_json_document(unit: Unit, tmp_path: Path) -> None:
    mid = ("--mid", str(unit.account_id))
    state = tmp_path / "account.toml"
    state.write_text(f'[account]\nmid = {unit.account_id}\nname = "The shop"\n')
    cases = tmp_path / "cases.jsonl"
    cases.write_text('{"id": "1", "template": "a", "expect": "b"}\n')
    done: list[tuple[tuple[str, ...], int, dict[str, object]]] = [
        (("client", "limit", unit.client_id, "60"), 0, {"client_id": unit.client_id, "rate_per_minute": 60}),
        (("client", "scopes", unit.client_id, "email_read"), 0, {"client_id": unit.client_id, "scope": "email_read"}),
        (("client", "revoke", unit.client_id), 0, {"client_id": unit.client_id, "revoked": True}),
        (("key", "create", "x", "--kind", "jwt", "--file", "/etc/hostname", *mid), 0, {"name": "x", "kind": "jwt"}),
        (("key", "delete", "x", *mid), 0, {"name": "x", "deleted": True}),
        (("message", "release", "k", *mid), 1, {"released": 0, "notHeld": ["k"]}),
        (("message", "cancel", "k", *mid), 1, {"cancelled": 0, "notHeld": ["k"]}),
        (("apply", str(state)), 0, {"account_id": unit.account_id, "dry_run": False, "warnings": []}),
    ]
    for words, code, told in done:
        said = run(unit.api, *words, "--json")
        assert said.exit_code == code, said.output
        assert told.items() <= json.loads(said.stdout).items(), words
    assert json.loads(run(unit.api, "tls-report", "--json").stdout) == []
    tried = CliRunner().invoke(app, ["ampscript", "test", str(cases), "--json"])
    assert (tried.exit_code, json.loads(tried.stdout)["failed"]) == (1, 1)
    assert json.loads(CliRunner().invoke(app, ["lint", str(cases), "--json"]).stdout) == []
