"""Legacy triggered sends (contract §7.4): what older clients call, over the same pipeline."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.wire.live import Unit

SENDS = "/messaging/v1/messageDefinitionSends"
ORDER = SENDS + "/key:order"
NOT_QUEUED = "Unable to queue Triggered Send request. There are no valid subscribers."


def send(address: str | None = "a@example.com", key: str | None = "c", **attributes: Any) -> dict[str, Any]:
    """The body of a send as FuelSDK's documentation has it."""
    return {
        "From": {"Address": "code@example.com", "Name": "Code"},
        "To": {
            "Address": address,
            "SubscriberKey": key,
            "ContactAttributes": {"SubscriberAttributes": attributes},
        },
        "Options": {"RequestType": "ASYNC"},
    }


def test_a_send_is_queued_with_its_attributes(sender: Unit) -> None:
    reply = sender.call("POST", ORDER + "/send", json=send(FirstName="Ada", City="Oslo"))
    assert reply.status_code == 202
    (response,) = reply.json()["responses"]
    assert response == {
        "recipientSendId": response["recipientSendId"],
        "hasErrors": False,
        "messages": ["Queued"],
    }
    (row,) = sender.api.rows(
        "select contact_key, address, attributes::jsonb ->> 'City' as city, request_id::text from message "
        "where account_id = $1 and message_key = $2",
        sender.account_id,
        response["recipientSendId"],
    )
    assert dict(row) == {
        "contact_key": "c",
        "address": "a@example.com",
        "city": "Oslo",
        "request_id": reply.json()["requestId"],
    }
    assert sender.call("GET", f"/messaging/v1/email/messages/{response['recipientSendId']}").status_code == 200


def test_the_definition_can_be_named_by_its_id(sender: Unit) -> None:
    definition = sender.call("GET", "/messaging/v1/email/definitions/order").json()
    reply = sender.call("POST", f"{SENDS}/{definition['definitionId']}/send", json=send())
    assert reply.status_code == 202
    assert reply.json()["responses"][0]["hasErrors"] is False


@pytest.mark.parametrize("address", [None, "", "nobody", "a@b"])
def test_a_missing_address_is_told_in_the_reply(sender: Unit, address: str | None) -> None:
    reply = sender.call("POST", ORDER + "/send", json=send(address))
    assert reply.status_code == 202
    assert reply.json()["responses"] == [
        {"recipientSendId": "", "hasErrors": True, "messages": ["InvalidOrMissingToAddress"]}
    ]
    assert sender.stored()["message"] == 0


@pytest.mark.parametrize("key", [None, "", "k" * 255, "a\0"])
def test_without_a_subscriber_nothing_is_queued(sender: Unit, key: str | None) -> None:
    reply = sender.call("POST", ORDER + "/send", json=send(key=key))
    assert reply.status_code == 202
    (response,) = reply.json()["responses"]
    assert response == {
        "recipientSendId": "",
        "hasErrors": True,
        "messageErrors": [{"messageErrorStatus": NOT_QUEUED, "messageErrorCode": 180008}],
    }
    assert sender.stored()["message"] == 0


def test_a_batch_answers_in_its_order_and_queues_the_good_ones(sender: Unit) -> None:
    batch = [send("a@example.com", "a"), send(None), send("b@example.com", "b"), send(key=""), {}]
    reply = sender.call("POST", ORDER + "/sendBatch", json=batch)
    assert reply.status_code == 202
    responses = reply.json()["responses"]
    assert [response["hasErrors"] for response in responses] == [False, True, False, True, True]
    rows = sender.api.rows(
        "select message_key, contact_key from message where account_id = $1 order by position", sender.account_id
    )
    keys = [(row["message_key"], row["contact_key"]) for row in rows]
    assert keys == [(responses[0]["recipientSendId"], "a"), (responses[2]["recipientSendId"], "b")]


