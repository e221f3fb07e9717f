"""The timeline of a message over HTTP and by command."""

import json
from collections.abc import Callable

from tests.wire.live import Unit
from typer.testing import CliRunner, Result

from postroom.cli.main import app

SEND = {"definitionKey": "order", "recipient": {"contactKey": "ann", "to": "ann@example.com"}}


def path(key: str) -> str:
    return f"/postroom/v1/messages/{key}/timeline"


def show(unit: Unit, *words: str) -> Result:
    arguments = ["message", "show", *words, "--mid", str(unit.account_id), "--database-url", unit.api.dsn]
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_a_queued_message_is_told_over_http_and_by_command(sender: Unit) -> None:
    assert sender.call("POST", "/messaging/v1/email/messages/Order-1", json=SEND).status_code == 202
    reply = sender.call("GET", path("order-1"))
    assert reply.status_code == 200
    body = reply.json()
    accepted, waiting = body.pop("entries")
    assert body == {
        "messageKey": "Order-1", "contactKey": "ann", "to": "ann@example.com", "status": "queued", "complete": True,
    }  # fmt: skip
    assert (accepted["type"], accepted["definitionKey"], accepted["position"]) == ("accepted", "order", 0)
    assert accepted["at"].endswith("Z")
    assert {name: waiting[name] for name in ("type", "state", "attempts", "claims", "domain")} == {
        "type": "waiting", "state": "due", "attempts": 0, "claims": 0, "domain": "example.com",
    }  # fmt: skip
    printed = show(sender, "ORDER-1", "--json")
    assert json.loads(printed.stdout) == reply.json()
    first, second, third = show(sender, "order-1").stdout.splitlines()
    assert first == "Order-1 to ann@example.com (contact ann): queued"
    assert "accepted for order, version" in second
    assert "no worker has taken it yet" in third


def test_a_key_that_nobody_used_is_404_and_exit_code_2(unit: Unit) -> None:
    reply = unit.call("GET", path("nothing"))
    assert (reply.status_code, reply.json()["errorcode"]) == (404, 30003)
    result = show(unit, "nothing")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"MESSAGE_KEY: business unit {unit.account_id} keeps no message with the key" in result.stderr


def test_tenant_isolation_of_timelines(sender: Unit, new_unit: Callable[..., Unit]) -> None:
    assert sender.call("POST", "/messaging/v1/email/messages/k1", json=SEND).status_code == 202
    assert new_unit().call("GET", path("k1")).status_code == 404
