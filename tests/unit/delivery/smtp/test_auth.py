"""Login mechanisms."""

from __future__ import annotations

import pytest

from postroom.delivery.smtp.auth import CramMd5, Login, Plain, XOAuth2, choose
from postroom.delivery.smtp.target import Credentials, LoginMethod

ANN = Credentials("ann", "pässword")


def test_plain_says_all_at_once() -> None:
    plain = Plain(ANN)
    assert plain.initial() == b"\0ann\0p\xc3\xa4ssword"
    assert plain.respond(b"") is None


def test_login_answers_two_questions() -> None:
    login = Login(ANN)
    assert login.initial() is None
    assert [login.respond(b"User Name"), login.respond(b"?"), login.respond(b"more?")] == [
        b"ann",
        b"p\xc3\xa4ssword",
        None,
    ]


def test_cram_md5_answers_as_the_example_of_its_rfc() -> None:
    cram = CramMd5(Credentials("tim", "tanstaaftanstaaf"))
    assert cram.initial() is None
    challenge = b"<1896.697170952@postoffice.reston.mci.net>"
    assert cram.respond(challenge) == b"tim b913a602c7eda7a495b4e6e7334d3890"
    assert cram.respond(challenge) is None


def test_cram_md5_signs_nothing_for_a_peer_that_sends_no_challenge() -> None:
    assert CramMd5(ANN).respond(b"") is None


def test_xoauth2_sends_the_token_and_takes_the_explanation_of_a_failure() -> None:
    token = XOAuth2(Credentials("ann@example.com", "ya29.token"))
    assert token.initial() == b"user=ann@example.com\x01auth=Bearer ya29.token\x01\x01"
    assert token.respond(b'{"status":"401"}\n' + b"x" * 5000) == b""
    assert token.explanation.startswith('{"status":"401"}')
    assert token.explanation.isprintable()
    assert len(token.explanation) == 300
    assert token.respond(b"more?") is None


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ({"LOGIN", "PLAIN", "CRAM-MD5", "XOAUTH2"}, CramMd5),
        ({"LOGIN", "PLAIN"}, Plain),
        ({"LOGIN", "GSSAPI"}, Login),
        ({"GSSAPI"}, type(None)),
        ({"XOAUTH2"}, type(None)),
    ],
)
def test_the_strongest_is_chosen_and_a_password_is_never_used_as_a_token(offered: set[str], chosen: type) -> None:
    assert isinstance(choose(frozenset(offered), ANN), chosen)


@pytest.mark.parametrize("method", list(LoginMethod))
def test_a_method_that_was_named_is_used_or_none(method: LoginMethod) -> None:
    credentials = Credentials("ann", "password", method)
    everything = frozenset(each.upper() for each in LoginMethod)
    mechanism = choose(everything, credentials)
    assert mechanism is not None
    assert mechanism.name == method.upper()
    assert choose(everything - {method.upper()}, credentials) is None


def test_the_password_is_not_in_the_repr() -> None:
    assert "pässword" not in repr(ANN)
