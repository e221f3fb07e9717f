"""The table in the docstring of the session against what the session does."""

from __future__ import annotations

from typing import Final

import pytest
from tests.unit.delivery.smtp.test_envelope import Letter

from postroom.delivery.smtp import session as session_module
from postroom.delivery.smtp.dialogue import Finished, Unavailable
from postroom.delivery.smtp.session import Session
from postroom.delivery.smtp.state import State
from postroom.delivery.smtp.target import Credentials, SmtpTarget

PLAIN_TARGET: Final = SmtpTarget("mx.example.com")
LOGIN_TARGET: Final = SmtpTarget("mx.example.com", credentials=Credentials("u", "p"), cleartext_auth=True)

# What brings a session (without PIPELINING) into each state, from the greeting on.
ROADS: Final[dict[str, list[bytes]]] = {
    "GREETING": [],
    "EHLO": [b"220 hi\r\n"],
    "HELO": [b"220 hi\r\n", b"500 what\r\n"],
    "STARTTLS": [b"220 hi\r\n", b"250-mx\r\n250 STARTTLS\r\n"],
    "AUTH": [b"220 hi\r\n", b"250-mx\r\n250 AUTH PLAIN\r\n"],
    "IDLE": [b"220 hi\r\n", b"250 mx\r\n"],
}
MAIL_ROADS: Final[dict[str, list[bytes]]] = {
    "MAIL": [],
    "RCPT": [b"250 ok\r\n"],
    "DATA": [b"250 ok\r\n", b"250 ok\r\n"],
    "FINAL": [b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"],
    "RSET": [b"550 no\r\n"],
}


def rows() -> list[tuple[str, str, str, str]]:
    table = (session_module.__doc__ or "").partition("outcome\n")[2].partition("\n\n")[0]
    found = [tuple(line.split()) for line in table.splitlines()]
    assert all(len(row) == 4 for row in found)
    return [(row[0], row[1], row[2], row[3]) for row in found if len(row) == 4]


def at(state: str) -> Session:
    """A session in this state."""
    session = Session(LOGIN_TARGET if state == "AUTH" else PLAIN_TARGET, helo="me.example.com")

    def hear(data: bytes) -> None:
        session.take_output()
        session.receive(data)

    for data in ROADS.get(state, ROADS["IDLE"]):
        hear(data)
    if state == "QUIT":
        session.quit()
    elif state == "EMPTY":
        session.extensions = type(session.extensions)(pipelining=True)
        session.begin(Letter())
        hear(b"250 ok\r\n550 no such user\r\n354 go\r\n")
    elif state in MAIL_ROADS:
        session.begin(Letter())
        for data in MAIL_ROADS[state]:
            hear(data)
    session.take_output()
    assert session.state.name == state
    return session


WANTED: Final = {"GREETING": b"220 hi\r\n", "STARTTLS": b"220 go\r\n", "AUTH": b"235 in\r\n", "DATA": b"354 go\r\n"}


def given(session: Session, state: str, what: str) -> str:
    """Give the input to the session; the outcome as the table calls it."""
    match what:
        case "lost":
            events = session.lost("gone")
        case "ok":
            events = session.receive(WANTED.get(state, b"250 ok\r\n"))
        case "4yz":
            events = session.receive(b"451 later\r\n")
        case "5yz":
            events = session.receive(b"550 never\r\n")
        case "421":
            events = session.receive(b"421 closing\r\n")
        case "garbage":
            events = session.receive(b"\x16\x03garbage\r\n")
        case "starttls":
            events = session.receive(b"250-mx\r\n250 STARTTLS\r\n")
        case "auth":
            events = session.receive(b"250-mx\r\n250 AUTH PLAIN\r\n")
        case _:
            raise AssertionError(f"the table has an unknown input: {what}")
    for event in events:
        if isinstance(event, Finished):
            return type(event.outcome).__name__
        if isinstance(event, Unavailable):
            return "unavailable"
    return "-"


@pytest.mark.parametrize(("state", "what", "following", "outcome"), rows())
def test_the_session_does_what_its_table_says(state: str, what: str, following: str, outcome: str) -> None:
    if (state, what) == ("EHLO", "auth"):
        session = Session(LOGIN_TARGET, helo="me.example.com")
        session.receive(ROADS["EHLO"][0])
        session.take_output()
    else:
        session = at(state)
    assert given(session, state, what) == outcome
    assert session.state.name == following


def test_the_table_has_every_state_that_waits_for_a_reply() -> None:
    waiting = {state.name for state in State} - {"TLS", "CLOSED"}
    assert {row[0] for row in rows()} == waiting
