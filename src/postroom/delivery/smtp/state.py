"""The states of an SMTP session; the table of transitions stands in ``session``."""

from __future__ import annotations

from enum import IntEnum, auto
from typing import Final

from postroom.delivery.outcome import Stage


class State(IntEnum):
    """What the session waits for; IDLE waits for a mail, CLOSED for nothing.

    Integers, because the hash of a plain enum member is a Python call and this is looked up per reply.
    """

    GREETING = auto()
    EHLO = auto()
    HELO = auto()
    STARTTLS = auto()
    TLS = auto()
    AUTH = auto()
    IDLE = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    FINAL = auto()
    EMPTY = auto()
    RSET = auto()
    QUIT = auto()
    CLOSED = auto()


STAGES: Final[dict[State, Stage]] = {
    State.GREETING: "greeting",
    State.EHLO: "ehlo",
    State.HELO: "ehlo",
    State.STARTTLS: "starttls",
    State.TLS: "starttls",
    State.AUTH: "auth",
    State.IDLE: "ehlo",
    State.MAIL: "mail",
    State.RCPT: "rcpt",
    State.DATA: "data",
    State.FINAL: "final",
}
"""The stage that an outcome names when the session ends in this state; IDLE: right after the handshake."""

AWAITED: Final = {
    State.GREETING: "the greeting",
    State.EHLO: "the reply to EHLO",
    State.HELO: "the reply to HELO",
    State.STARTTLS: "the reply to STARTTLS",
    State.TLS: "the TLS handshake",
    State.AUTH: "the reply to AUTH",
    State.IDLE: "nothing",
    State.MAIL: "the reply to MAIL",
    State.RCPT: "the reply to RCPT",
    State.DATA: "the reply to DATA",
    State.FINAL: "the reply to the final dot",
    State.EMPTY: "the reply to the empty message",
    State.RSET: "the reply to RSET",
    State.QUIT: "the reply to QUIT",
    State.CLOSED: "nothing",
}
