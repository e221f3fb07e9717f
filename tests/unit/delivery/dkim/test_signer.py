"""Every signature must be valid to dkimpy, whatever the mail looks like, and become invalid when the mail changes."""

import pytest
from benchmarks.compose import content, contexts
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.delivery.dkim.keys import ed25519_key, rsa_der, rsa_key, verified

from postroom.content.compiler import compile_content
from postroom.content.model import Mail
from postroom.delivery.dkim.key import KeyUnusable, SigningKey
from postroom.delivery.dkim.signer import Signer, Unsignable

AT = 1790000000
MAIL = (
    b"Date: Mon, 23 Nov 2026 09:30:00 +0000\r\nFrom: Shop <shop@example.com>\r\nTo: a@example.net\r\n"
    b"Subject: Your   order\r\n \tis here \r\nMessage-ID: <1@example.com>\r\nMIME-Version: 1.0\r\n"
    b"List-Unsubscribe: <https://example.com/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"Content-Type: text/plain\r\n\r\nHello  there \r\n\r\n\tIndented\t\r\n\r\n\r\n"
)


def both() -> Signer:
    return Signer("example.com", [rsa_key(), ed25519_key()])


def test_both_signatures_of_a_mail_are_valid() -> None:
    signed = both().sign(MAIL, AT)
    assert signed.endswith(MAIL)
    assert signed.count(b"DKIM-Signature: ") == 2
    assert verified(signed, 0)
    assert verified(signed, 1)


def test_the_mails_of_a_compiled_version_are_valid() -> None:
    plan = compile_content(content())
    signer = Signer("example.com", [ed25519_key()])
    for context in contexts(20):
        mail = plan.compose(context)
        assert isinstance(mail, Mail)
        assert verified(signer.sign(mail.data, AT))


def test_the_same_mail_is_signed_with_the_same_bytes() -> None:
    assert both().sign(MAIL, AT) == both().sign(MAIL, AT)
    assert both().sign(MAIL, AT) != both().sign(MAIL, AT + 1)


def test_no_line_of_a_signature_is_longer_than_rfc_5322_recommends() -> None:
    fields = both().signature_fields(MAIL, AT)
    assert fields.endswith(b"\r\n")
    assert max(len(line) for line in fields.split(b"\r\n")) <= 78


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"order", b"other"),
        (b"shop@", b"spam@"),
        (b"a@example.net", b"b@example.net"),
        (b"One-Click", b"Two-Click"),
        (b"/u>", b"/v>"),
        (b"Hello", b"Hullo"),
    ],
)
def test_a_change_on_the_way_makes_it_invalid(old: bytes, new: bytes) -> None:
    signed = Signer("example.com", [ed25519_key()]).sign(MAIL, AT)
    assert old in signed
    assert not verified(signed.replace(old, new, 1))


def test_attack_a_second_from_field_is_added() -> None:
    signed = Signer("example.com", [ed25519_key()]).sign(MAIL, AT)
    assert verified(signed)
    assert not verified(b"From: Boss <boss@example.com>\r\n" + signed)
    assert not verified(signed.replace(b"\r\nTo:", b"\r\nFrom: Boss <boss@example.com>\r\nTo:"))


def test_whitespace_that_relays_change_does_not_matter() -> None:
    signed = Signer("example.com", [ed25519_key()]).sign(MAIL, AT)
    assert verified(signed.replace(b"Your   order\r\n \tis here ", b"Your order is here"))
    assert verified(signed.replace(b"Hello  there ", b"Hello \t there").removesuffix(b"\r\n"))
    assert not verified(signed.replace(b"Hello  there", b"Hellothere"))


_bodies = st.lists(st.sampled_from([b" ", b"  ", b"\t", b"\r\n", b"a", b"=20", b"<p>", b"\xc3\xa9"]), max_size=40).map(
    lambda pieces: b"".join(pieces) + b"\r\n"
)


@settings(max_examples=150)
@given(_bodies, _bodies)
def test_any_body_is_valid_and_what_was_signed_before_does_not_matter(body: bytes, before: bytes) -> None:
    head = b"From: shop@example.com\r\nSubject: x\r\n\r\n"
    used, fresh = (Signer("example.com", [ed25519_key()]) for _ in range(2))
    used.sign(head + before, AT)
    signed = used.sign(head + body, AT)
    assert signed == fresh.sign(head + body, AT)
    assert verified(signed)


_values = st.lists(st.sampled_from([b"a", b" ", b"\t", b"\r\n b", b"\r\n\tc", b":", b";", b"="]), max_size=20).map(
    b"".join
)


@settings(max_examples=100)
@given(_values, _values)
def test_any_header_is_valid(subject: bytes, other: bytes) -> None:
    mail = b"Subject:%bz\r\nFrom: shop@example.com\r\nSubject: %bz\r\nX-Other: %bz\r\n\r\nHello\r\n"
    assert verified(Signer("example.com", [ed25519_key()]).sign(mail % (subject, other, other), AT))


@pytest.mark.parametrize("lines", [2_000])
def test_attack_a_body_of_empty_lines_costs_its_length_and_no_more(lines: int) -> None:
    mail = b"From: shop@example.com\r\n\r\n" + b"\r\n" * lines + b" " * lines + b"\r\n"
    assert verified(Signer("example.com", [ed25519_key()]).sign(mail, AT))


def test_a_mail_without_from_or_without_an_end_of_its_header_is_not_signed() -> None:
    with pytest.raises(Unsignable, match="no From field"):
        both().sign(b"To: a@example.net\r\n\r\nHello\r\n", AT)
    with pytest.raises(Unsignable, match="no empty line"):
        both().sign(b"From: a@example.net\r\n", AT)


def test_keys_that_receivers_do_not_count_are_refused() -> None:
    assert SigningKey("s", rsa_der(1024)).algorithm == "rsa-sha256"
    with pytest.raises(KeyUnusable, match="no PKCS #8"):
        SigningKey("s", b"nonsense")
    with pytest.raises(ValueError, match="no key"):
        Signer("example.com", [])
