"""Handshakes: what is said before the first mail, and what no peer can make a session say."""

from __future__ import annotations

from base64 import b64encode

import pytest

from postroom.delivery.smtp.dialogue import Event, StartTls, Unavailable
from postroom.delivery.smtp.session import Session
from postroom.delivery.smtp.state import State
from postroom.delivery.smtp.target import Credentials, LoginMethod, SmtpTarget, TlsMode

LOGIN = Credentials("ann", "secret")


def test_starttls_is_used_when_offered_and_the_peer_is_asked_anew() -> None:
    session = Session(SmtpTarget("mx.example.com"), helo="me")
    session.receive(b"220 hi\r\n")
    session.take_output()
    session.receive(b"250-mx\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n")
    assert session.take_output() == b"STARTTLS\r\n"
    assert session.receive(b"220 go\r\n") == [StartTls()]
    assert session.tls_started("TLSv1.3 X") == []
    assert session.take_output() == b"EHLO me\r\n"
    assert session.extensions.auth == frozenset()
    session.receive(b"250-mx\r\n250 STARTTLS\r\n")
    assert session.state is State.IDLE


def test_starttls_injection_attack_is_dropped_with_the_clear_text() -> None:
    session = Session(SmtpTarget("mx.example.com"), helo="me")
    session.receive(b"220 hi\r\n")
    session.take_output()
    session.receive(b"250-mx\r\n250 STARTTLS\r\n")
    session.take_output()
    assert session.receive(b"220 go\r\n250-evil\r\n250 PIPELINING\r\n250 unfin") == [StartTls()]
    assert session.receive(b"250 more\r\n") == []
    session.tls_started("TLSv1.3 X")
    session.take_output()
    session.receive(b"250 mx\r\n")
    assert session.state is State.IDLE
    assert not session.extensions.pipelining


@pytest.mark.parametrize("tls", [TlsMode.REQUIRED, TlsMode.VERIFY])
@pytest.mark.parametrize("answers", [[b"250 mx\r\n"], [b"250-mx\r\n250 STARTTLS\r\n", b"454 not now\r\n"]])
def test_starttls_stripping_attack_gives_no_clear_text(tls: TlsMode, answers: list[bytes]) -> None:
    session = Session(SmtpTarget("mx.example.com", tls=tls), helo="me")
    session.receive(b"220 hi\r\n")
    events: list[Event] = []
    for answer in answers:
        session.take_output()
        events = session.receive(answer)
    (event,) = events
    assert isinstance(event, Unavailable)
    assert event.outcome.stage == "starttls"
    assert session.state is State.CLOSED


def test_a_password_is_never_said_in_clear_text_unless_allowed() -> None:
    session = Session(SmtpTarget("mx.example.com", credentials=LOGIN), helo="me")
    session.receive(b"220 hi\r\n")
    session.take_output()
    (event,) = session.receive(b"250-mx\r\n250 AUTH PLAIN LOGIN\r\n")
    assert isinstance(event, Unavailable)
    assert event.outcome.stage == "auth"
    assert session.take_output() == b""


@pytest.mark.parametrize(
    ("offered", "dialogue"),
    [
        (b"PLAIN LOGIN", [(b"AUTH PLAIN " + b64encode(b"\0ann\0secret"), b"235 in")]),
        (
            b"LOGIN",
            [
                (b"AUTH LOGIN", b"334 VXNlcm5hbWU6"),
                (b64encode(b"ann"), b"334 UGFzc3dvcmQ6"),
                (b64encode(b"secret"), b"235 in"),
            ],
        ),
        (b"LOGIN", [(b"AUTH LOGIN", b"334 not base64!"), (b64encode(b"ann"), b"334"), (b64encode(b"secret"), b"235")]),
    ],
)
def test_login(offered: bytes, dialogue: list[tuple[bytes, bytes]]) -> None:
    target = SmtpTarget("mx.example.com", credentials=LOGIN, cleartext_auth=True)
    session = Session(target, helo="me")
    session.receive(b"220 hi\r\n")
    session.take_output()
    session.receive(b"250-mx\r\n250 AUTH " + offered + b"\r\n")
    for command, reply in dialogue:
        assert session.take_output() == command + b"\r\n"
        assert session.receive(reply + b"\r\n") == []
    assert session.state is State.IDLE


def test_a_response_too_long_for_a_command_line_waits_to_be_asked() -> None:
    token = "t" * 2000
    target = SmtpTarget(
        "mx.example.com", credentials=Credentials("ann", token, LoginMethod.XOAUTH2), cleartext_auth=True
    )
    session = Session(target, helo="me")
    session.receive(b"220 hi\r\n")
    session.take_output()
    session.receive(b"250-mx\r\n250 AUTH XOAUTH2\r\n")
    assert session.take_output() == b"AUTH XOAUTH2\r\n"
    session.receive(b"334 \r\n")
    assert session.take_output() == b64encode(f"user=ann\1auth=Bearer {token}\1\1".encode()) + b"\r\n"
    session.receive(b"334 " + b64encode(b'{"status":"400"}') + b"\r\n")
    assert session.take_output() == b"\r\n"
    (event,) = session.receive(b"535 5.7.8 no\r\n")
    assert isinstance(event, Unavailable)
    assert event.outcome.text == '535 5.7.8 no ({"status":"400"})'


def test_endless_login_questions_attack_is_cancelled() -> None:
    target = SmtpTarget("mx.example.com", credentials=LOGIN, cleartext_auth=True)
    session = Session(target, helo="me")
    session.receive(b"220 hi\r\n")
    session.take_output()
    session.receive(b"250-mx\r\n250 AUTH LOGIN\r\n")
    said: list[bytes] = []
    events: list[Event] = []
    while not events and len(said) < 9:
        said.append(session.take_output())
        events = session.receive(b"334 bW9yZT8=\r\n")
    assert said[-1] == b"*\r\n"
    assert isinstance(events[0], Unavailable)


def test_no_login_in_common_says_what_is_offered() -> None:
    target = SmtpTarget("mx.example.com", credentials=LOGIN, cleartext_auth=True)
    session = Session(target, helo="me")
    session.receive(b"220 hi\r\n")
    session.take_output()
    (event,) = session.receive(b"250-mx\r\n250 AUTH GSSAPI NTLM\r\n")
    assert isinstance(event, Unavailable)
    assert "GSSAPI NTLM" in event.outcome.text
