"""Login mechanisms."""

from __future__ import annotations

from postroom.delivery.smtp.auth import Login, Plain, choose
from postroom.delivery.smtp.target import Credentials

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


def test_plain_is_preferred_and_unknown_mechanisms_are_not_chosen() -> None:
    assert isinstance(choose(frozenset({"LOGIN", "PLAIN"}), ANN), Plain)
    assert isinstance(choose(frozenset({"LOGIN", "GSSAPI"}), ANN), Login)
    assert choose(frozenset({"GSSAPI"}), ANN) is None


def test_the_password_is_not_in_the_repr() -> None:
    assert "pässword" not in repr(ANN)
