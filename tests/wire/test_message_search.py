"""Finding messages over HTTP and by command."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.wire.live import Unit
from typer.testing import CliRunner, Result

from postroom.cli.main import app

OWN = "/postroom/v1/messages"


@pytest.fixture
def three(sender: Unit) -> Unit:
    """A business unit with three messages that wait."""
    for number, name in enumerate(("ann", "ben", "Ann"), 1):
        send = {"definitionKey": "order", "recipient": {"contactKey": name, "to": f"{name}@example.com"}}
        assert sender.call("POST", f"/messaging/v1/email/messages/k{number}", json=send).status_code == 202
    return sender


def found(unit: Unit, **query: str) -> dict[str, Any]:
    reply = unit.call("GET", OWN, params=query)
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    assert body["count"] == len(body["items"])
    return body


def keys(unit: Unit, **query: str) -> list[str]:
    return [item["messageKey"] for item in found(unit, **query)["items"]]


def verb(unit: Unit, *words: str) -> Result:
    arguments = ["message", "search", *words, "--mid", str(unit.account_id), "--database-url", unit.api.dsn]
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_filters_and_what_is_shown(three: Unit) -> None:
    body = found(three)
    item = body["items"][0]
    assert item.pop("accepted").endswith("Z")
    assert item == {
        "messageKey": "k3", "contactKey": "Ann", "to": "Ann@example.com", "definitionKey": "order", "status": "queued",
        "occurred": None, "statusCode": None, "statusMessage": None, "bounced": False, "held": False,
    }  # fmt: skip
    assert body["cursor"] is None
    assert keys(three) == ["k3", "k2", "k1"]
    assert keys(three, recipient="ann@example.com") == ["k3", "k1"]
    assert keys(three, ContactKey="BEN") == ["k2"]
    assert keys(three, definitionKey="order", status="QUEUED", **{"from": "2026-01-01"}) == ["k3", "k2", "k1"]
    assert keys(three, status="notSent") == []
    assert keys(three, to="2026-01-01") == []


def test_page_after_page_by_cursor(three: Unit) -> None:
    first = found(three, pageSize="2", status="queued")
    assert [item["messageKey"] for item in first["items"]] == ["k3", "k2"]
    last = found(three, pageSize="2", status="queued", cursor=first["cursor"])
    assert [item["messageKey"] for item in last["items"]] == ["k1"]
    assert last["cursor"] is None


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"status": "lost"}, "status is 'lost'; it must be one of queued, held, sent, notSent, bounced"),
        ({"recipent": "a"}, "'recipent' is no filter; use one of recipient, contactKey, definitionKey"),
        ({"recipient": ""}, "recipient must have a value"),
        ({"contactKey": "a\0"}, "NUL character"),
        ({"from": "yesterday"}, "from is 'yesterday'; write a time such as"),
        ({"from": "2026-02-01", "to": "2026-01-01"}, "from must be before to"),
        ({"pageSize": "0"}, "must be a whole number from 1"),
        ({"cursor": "x"}, "cursor is not one that a page had"),
        ({"cursor": "é" * 500}, "cursor is not one that a page had"),
    ],
)
def test_mistakes_are_named(unit: Unit, query: dict[str, str], words: str) -> None:
    reply = unit.call("GET", OWN, params=query)
    assert (reply.status_code, reply.json()["errorcode"]) == (400, 10005)
    assert words in reply.json()["message"]


def test_a_forged_cursor_is_refused_and_one_of_another_filter_too(three: Unit) -> None:
    cursor = found(three, pageSize="1")["cursor"]
    raw = json.loads(base64.urlsafe_b64decode(cursor))
    forgeries = [
        [*raw[:3], 2**40], [*raw[:3], "1"], [raw[0], "2026-13-01", *raw[2:]], [*raw[:2], "x", raw[3]], raw[:3],
        [*raw, 1], ["0" * 16, *raw[1:]], {}, None,
    ]  # fmt: skip
    for forged in forgeries:
        text = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode()
        assert three.call("GET", OWN, params={"pageSize": "1", "cursor": text}).status_code == 400, forged
    assert three.call("GET", OWN, params={"status": "sent", "cursor": cursor}).status_code == 400


def test_tenant_isolation_a_cursor_of_another_business_unit_finds_nothing_of_it(
    three: Unit, new_unit: Callable[..., Unit]
) -> None:
    cursor = found(three, pageSize="1")["cursor"]
    assert keys(new_unit()) == []
    assert keys(new_unit(), pageSize="1", cursor=cursor) == []


def test_by_command(three: Unit) -> None:
    lines = verb(three, "--recipient", "ANN@example.com", "--json").stdout.splitlines()
    assert [json.loads(line)["messageKey"] for line in lines] == ["k3", "k1"]
    assert json.loads(lines[0]) == found(three)["items"][0]
    assert len(verb(three, "--limit", "2", "--json").stdout.splitlines()) == 2
    head, newest, *_ = verb(three).stdout.splitlines()
    assert head.split() == ["ACCEPTED", "STATUS", "MESSAGE", "KEY", "TO", "CONTACT", "DEFINITION"]
    assert newest.split()[2:] == ["queued", "k3", "Ann@example.com", "Ann", "order"]
    nobody = verb(three, "--recipient", "nobody@example.com")
    assert (nobody.exit_code, nobody.stdout, nobody.stderr) == (0, "", "no message matches\n")
    wrong = verb(three, "--status", "lost")
    assert wrong.exit_code == 2
    assert "must be one of queued" in " ".join(wrong.stderr.replace("│", " ").split())
