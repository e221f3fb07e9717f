"""From the greeting to the moment when mail can be handed over: EHLO, STARTTLS (RFC 3207) and AUTH (RFC 4954).

What happens in which state stands in the table of ``session``. A handshake that fails ends in one ``Unavailable``.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from typing import ClassVar, Final

from postroom.delivery.smtp.auth import Mechanism, choose
from postroom.delivery.smtp.dialogue import Dialogue, StartTls
from postroom.delivery.smtp.extensions import Extensions
from postroom.delivery.smtp.reply import Reply
from postroom.delivery.smtp.state import State
from postroom.delivery.smtp.target import TlsMode

# A command line has 512 bytes with its end (RFC 5321 §4.5.3.1.4), also with a response behind AUTH (RFC 4954 §4);
# tokens are often longer.
_LONGEST_AUTH_LINE: Final = 510


class Handshake:
    """Leads a dialogue to IDLE, or to CLOSED."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        target = dialogue.target
        self._starttls = target.tls is not TlsMode.OFF and not target.implicit_tls
        self._login: Mechanism | None = None
        self._first_response: bytes | None = None

    def hear(self, reply: Reply) -> None:
        """Take in a reply to the greeting or to a command of the handshake."""
        self._HANDLERS[self._dialogue.state](self, reply)

    def tls_started(self) -> None:
        """The connection is encrypted now; everything learned before is forgotten (RFC 3207 §4.2)."""
        self._starttls = False
        self._dialogue.extensions = Extensions()
        self._dialogue.say(b"EHLO %b\r\n" % self._dialogue.helo, State.EHLO)

    def _greeting(self, reply: Reply) -> None:
        if reply.code // 100 == 2:
            self._dialogue.say(b"EHLO %b\r\n" % self._dialogue.helo, State.EHLO)
        else:
            self._dialogue.unavailable(reply)

    def _ehlo(self, reply: Reply) -> None:
        if reply.code // 100 == 2:
            self._dialogue.extensions = Extensions.of(reply)
            self._secure()
        elif reply.code // 100 == 5:
            self._dialogue.say(b"HELO %b\r\n" % self._dialogue.helo, State.HELO)
        else:
            self._dialogue.unavailable(reply)

    def _helo_reply(self, reply: Reply) -> None:
        if reply.code // 100 == 2:
            self._secure()
        else:
            self._dialogue.unavailable(reply)

    def _secure(self) -> None:
        if self._starttls and self._dialogue.extensions.starttls:
            self._dialogue.say(b"STARTTLS\r\n", State.STARTTLS)
        elif not self._dialogue.tls and self._dialogue.target.tls in (TlsMode.REQUIRED, TlsMode.VERIFY):
            self._dialogue.give_up("the peer does not offer STARTTLS and this target requires TLS", "starttls")
        else:
            self._authenticate()

    def _starttls_reply(self, reply: Reply) -> None:
        if reply.code // 100 == 2:
            self._dialogue.state = State.TLS
            self._dialogue.events.append(StartTls())
        elif self._dialogue.target.tls is TlsMode.OPPORTUNISTIC:
            self._authenticate()
        else:
            self._dialogue.unavailable(reply)

    def _authenticate(self) -> None:
        credentials = self._dialogue.target.credentials
        if credentials is None:
            self._dialogue.state = State.IDLE
            return
        if not self._dialogue.tls and not self._dialogue.target.cleartext_auth:
            self._dialogue.give_up(
                "there is no TLS and the password is not sent in clear text; tls=off would allow it", "auth"
            )
            return
        login = choose(self._dialogue.extensions.auth, credentials)
        if login is None:
            offered = " ".join(sorted(self._dialogue.extensions.auth)) or "no login at all"
            wanted = credentials.method.upper() if credentials.method else "CRAM-MD5, PLAIN or LOGIN"
            self._dialogue.give_up(f"the peer offers {offered}; this client logs in with {wanted}", "auth")
            return
        self._login = login
        line = b"AUTH %b" % login.name.encode()
        first = login.initial()
        self._first_response = None
        if first is not None:
            coded = b64encode(first) or b"="
            if len(line) + len(coded) <= _LONGEST_AUTH_LINE:
                line += b" " + coded
            else:
                self._first_response = first
        self._dialogue.say(line + b"\r\n", State.AUTH)

    def _auth(self, reply: Reply) -> None:
        kind = reply.code // 100
        if kind == 2:
            self._login = None
            self._dialogue.state = State.IDLE
        elif reply.code == 334 and self._login is not None:
            try:
                challenge = b64decode(reply.lines[-1].strip(), validate=True)
            except Base64Error:
                challenge = b""
            response, self._first_response = self._first_response, None
            if response is None:
                response = self._login.respond(challenge)
            if response is None:
                self._login = None
            self._dialogue.say((b"*" if response is None else b64encode(response)) + b"\r\n", State.AUTH)
        else:
            self._dialogue.unavailable(reply, self._login.explanation if self._login is not None else "")

    _HANDLERS: ClassVar[dict[State, Callable[[Handshake, Reply], None]]] = {
        State.GREETING: _greeting,
        State.EHLO: _ehlo,
        State.HELO: _helo_reply,
        State.STARTTLS: _starttls_reply,
        State.AUTH: _auth,
    }
