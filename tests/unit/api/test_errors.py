"""The error table: its bodies have the two documented shapes, and no row contradicts another."""

import json
from collections import Counter

from postroom.api.errors import GATEWAY_DOCUMENTATION, ApiError, Code, error_body
from postroom.api.reply import error_reply
from postroom.intake.request import RecipientError


def test_every_errorcode_stands_for_one_row() -> None:
    numbers = Counter(code.row.errorcode for code in Code)
    numbers.update(error.errorcode for error in RecipientError)
    assert [number for number, times in numbers.items() if times > 1] == []


def test_gateway_errors_link_the_page_and_messaging_errors_do_not() -> None:
    for code in Code:
        body = json.loads(error_body(code, "field x is wrong"))
        assert body["errorcode"] == code.row.errorcode
        if code.row.name:
            assert body["message"] == f"{code.row.name}: field x is wrong"
            assert code.row.name.startswith(("MCMS_UTM_", "MCMS_UWH_"))
            assert body["documentation"] == ""
        else:
            assert body["message"] == code.row.sentence
            assert body["documentation"] == GATEWAY_DOCUMENTATION
        assert code.row.when


def test_only_401_asks_for_a_new_token() -> None:
    for code in Code:
        names = {name for name, _ in error_reply(ApiError(code)).headers}
        assert (b"www-authenticate" in names) == (code.row.status == 401)
        assert (b"connection" in names) == (code is Code.BODY_TOO_LARGE)


def test_further_fields_replace_and_join_the_body() -> None:
    body = json.loads(ApiError(Code.NO_VALID_SUBSCRIBERS, "x", extra={"errorcode": 1, "responses": []}).body())
    assert body["errorcode"] == 1
    assert body["responses"] == []
