"""`Idempotency-Key` and `Postroom-Definition-Version`: extras of the send routes, in headers only."""

from typing import Any

import pytest
from tests.wire.live import Unit

MESSAGES = "/messaging/v1/email/messages"
DEFINITION = "/messaging/v1/email/definitions/order"
ANN = {"contactKey": "ann", "to": "ann@example.org"}


def many(*keys: str) -> dict[str, Any]:
    return {"definitionKey": "order", "recipients": [ANN | {"messageKey": key} for key in keys]}


def test_the_same_request_gets_the_same_reply_byte_for_byte(sender: Unit) -> None:
    headers = {"Idempotency-Key": "order-17"}
    body = {"definitionKey": "order", "recipients": [ANN, {"contactKey": "bob"}]}
    first = sender.call("POST", MESSAGES, json=body, headers=headers)
    again = sender.call("POST", MESSAGES, json=body, headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.content == first.content
    assert first.json()["errorcode"] == 109001
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    assert sender.stored()["message"] == 1


def test_a_single_send_is_repeated_too_and_its_message_key_counts(sender: Unit) -> None:
    headers = {"Idempotency-Key": "k"}
    body = {"definitionKey": "order", "recipient": ANN}
    first = sender.call("POST", f"{MESSAGES}/m1", json=body, headers=headers)
    assert sender.call("POST", f"{MESSAGES}/m1", json=body, headers=headers).content == first.content
    other = sender.call("POST", f"{MESSAGES}/m2", json=body, headers=headers)
    assert (other.status_code, other.json()["errorcode"]) == (409, 40901)
    assert "Idempotency-Key" in other.json()["message"]
    assert sender.stored()["message"] == 1


def test_another_body_under_the_key_is_409(sender: Unit) -> None:
    headers = {"Idempotency-Key": "k"}
    assert sender.call("POST", MESSAGES, json=many("a"), headers=headers).status_code == 202
    assert sender.call("POST", MESSAGES, json=many("b"), headers=headers).status_code == 409
    assert sender.stored()["message"] == 1


def test_a_refused_request_may_be_mended_under_its_key(sender: Unit) -> None:
    headers = {"Idempotency-Key": "k"}
    assert sender.call("POST", MESSAGES, json=many("a") | {"definitionKey": "x"}, headers=headers).status_code == 400
    assert sender.call("POST", MESSAGES, json=many("a"), headers=headers).status_code == 202


@pytest.mark.parametrize("key", ["", "k" * 256, "two words"])
def test_a_bad_key_is_10003(sender: Unit, key: str) -> None:
    reply = sender.call("POST", MESSAGES, json=many("a"), headers={"Idempotency-Key": key})
    assert (reply.status_code, reply.json()["errorcode"]) == (400, 10003)
    assert sender.stored()["message"] == 0


def test_a_send_can_pin_the_version_that_the_definition_showed(sender: Unit) -> None:
    old = sender.call("GET", DEFINITION).headers["postroom-definition-version"]
    changed = sender.call("PATCH", DEFINITION, json={"options": {"cc": ["copy@example.org"]}})
    new = changed.headers["postroom-definition-version"]
    assert int(new) > int(old)
    assert sender.call("GET", DEFINITION).headers["postroom-definition-version"] == new
    pin = {"Postroom-Definition-Version": old}
    assert sender.call("POST", MESSAGES, json=many("a"), headers=pin).status_code == 202
    assert sender.call("POST", MESSAGES, json=many("b")).status_code == 202
    used = "select version_id from send_request where account_id = $1 order by request_id"
    rows = sender.api.rows(used, sender.account_id)
    assert [str(row["version_id"]) for row in rows] == [old, new]


@pytest.mark.parametrize(("version", "errorcode"), [("999999999", 10005), ("x", 10003), ("", 10003), ("9" * 30, 10003)])
def test_a_version_of_something_else_is_refused(sender: Unit, version: str, errorcode: int) -> None:
    reply = sender.call("POST", MESSAGES, json=many("a"), headers={"Postroom-Definition-Version": version})
    assert (reply.status_code, reply.json()["errorcode"]) == (400, errorcode)
    assert "Postroom-Definition-Version" in reply.json()["message"]
    assert sender.stored()["message"] == 0
