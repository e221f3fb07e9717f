"""msgspec's complaints in the vendor's codes."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.api.errors import ApiError, Code
from postroom.api.wire.decoding import decode, has_token, shorter, storable
from postroom.api.wire.messages import many_decoder, one_decoder


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        (b"", Code.UNPARSEABLE, "the body is not JSON"),
        (b"nonsense", Code.UNPARSEABLE, "the body is not JSON"),
        (b'{"definitionKey":"\xff"}', Code.UNPARSEABLE, "the body is not UTF-8"),
        (b'{"attributes":' + b"[" * 100_000 + b"]" * 100_000 + b"}", Code.UNPARSEABLE, "nested too deeply"),
        (b"1", Code.WRONG_TYPE, "the body must be object, not integer"),
        (b'{"definitionKey":true}', Code.WRONG_TYPE, "definitionKey must be string, not boolean"),
        (b'{"recipients":[{},{"to":1.5}]}', Code.WRONG_TYPE, "recipients[1].to must be string, not number"),
        (b'{"recipient":{}}', Code.UNKNOWN_FIELD, "Unrecognized email field name 'recipient'"),
        (b'{"definitionkey":"x"}', Code.UNKNOWN_FIELD, "Unrecognized email field name 'definitionkey'"),
        (b'{"access_token":"x"}', Code.TOKEN_IN_BODY, ""),
    ],
)
def test_what_is_wrong_is_named(body: bytes, code: Code, text: str) -> None:
    with pytest.raises(ApiError) as raised:
        decode(many_decoder, body)
    assert raised.value.code is code
    assert text in raised.value.text


def test_other_codes_by_field() -> None:
    with pytest.raises(ApiError) as raised:
        decode(one_decoder, b'{"recipient":{"to":1}}', {"recipient.to": Code.INVALID_OPTIONS})
    assert raised.value.code is Code.INVALID_OPTIONS


@given(st.binary())
def test_no_bytes_fail_otherwise_than_with_an_api_error(body: bytes) -> None:
    with contextlib.suppress(ApiError):
        decode(many_decoder, body)
    has_token(body)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"access_token":"x"}', True),
        (b'{"access_token":null}', True),
        (b'{"name":"\\"access_token\\""}', False),
        (b'{"inner":{"access_token":"x"}}', False),
        (b'["access_token"]', False),
        (b'{"access_token"', False),
    ],
)
def test_a_token_among_the_fields(body: bytes, found: bool) -> None:
    assert has_token(body) is found


def test_nul_and_length_are_refused_by_name() -> None:
    storable({"a": "x", "b": None})
    with pytest.raises(ApiError, match=r"content\.customerKey must not hold a NUL"):
        storable({"name": "x", "content.customerKey": "a\0"})
    shorter("name", "abc", 3)
    with pytest.raises(ApiError, match="name has 4 characters; at most 3"):
        shorter("name", "abcd", 3)


def test_raw_attributes_are_kept_as_they_were_sent() -> None:
    body = decode(one_decoder, b'{"recipient":{"attributes": {"a" : 1} }}')
    assert body.recipient is not None
    assert bytes(body.recipient.attributes) == b'{"a" : 1}'
    assert bytes(msgspec.Raw()) == b""
