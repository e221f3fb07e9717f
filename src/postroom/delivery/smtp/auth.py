"""Login mechanisms for SMTP AUTH (RFC 4954): PLAIN (RFC 4616) and LOGIN.

A mechanism is a small object that is asked for each response; the session does the base64 and the lines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from postroom.delivery.smtp.target import Credentials


class Mechanism(Protocol):
    """One login in progress."""

    @property
    def name(self) -> str:
        """The name as in EHLO and AUTH."""

    def initial(self) -> bytes | None:
        """The response to send along with AUTH, or None: wait to be asked."""

    def respond(self, challenge: bytes) -> bytes | None:
        """The response to a challenge (both without base64), or None: cancel."""


class Plain:
    """User and password in one response."""

    name = "PLAIN"

    def __init__(self, credentials: Credentials) -> None:
        self._response = b"\0%b\0%b" % (credentials.username.encode(), credentials.password.encode())

    def initial(self) -> bytes | None:
        """The whole login, so that it takes one round trip."""
        return self._response

    def respond(self, challenge: bytes) -> bytes | None:
        """Nothing: all has been said."""
        return None


class Login:
    """User and password, each when asked. What the peer asks for is not looked at: its wording varies."""

    name = "LOGIN"

    def __init__(self, credentials: Credentials) -> None:
        self._responses = [credentials.password.encode(), credentials.username.encode()]

    def initial(self) -> bytes | None:
        """None: several servers take no response along with AUTH LOGIN."""
        return None

    def respond(self, challenge: bytes) -> bytes | None:
        """User first, password second, then nothing more."""
        return self._responses.pop() if self._responses else None


PREFERENCE: Final[tuple[tuple[str, Callable[[Credentials], Mechanism]], ...]] = (("PLAIN", Plain), ("LOGIN", Login))


def choose(offered: frozenset[str], credentials: Credentials) -> Mechanism | None:
    """The best mechanism that the peer offers, or None."""
    for name, make in PREFERENCE:
        if name in offered:
            return make(credentials)
    return None
