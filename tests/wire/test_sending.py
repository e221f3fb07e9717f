"""Both send routes and the status route: every row of contract §0.2 and §4 that applies, and what is stored."""

import re
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote

import pytest
from tests.wire.live import Unit, until

MESSAGES = "/messaging/v1/email/messages"
PERSON = {"contactKey": "c1", "to": "ann@example.org"}


def many(*recipients: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"definitionKey": "order", "recipients": list(recipients), **more}


def test_all_good_answers_202_with_the_documented_envelope(sender: Unit) -> None:
    reply = sender.call(
        "POST",
        MESSAGES,
        json=many(
            {**PERSON, "messageKey": "k1", "attributes": {"FirstName": "Ann"}},
            {"contactKey": "c2", "to": "bob@example.org", "messageKey": "k2"},
            attributes={"FirstName": "friend"},
        ),
    )
    assert reply.status_code == 202
    body = reply.json()
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", body.pop("requestId"))
    assert body == {"errorcode": 0, "responses": [{"messageKey": "k1"}, {"messageKey": "k2"}]}
    assert sender.stored()["message"] == 2
    assert sender.stored()["send_request"] == 1


def test_keys_are_generated_where_none_are_given(sender: Unit) -> None:
    reply = sender.call("POST", MESSAGES, json=many(PERSON, PERSON))
    keys = [response["messageKey"] for response in reply.json()["responses"]]
    assert len(set(keys)) == 2
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", key) for key in keys)


RECIPIENT_ERRORS = [
    ({"to": "a@example.org"}, 109105, "MissingRequiredField_subscriberKey"),
    ({"contactKey": "c"}, 109106, "MissingRequiredField_to"),
    ({"contactKey": "c", "to": None}, 109106, "MissingRequiredField_to"),
    ({**PERSON, "messageKey": "k" * 101}, 109108, "InvalidValue_messageKey"),
    ({**PERSON, "messageKey": "a\0b"}, 109108, "InvalidValue_messageKey"),
    ({"contactKey": "c" * 255, "to": "a@example.org"}, 109109, "InvalidValue_subscriberKey"),
    ({"contactKey": "a\0b", "to": "a@example.org"}, 109109, "InvalidValue_subscriberKey"),
    ({"contactKey": "c", "to": "not an address"}, 109121, "InvalidValue_to"),
    ({"contactKey": "c", "to": "a@example.org\r\nBcc: x@example.org"}, 109121, "InvalidValue_to"),
    ({**PERSON, "messageKey": "GOOD"}, 109110, "DuplicateMessageKey"),
]


@pytest.mark.parametrize(("recipient", "errorcode", "name"), RECIPIENT_ERRORS)
def test_one_bad_recipient_fails_alone(sender: Unit, recipient: dict[str, Any], errorcode: int, name: str) -> None:
    good = {**PERSON, "messageKey": "good"}
    body = sender.call("POST", MESSAGES, json=many(good, recipient)).json()
    assert body["errorcode"] == 109001
    assert body["message"] == "MCMS_UTM_ResponsesHasErrors: 1 subscribers failed to queue out of 2"
    assert body["responses"][0] == {"messageKey": "good"}
    failed = body["responses"][1]
    assert failed["errorcode"] == errorcode
    assert failed["message"].startswith(f"MCMS_UTM_Validation_{name}: ")
    assert failed["messageKey"]
    assert sender.stored()["message"] == 1


@pytest.mark.parametrize(("recipient", "errorcode", "name"), RECIPIENT_ERRORS[:-1])
def test_all_bad_recipients_are_400_and_leave_nothing(
    sender: Unit, recipient: dict[str, Any], errorcode: int, name: str
) -> None:
    before = sender.stored()
    reply = sender.call("POST", MESSAGES, json=many(recipient, recipient))
    assert reply.status_code == 400
    body = reply.json()
    assert body["errorcode"] == 109103
    assert body["message"].startswith("MCMS_UTM_Validation_NoValidSubscribers: ")
    assert [response["errorcode"] for response in body["responses"]] == [errorcode, errorcode]
    assert name in body["responses"][0]["message"]
    assert body["requestId"]
    assert sender.stored() == before


