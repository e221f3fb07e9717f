"""A large body is brought into its form block by block, which makes no difference but in time."""

from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.delivery.dkim.keys import ed25519_key, verified

from postroom.delivery.dkim import canonical
from postroom.delivery.dkim.canonical import BodyForm
from postroom.delivery.dkim.signer import Signer

_scraps = st.sampled_from([b" ", b"  ", b"\t", b"\r\n", b"\r\n\r\n", b"a", b" \r\n", b"base64+/" * 3])


@settings(max_examples=300, deadline=None)
@given(st.lists(_scraps, max_size=40).map(lambda scraps: b"".join(scraps) + b"\r\n"), st.integers(1, 40))
def test_blocks_of_any_length_give_the_same_form(body: bytes, block: int) -> None:
    with patch.object(canonical, "_BLOCK", block):
        found = BodyForm().of(body)
    assert found == BodyForm().of(body)


def test_dkimpy_verifies_an_indented_text_beside_a_large_attachment() -> None:
    body = b"<p>  Hello \t you </p> \r\n" * 50 + (b"QUJD" * 19 + b"\r\n") * 1000 + b"  --end-- \r\n\r\n"
    signer = Signer("example.com", [ed25519_key()])
    assert verified(signer.sign(b"From: shop@example.com\r\nSubject: x\r\n\r\n" + body, 1790000000))
