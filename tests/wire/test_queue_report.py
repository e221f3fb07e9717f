"""What is in the queue, over HTTP and by command."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.wire.live import Unit
from typer.testing import CliRunner, Result

from postroom.cli.main import app

OWN = "/postroom/v1/queue"


@pytest.fixture
def two(sender: Unit) -> Unit:
    """A business unit with two messages that wait."""
    for number in (1, 2):
        send = {"definitionKey": "order", "recipient": {"contactKey": f"c{number}", "to": f"c{number}@example.com"}}
        assert sender.call("POST", f"/messaging/v1/email/messages/k{number}", json=send).status_code == 202
    return sender


def verb(unit: Unit, *words: str) -> Result:
    arguments = ["queue", *words, "--mid", str(unit.account_id), "--database-url", unit.api.dsn]
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_the_queue_over_http_and_by_command(two: Unit) -> None:
    reply = two.call("GET", OWN)
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    (definition,) = body["definitions"]
    assert definition.pop("oldest").endswith("Z")
    assert definition.pop("next").endswith("Z")
    assert definition == {
        "definitionKey": "order", "status": "Active", "due": 2, "leased": 0, "waiting": 0, "held": 0, "more": False,
    }  # fmt: skip
    assert {name: body[name] for name in ("destinations", "sites", "relayAway", "looked", "more")} == {
        "destinations": [], "sites": [], "relayAway": [], "looked": 0, "more": False,
    }  # fmt: skip
    told = json.loads(verb(two, "--json", "--definition-key", "ORDER").stdout)
    assert told["definitions"] == two.call("GET", OWN, params={"definitionKey": "order"}).json()["definitions"]
    head, line = verb(two).stdout.splitlines()
    assert head.split()[:5] == ["DEFINITION", "DUE", "LEASED", "WAITING", "HELD"]
    assert line.split()[:5] == ["order", "2", "0", "0", "0"]


def test_a_definition_that_is_none_and_mistakes_are_named(two: Unit, new_unit: Callable[..., Unit]) -> None:
    for query, status, code, words in (
        ({"definitionKey": "lost"}, 404, 30003, "no definition with key 'lost'"),
        ({"definition": "order"}, 400, 10005, "'definition' is no filter; use definitionKey"),
        ({"definitionKey": " "}, 400, 10005, "must have a value"),
        ({"definitionKey": "a\0"}, 400, 10005, "NUL character"),
    ):
        reply = two.call("GET", OWN, params=query)
        assert (reply.status_code, reply.json()["errorcode"]) == (status, code), query
        assert words in reply.json()["message"]
    wrong = verb(two, "--definition-key", "lost")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "--definition-key: business unit" in wrong.stderr
    other = new_unit()
    assert other.call("GET", OWN, params={"definitionKey": "order"}).status_code == 404
    assert other.call("GET", OWN).json()["definitions"] == []
