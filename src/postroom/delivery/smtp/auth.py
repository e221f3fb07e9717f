"""Login mechanisms for SMTP AUTH (RFC 4954): CRAM-MD5 (RFC 2195), PLAIN (RFC 4616), LOGIN and XOAUTH2.

A mechanism is a small object that is asked for each response; the session does the base64 and the lines.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Final, Protocol

from postroom.delivery.smtp.reply import printable
from postroom.delivery.smtp.target import Credentials, LoginMethod


class Mechanism(Protocol):
    """One login in progress."""

    @property
    def name(self) -> str:
        """The name as in EHLO and AUTH."""

    @property
    def explanation(self) -> str:
        """What the peer said of a failure besides its reply: printable, often empty."""

    def initial(self) -> bytes | None:
        """The response to send along with AUTH, or None: wait to be asked."""

    def respond(self, challenge: bytes) -> bytes | None:
        """The response to a challenge (both without base64), or None: cancel."""


class Plain:
    """User and password in one response."""

    name = "PLAIN"
    explanation = ""

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
    explanation = ""

    def __init__(self, credentials: Credentials) -> None:
        self._responses = [credentials.password.encode(), credentials.username.encode()]

    def initial(self) -> bytes | None:
        """None: several servers take no response along with AUTH LOGIN."""
        return None

    def respond(self, challenge: bytes) -> bytes | None:
        """User first, password second, then nothing more."""
        return self._responses.pop() if self._responses else None


class CramMd5:
    """The password never leaves: what is sent is a digest of it and of the peer's challenge."""

    name = "CRAM-MD5"
    explanation = ""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials: Credentials | None = credentials

    def initial(self) -> bytes | None:
        """None: the peer speaks first."""
        return None

    def respond(self, challenge: bytes) -> bytes | None:
        """User and digest; a second challenge, or one with nothing in it, is answered by giving up."""
        credentials, self._credentials = self._credentials, None
        if credentials is None or not challenge:
            return None
        digest = hmac.new(credentials.password.encode(), challenge, "md5").hexdigest()
        return b"%b %b" % (credentials.username.encode(), digest.encode())


class XOAuth2:
    """A bearer token in the place of the password, as Google and Microsoft define it.

    A peer that refuses the token says why in a challenge of JSON, and its reply follows an empty response.
    """

    name = "XOAUTH2"

    def __init__(self, credentials: Credentials) -> None:
        self._response = b"user=%b\1auth=Bearer %b\1\1" % (credentials.username.encode(), credentials.password.encode())
        self._explained = False
        self.explanation = ""

    def initial(self) -> bytes | None:
        """User and token."""
        return self._response

    def respond(self, challenge: bytes) -> bytes | None:
        """An empty response, once."""
        if self._explained:
            return None
        self._explained = True
        self.explanation = printable(challenge[:300].decode("utf-8", "replace"))
        return b""


_BY_METHOD: Final[dict[LoginMethod, Callable[[Credentials], Mechanism]]] = {
    LoginMethod.CRAM_MD5: CramMd5,
    LoginMethod.PLAIN: Plain,
    LoginMethod.LOGIN: Login,
    LoginMethod.XOAUTH2: XOAuth2,
}
STRENGTH: Final = (LoginMethod.CRAM_MD5, LoginMethod.PLAIN, LoginMethod.LOGIN)
"""From the strongest on. XOAUTH2 is used only when asked for: a password is no token."""


def choose(offered: frozenset[str], credentials: Credentials) -> Mechanism | None:
    """The mechanism that the credentials ask for, else the strongest, if the peer offers it; or None."""
    wanted = (credentials.method,) if credentials.method is not None else STRENGTH
    for method in wanted:
        if method.upper() in offered:
            return _BY_METHOD[method](credentials)
    return None
