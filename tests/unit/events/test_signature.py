"""The vendor's signature in both readings of its key, and Standard Webhooks."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.events.signature import new_signature_key, signature_headers, standard_signature, vendor_signature

KEY = new_signature_key(bytes(range(32)))


def test_the_key_is_the_base64_of_its_bytes() -> None:
    assert KEY == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    with pytest.raises(ValueError, match="made of 32 bytes, not 31"):
        new_signature_key(bytes(31))


@given(body=st.binary(max_size=200))
def test_both_readings_verify_as_their_clients_do(body: bytes) -> None:
    as_text = hmac.new(KEY.encode(), body, hashlib.sha256).digest()
    decoded = hmac.new(base64.b64decode(KEY), body, hashlib.sha256).digest()
    assert base64.b64decode(vendor_signature(body, KEY, "text")) == as_text
    assert base64.b64decode(vendor_signature(body, KEY, "base64")) == decoded
    assert as_text != decoded


def test_standard_webhooks_example() -> None:
    # The worked example of the specification's reference libraries.
    secret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signature = standard_signature(
        b'{"test": 2432232314}', secret, webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_one_request_carries_both() -> None:
    headers = dict(signature_headers(b"[]", KEY, "text", webhook_id="msg_1", timestamp=7))
    assert headers == {
        "x-sfmc-ens-signature": vendor_signature(b"[]", KEY, "text"),
        "webhook-id": "msg_1",
        "webhook-timestamp": "7",
        "webhook-signature": standard_signature(b"[]", KEY, webhook_id="msg_1", timestamp=7),
    }
