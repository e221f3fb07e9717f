"""POST /address/v1/validateEmail, as sign-up forms ask it."""

from typing import Any

import pytest
from tests.wire.live import Unit

CHECK = "/address/v1/validateEmail"
ALL = ["SyntaxValidator", "MXValidator", "ListDetectiveValidator"]


@pytest.mark.parametrize(
    ("email", "validators", "more"),
    [
        ("help@example.com", ALL, {"valid": True}),
        ("this@is@not", ALL, {"valid": False, "failedValidation": "SyntaxValidator"}),
        ("this@is@not", ["mxvalidator"], {"valid": False, "failedValidation": "MXValidator"}),
        ("noreply@example.com", ALL, {"valid": False, "failedValidation": "ListDetectiveValidator"}),
        ("noreply@example.com", ["SyntaxValidator"], {"valid": True}),
    ],
)
def test_an_address_is_valid_or_fails_a_validator(
    unit: Unit, email: str, validators: list[str], more: dict[str, Any]
) -> None:
    before = unit.stored()
    reply = unit.call("POST", CHECK, json={"email": email, "validators": validators})
    assert (reply.status_code, reply.json()) == (200, {"email": email} | more)
    assert unit.stored() == before


def test_a_suppressed_address_fails_the_validator_of_unsubscribes(unit: Unit) -> None:
    assert unit.call("POST", "/postroom/v1/suppressions", json={"address": "ann@example.org"}).status_code == 201
    body = {"email": "Ann@example.org", "validators": ["GlobalUnsubValidator"]}
    assert unit.call("POST", CHECK, json=body).json()["failedValidation"] == "GlobalUnsubValidator"
    assert unit.call("POST", CHECK, json=body | {"email": "bob@example.org"}).json()["valid"] is True


@pytest.mark.parametrize(
    ("body", "errorcode"),
    [
        ({"validators": ALL}, 10002),
        ({"email": "a@example.org"}, 10002),
        ({"email": "a@example.org", "validators": []}, 10002),
        ({"email": "a@example.org", "validators": ["Nose"]}, 10005),
        ({"email": 5, "validators": ALL}, 10001),
        ({"email": "a\0", "validators": ALL}, 10005),
    ],
)
def test_what_is_no_question_is_refused(unit: Unit, body: Any, errorcode: int) -> None:
    reply = unit.call("POST", CHECK, json=body)
    assert (reply.status_code, reply.json()["errorcode"]) == (400, errorcode)