@pytest.mark.parametrize(
    ("path", "body", "status", "errorcode"),
    [
        (ORDER + "/send", [], 400, 10001),
        (ORDER + "/send", {"To": "a@example.com"}, 400, 10001),
        (ORDER + "/send", {"To": {"Address": 5}}, 400, 10001),
        (ORDER + "/send", {"access_token": "x"}, 401, 40004),
        (ORDER + "/sendBatch", {}, 400, 10001),
        (ORDER + "/sendBatch", [], 400, 109102),
        (ORDER + "/sendBatch", [{}] * 2001, 400, 109101),
        (SENDS + "/key:nowhere/send", send(), 404, 30003),
        (SENDS + "/order/send", send(), 404, 30003),
        (SENDS + "/01890a5d-ac96-774b-bcce-b302099a8057/send", send(), 404, 30003),
    ],
)
def test_bad_input(sender: Unit, path: str, body: Any, status: int, errorcode: int) -> None:
    reply = sender.call("POST", path, json=body)
    assert (reply.status_code, reply.json()["errorcode"]) == (status, errorcode), reply.text
    assert sender.stored()["message"] == 0


def end(unit: Unit, send_id: str, kind: str, code: int | None) -> None:
    """What delivery would write."""
    unit.api.execute(
        "insert into event (account_id, occurred_on, occurred_at, request_id, position, definition_id, kind, "
        "contact_id, status_code) select m.account_id, current_date, now(), m.request_id, m.position, "
        "r.definition_id, $3, 17, $4 from message m join send_request r using (account_id, accepted_on, request_id) "
        "where m.account_id = $1 and m.message_key = $2",
        unit.account_id,
        send_id,
        kind,
        code,
    )


@pytest.mark.parametrize(
    ("kind", "code", "status", "errors"),
    [
        (None, None, "Queued", []),
        ("sent", None, "Sent", []),
        ("not_sent", 2, "Error", [{"messageErrorStatus": "Held", "messageErrorCode": 2}]),
    ],
)
def test_a_delivery_record_tells_what_became_of_a_send(
    sender: Unit, kind: str | None, code: int | None, status: str, errors: list[dict[str, Any]]
) -> None:
    send_id = sender.call("POST", ORDER + "/send", json=send()).json()["responses"][0]["recipientSendId"]
    if kind is not None:
        end(sender, send_id, kind, code)
    record = sender.call("GET", f"{ORDER}/deliveryRecords/{send_id}").json()
    assert (record["id"], record["messageId"], record["status"]) == (send_id, send_id, status)
    assert (record["deliveryTime"] is None) is (kind is None)
    assert record["messageErrors"] == errors
    assert record["to"] == {"address": "a@example.com", "id": "17" if kind == "sent" else "0", "key": "c"}
    assert sender.call("GET", f"{ORDER}/deliveryRecords/nothing").json()["errorcode"] == 30003
    assert sender.call("GET", f"{SENDS}/key:nowhere/deliveryRecords/{send_id}").json()["errorcode"] == 30003


def test_another_business_unit_sees_nothing_of_it(sender: Unit, new_unit: Callable[..., Unit]) -> None:
    definition = sender.call("GET", "/messaging/v1/email/definitions/order").json()
    send_id = sender.call("POST", ORDER + "/send", json=send()).json()["responses"][0]["recipientSendId"]
    other = new_unit()
    assert other.call("POST", ORDER + "/send", json=send()).status_code == 404
    assert other.call("POST", f"{SENDS}/{definition['definitionId']}/send", json=send()).status_code == 404
    other.make_asset()
    other.make_definition()
    assert other.call("GET", f"{ORDER}/deliveryRecords/{send_id}").status_code == 404


def test_sending_and_reading_are_different_rights(new_unit: Callable[..., Unit]) -> None:
    reader = new_unit(frozenset({"email_read"}))
    assert reader.call("POST", ORDER + "/send", json=send()).json()["errorcode"] == 20002
    writer = new_unit(frozenset({"email_send"}))
    assert writer.call("GET", ORDER + "/deliveryRecords/x").json()["errorcode"] == 20002