WHOLE_REQUEST_ERRORS: list[tuple[bytes, int, str]] = [
    (b"", 10004, "MCMS_UTM_Validation_InvalidJSON: "),
    (b"{", 10004, "MCMS_UTM_Validation_InvalidJSON: "),
    (b'{"definitionKey":"order"} trailing', 10004, "MCMS_UTM_Validation_InvalidJSON: "),
    (b'{"definitionKey":"\xff"}', 10004, "MCMS_UTM_Validation_InvalidJSON: "),
    (b'{"definitionKey":"\\ud800"}', 10004, "MCMS_UTM_Validation_InvalidJSON: "),
    (b"[]", 10001, "MCMS_UTM_Validation_InvalidDataType: the body must be object"),
    (b'{"definitionKey":1}', 10001, "MCMS_UTM_Validation_InvalidDataType: definitionKey must be string"),
    (b'{"definitionKey":"order","recipients":{}}', 10001, "MCMS_UTM_Validation_InvalidDataType: recipients must be"),
    (
        b'{"definitionKey":"order","recipients":[{"contactKey":1}]}',
        10001,
        "MCMS_UTM_Validation_InvalidDataType: recipients[0].contactKey must be string, not integer",
    ),
    (
        b'{"definitionKey":"order","recipients":[{"contactKey":"c","to":"a@example.org","attributes":[]}]}',
        10001,
        "MCMS_UTM_Validation_InvalidDataType: recipients[0].attributes must be an object",
    ),
    (
        b'{"definitionKey":"order","attributes":"x","recipients":[{"contactKey":"c","to":"a@example.org"}]}',
        10001,
        "MCMS_UTM_Validation_InvalidDataType: attributes must be an object",
    ),
    (b'{"recipients":[{}]}', 109107, "MCMS_UTM_Validation_MissingRequiredField_definitionKey: definitionKey"),
    (
        b'{"definitionKey":"","recipients":[{}]}',
        109107,
        "MCMS_UTM_Validation_MissingRequiredField_definitionKey: definitionKey",
    ),
    (b'{"definitionKey":"order"}', 109102, "MCMS_UTM_Validation_NoSubscribers: recipients"),
    (b'{"definitionKey":"order","recipients":[]}', 109102, "MCMS_UTM_Validation_NoSubscribers: recipients"),
    (
        b'{"definitionKey":"order","recipients":[' + b",".join([b"{}"] * 2001) + b"]}",
        109101,
        "MCMS_UTM_Validation_TooManySubscribers: recipients holds 2001",
    ),
    (
        b'{"definitionKey":"nobody","recipients":[{"contactKey":"c","to":"a@example.org"}]}',
        109111,
        "MCMS_UTM_Validation_InvalidValue_definitionKey: there is no definition with key 'nobody'",
    ),
    (
        b'{"definitionKey":"order","recipient":{}}',
        109122,
        "MCMS_UTM_Validation_UnknownFieldName: Unrecognized email field name 'recipient'",
    ),
    (
        b'{"definitionKey":"order\\u0000","recipients":[{"contactKey":"c","to":"a@example.org"}]}',
        10005,
        "MCMS_UTM_Validation_InvalidValue: definitionKey",
    ),
]


