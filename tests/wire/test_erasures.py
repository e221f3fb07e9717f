"""Erasing over HTTP and by command: the receipt, and what is refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.wire.live import Unit
from typer.testing import CliRunner, Result

from postroom.cli.main import app

OWN = "/postroom/v1/erasures"
PRESENT = ("contacts", "queuedMessages", "messages", "events")


@pytest.fixture
def ann(sender: Unit) -> Unit:
    """A business unit with a contact and a message that waits, both with the word xylophone in them."""
    values = [{"name": "Email Address", "value": "xylophone@example.com"}]
    body = {
        "contactKey": "key-xylophone",
        "attributeSets": [{"name": "Email Addresses", "items": [{"values": values}]}],
    }
    assert sender.call("POST", "/contacts/v1/contacts", json=body).status_code == 201
    recipient = {"contactKey": "key-xylophone", "to": "xylophone@example.com", "attributes": {"FirstName": "xylophone"}}
    send = {"definitionKey": "order", "recipient": recipient}
    assert sender.call("POST", "/messaging/v1/email/messages/k1", json=send).status_code == 202
    return sender


def erased(receipt: dict[str, Any]) -> tuple[int, ...]:
    return tuple(receipt["erased"][name] for name in PRESENT)


@pytest.mark.parametrize("body", [{"contactKey": "KEY-xylophone"}, {"address": "Xylophone@EXAMPLE.com"}])
def test_a_person_is_erased_and_the_receipt_can_be_fetched_again(ann: Unit, body: dict[str, str]) -> None:
    reply = ann.call("POST", OWN, json=body)
    receipt = reply.json()
    assert (reply.status_code, receipt["state"], receipt["requestedBy"]) == (201, "finished", ann.client_id)
    assert erased(receipt) == (1, 1, 1, 0)
    assert "xylophone" not in reply.text.lower()
    assert ann.call("GET", f"{OWN}/{receipt['id']}").json() == receipt
    assert ann.call("GET", OWN).json() == {"items": [receipt], "count": 1}
    assert ann.call("GET", "/postroom/v1/contacts/key-xylophone").status_code == 404
    status = ann.call("GET", "/messaging/v1/email/messages/k1").json()
    assert status["eventCategoryType"] == "TransactionalSendEvents.EmailNotSent"
    assert status["info"] == {
        "messageKey": "k1", "contactKey": "", "to": "", "statusCode": 40, "statusMessage": "SubscriberDeleted",
    }  # fmt: skip
    (item,) = ann.call("GET", "/postroom/v1/suppressions").json()["items"]
    assert (item["address"], item["cause"], item["evidence"]) == (None, "erasure", "")
    query = {"address": "xylophone@example.com"}
    assert ann.call("DELETE", "/postroom/v1/suppressions", params=query).json() == {"removed": 1}
    assert erased(ann.call("POST", OWN, json=body | {"suppress": False}).json()) == (0, 0, 0, 0)
    assert ann.call("GET", "/postroom/v1/suppressions").json()["items"] == []


@pytest.mark.parametrize(
    ("body", "errorcode", "words"),
    [
        ({}, 10002, "give contactKey or address, one of both"),
        ({"contactKey": "a", "address": "a@example.com"}, 10002, "one of both"),
        ({"contactKey": " "}, 10002, "contactKey is required"),
        ({"address": "a"}, 10005, "is not an email address"),
        ({"address": "a@example.com", "suppress": 1}, 10001, "suppress must be boolean"),
    ],
)
def test_mistakes_are_named(unit: Unit, body: dict[str, Any], errorcode: int, words: str) -> None:
    reply = unit.call("POST", OWN, json=body)
    assert reply.json()["errorcode"] == errorcode
    assert words in reply.json()["message"]


def test_tenant_isolation_of_erasures(ann: Unit, new_unit: Callable[..., Unit]) -> None:
    other = new_unit()
    receipt = other.call("POST", OWN, json={"address": "xylophone@example.com"}).json()
    assert erased(receipt) == (0, 0, 0, 0)
    assert ann.call("GET", f"{OWN}/{receipt['id']}").status_code == 404
    assert ann.call("GET", f"{OWN}/x").json()["errorcode"] == 30003
    assert ann.call("GET", "/postroom/v1/contacts/key-xylophone").status_code == 200


def verb(unit: Unit, *words: str) -> Result:
    arguments = ["erase", *words, "--mid", str(unit.account_id), "--database-url", unit.api.dsn]
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_by_command(ann: Unit) -> None:
    done = verb(ann, "--address", "xylophone@example.com", "--no-suppress", "--json")
    assert done.exit_code == 0, done.output
    receipt = json.loads(done.stdout)
    assert (erased(receipt), receipt["suppress"]) == ((1, 1, 1, 0), False)
    assert receipt["requestedBy"].startswith("postroom erase (")
    assert json.loads(verb(ann, "--receipt", receipt["id"], "--json").stdout) == receipt
    told = verb(ann, "--receipt", receipt["id"]).stdout.splitlines()
    assert told[0] == f"receipt {receipt['id']}: finished"
    assert told[2].startswith("  erased: 1 contacts, ")
    for words, sentence in (
        ((), "give one of"),
        (("--address", "x"), "not an email address"),
        (("--receipt", "x"), "no receipt's id"),
    ):
        wrong = verb(ann, *words)
        assert wrong.exit_code == 2
        assert sentence in " ".join(wrong.stderr.split())