@pytest.mark.parametrize(("body", "errorcode", "message"), WHOLE_REQUEST_ERRORS)
def test_a_bad_request_is_refused_whole(sender: Unit, body: bytes, errorcode: int, message: str) -> None:
    before = sender.stored()
    reply = sender.call("POST", MESSAGES, content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == 400
    problem = reply.json()
    assert problem["errorcode"] == errorcode
    assert problem["message"].startswith(message)
    assert problem["documentation"] == ""
    assert sender.stored() == before


def test_two_thousand_recipients_are_accepted(sender: Unit) -> None:
    people = [{"contactKey": f"c{n}", "to": f"p{n}@example.org"} for n in range(2000)]
    reply = sender.call("POST", MESSAGES, json=many(*people))
    assert reply.status_code == 202
    assert len(reply.json()["responses"]) == 2000
    assert sender.stored()["message"] == 2000


def test_a_byte_order_mark_is_let_pass(sender: Unit) -> None:
    body = b'\xef\xbb\xbf{"definitionKey":"order","recipients":[{"contactKey":"c","to":"a@example.org"}]}'
    reply = sender.call("POST", MESSAGES, content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == 202


def test_a_wrong_media_type_is_415(sender: Unit) -> None:
    before = sender.stored()
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"):
        reply = sender.call("POST", MESSAGES, content=b"{}", headers={"Content-Type": media_type})
        assert reply.status_code == 415
        assert reply.json()["errorcode"] == 415
    assert sender.stored() == before


def test_single_send_uses_the_key_of_the_path(sender: Unit) -> None:
    reply = sender.call("POST", f"{MESSAGES}/k-1", json={"definitionKey": "order", "recipient": PERSON})
    assert reply.status_code == 202
    assert reply.json()["responses"] == [{"messageKey": "k-1"}]
    assert sender.stored()["message"] == 1


SINGLE_ERRORS = [
    ("x" * 101, {"definitionKey": "order", "recipient": PERSON}, 109108),
    ("fine", {"definitionKey": "order", "recipient": {"to": "a@example.org"}}, 109105),
    ("fine", {"definitionKey": "order", "recipient": {"contactKey": "c"}}, 109106),
    ("fine", {"definitionKey": "order", "recipient": {"contactKey": "c", "to": "@"}}, 109121),
    ("fine", {"definitionKey": "order", "recipients": [PERSON]}, 109122),
    ("fine", {"definitionKey": "order"}, 109102),
    ("fine", {"recipient": PERSON}, 109107),
    ("fine", {"definitionKey": "nobody", "recipient": PERSON}, 109111),
    ("fine", {"definitionKey": "order", "recipient": []}, 10001),
    ("fine", {"definitionKey": "order", "recipient": {**PERSON, "attributes": 1}}, 10001),
    ("a%00b", {"definitionKey": "order", "recipient": PERSON}, 10005),
    ("%ff", {"definitionKey": "order", "recipient": PERSON}, 10005),
]


@pytest.mark.parametrize(("key", "body", "errorcode"), SINGLE_ERRORS)
def test_a_bad_single_send_is_400_and_leaves_nothing(
    sender: Unit, key: str, body: dict[str, Any], errorcode: int
) -> None:
    before = sender.stored()
    reply = sender.call("POST", f"{MESSAGES}/{key}", json=body)
    assert reply.status_code == 400
    assert reply.json()["errorcode"] == errorcode
    assert sender.stored() == before


def test_a_used_key_is_refused_in_any_case(sender: Unit) -> None:
    body = {"definitionKey": "order", "recipient": PERSON}
    assert sender.call("POST", f"{MESSAGES}/Key-1", json=body).status_code == 202
    before = sender.stored()
    reply = sender.call("POST", f"{MESSAGES}/kEY-1", json=body)
    assert reply.status_code == 400
    assert reply.json()["errorcode"] == 109110
    assert reply.json()["message"].startswith("MCMS_UTM_Validation_DuplicateMessageKey: ")
    assert reply.json()["responses"][0]["errorcode"] == 109110
    assert sender.stored() == before


@pytest.mark.parametrize("key", ["a%2Fb", "a%252Fb", "100%25", "k+1", "sp%20ace", "%C3%A4", "%22quoted%22", "..%2F.."])
def test_a_key_with_special_characters_survives_path_and_status(sender: Unit, key: str) -> None:
    reply = sender.call("POST", f"{MESSAGES}/{key}", json={"definitionKey": "order", "recipient": PERSON})
    assert reply.json()["responses"] == [{"messageKey": unquote(key)}]
    assert sender.call("GET", f"{MESSAGES}/{key}").status_code == 200


def test_a_queued_message_says_only_that(sender: Unit) -> None:
    sender.call("POST", f"{MESSAGES}/q1", json={"definitionKey": "order", "recipient": PERSON})
    body = sender.call("GET", f"{MESSAGES}/q1").json()
    assert set(body) == {"requestId", "eventCategoryType", "timestamp"}
    assert body["eventCategoryType"] == "TransactionalSendEvents.EmailQueued"
    central = datetime.fromisoformat(body["timestamp"]).replace(tzinfo=timezone(timedelta(hours=-6)))
    assert abs((datetime.now(central.tzinfo) - central).total_seconds()) < 120


def test_a_cleared_message_is_not_sent_with_code_39(sender: Unit) -> None:
    sender.call("POST", f"{MESSAGES}/c1", json={"definitionKey": "order", "recipient": PERSON})
    queue = "/messaging/v1/email/definitions/order/queue"
    assert sender.call("GET", queue).json()["count"] == 1
    active = sender.call("DELETE", queue)
    assert active.status_code == 400
    assert active.json() == {
        "message": "MCMS_UTM_Runtime_InvalidOperation: Definition status must be inactive to delete queue",
        "errorcode": 30001,
        "documentation": "",
    }
    sender.call("PATCH", "/messaging/v1/email/definitions/order", json={"status": "inactive"})
    assert sender.call("DELETE", queue).json()["message"] == "Queued"
    until(lambda: sender.call("GET", queue).json()["count"] == 0)
    body = sender.call("GET", f"{MESSAGES}/C1").json()
    assert body["eventCategoryType"] == "TransactionalSendEvents.EmailNotSent"
    assert body["info"] == {
        "messageKey": "c1",
        "contactKey": "c1",
        "to": "ann@example.org",
        "statusCode": 39,
        "statusMessage": "SubscriberQueueCleared",
    }
    assert (body["statusCode"], body["statusMessage"]) == (39, "SubscriberQueueCleared")
    assert body["compositeId"].endswith(".0.0")


def test_an_inactive_definition_still_accepts(sender: Unit) -> None:
    sender.call("PATCH", "/messaging/v1/email/definitions/order", json={"status": "Inactive"})
    reply = sender.call("POST", MESSAGES, json=many(PERSON))
    assert reply.status_code == 202
    depth = sender.call("GET", "/messaging/v1/email/definitions/order/queue").json()
    assert depth["count"] == 1
    assert depth["ageSeconds"] < 60


def test_an_unknown_message_is_404(sender: Unit) -> None:
    reply = sender.call("GET", f"{MESSAGES}/nothing")
    assert reply.status_code == 404
    assert reply.json()["errorcode"] == 30003
