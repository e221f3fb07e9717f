"""The receiving side of SMTP as a state machine without I/O (RFC 5321, 2920, 1870, 3207, 6152, 6531, 4954, 2034).

Bytes go in with `receive`, a `Step` comes out: what to write, a mail that must be stored before anything else is
answered, whether to hang up. While a mail waits for `settle`, later bytes are only kept.

Only CRLF "." CRLF ends a mail (RFC 5321 §4.1.1.4). Bare CR and bare LF are content inside DATA and an error
outside it, so two servers can never disagree about where a mail ends.

    phase     command         next phase
    fresh     EHLO HELO       ready
    ready     MAIL            mail
    mail      RCPT            rcpt
    rcpt      RCPT            rcpt
    rcpt      DATA            data
    data      <CRLF>.<CRLF>   settling
    settling  settle()        ready
    any but data: RSET EHLO HELO -> ready (RSET keeps fresh); QUIT -> closed; STARTTLS -> fresh
"""

from __future__ import annotations

import base64
import binascii
import enum
import re
from collections.abc import Callable
from dataclasses import dataclass

MAX_COMMAND_LINE = 4096
"""Octets of a command line with its CRLF. RFC 5321 §4.5.3.1.4 asks for 512, extensions add to it."""
MAX_AUTH_LINE = 12288
"""Octets of an AUTH response (RFC 4954 §4)."""
MAX_PATH = 256
"""Octets of a path with its brackets (RFC 5321 §4.5.3.1.3)."""
MAX_ERRORS = 20
"""Rejected commands in a row after which the client is hung up on."""

END_OF_DATA = b"\r\n.\r\n"


@dataclass(frozen=True, slots=True)
class Manner:
    """What sets one kind of server apart from another: its texts, and what it takes.

    greeting: stands after the name in the first line. about: answers VRFY and HELP.
    auth: whether AUTH is offered; any credentials are good then. starttls: whether STARTTLS is offered.
    refusal: of a recipient that is not taken, the whole reply line; None for one that is. It is not asked about
    `<postmaster>`. A refusal with 421 ends the connection (RFC 5321 §3.8).
    keep_bytes: of a longer mail only the beginning is kept, and the mail is taken all the same.
    """

    greeting: str
    about: str
    auth: bool = False
    starttls: bool = False
    refusal: Callable[[str], str | None] | None = None
    keep_bytes: int | None = None


class Phase(enum.Enum):
    FRESH = "fresh"
    READY = "ready"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    SETTLING = "settling"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail as it came: envelope (`sender` is empty for the null sender) and content without dot-stuffing."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """What the shell has to do now, in this order: write `reply`, begin TLS, store `mail`, hang up if `close`."""

    reply: bytes = b""
    mail: Arrival | None = None
    close: bool = False
    starttls: bool = False


# A path in angle brackets: optional source route (RFC 5321 §4.1.2, to be accepted and ignored), then a mailbox
# with a dot-string or quoted local part. Any character beyond ASCII passes here and is judged by SMTPUTF8.
_ATOM = r"[^\x00-\x20\x7f()<>\[\]:;@\\,\".]+"
_QUOTED = r'"(?:[^\x00-\x1f\x7f"\\]|\\[\x20-\x7e])*"'
_LETTER = r"[^\x00-\x2f\x3a-\x40\[-`{-\x7f]"
_LABEL = rf"{_LETTER}(?:-*{_LETTER})*"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[^\x00-\x20\x7f\[\]\\]+\])"
_PATH = re.compile(
    rf"<(?:@{_DOMAIN}(?:,@{_DOMAIN})*:)?(?P<mailbox>(?:{_ATOM}(?:\.{_ATOM})*|{_QUOTED})@{_DOMAIN})>", re.ASCII
)
_FROM = re.compile(r"FROM:[ ]?(?P<path>.*)", re.IGNORECASE | re.DOTALL)
_TO = re.compile(r"TO:[ ]?(?P<path>.*)", re.IGNORECASE | re.DOTALL)
_PATH_END = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^>"])*>', re.DOTALL)

# First words of HTTP requests: a web page that makes a browser talk to this port must not get a mail stored.
_HTTP_VERBS = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "PATCH", "DELETE", "CONNECT", "TRACE", "HOST:"})


class Session:
    """One SMTP connection. Never raises on any bytes; memory is bounded by `max_message_bytes` and line limits.

    hostname: name in the greeting and EHLO reply. manner: which kind of server it belongs to.
    max_message_bytes: content beyond it is read to its end, thrown away and answered 552.
    max_recipients: per mail; more are answered 452.
    """

    def __init__(self, hostname: str, manner: Manner, *, max_message_bytes: int, max_recipients: int = 1000) -> None:
        self.phase = Phase.FRESH
        self._hostname = hostname
        self._manner = manner
        self._starttls = manner.starttls
        self._begin_tls = False
        self._max_message_bytes = max_message_bytes
        self._max_recipients = max_recipients
        self._buffer = bytearray()
        self._reply = bytearray()
        self._skipping_line = False
        self._errors = 0
        self._authenticated = False
        self._auth_answers_due = 0
        self._sender = ""
        self._recipients: list[str] = []
        self._smtputf8 = False
        self._data = bytearray()
        self._data_size = 0
        self._kept: bytes | None = None
        self._mail: Arrival | None = None
        self._commands = {
            "EHLO": self._ehlo,
            "HELO": self._helo,
            "MAIL": self._mail_from,
            "RCPT": self._rcpt_to,
            "DATA": self._start_data,
            "RSET": self._rset,
            "NOOP": self._noop,
            "VRFY": self._vrfy,
            "HELP": self._help,
            "AUTH": self._auth,
            "QUIT": self._quit,
            "STARTTLS": self._start_tls,
            "EXPN": self._not_offered,
            "BDAT": self._not_offered,
        }

    def greet(self) -> bytes:
        """The first line the server says."""
        return f"220 {self._hostname} ESMTP {self._manner.greeting}\r\n".encode()

    def receive(self, data: bytes) -> Step:
        """Takes bytes in pieces of any size; the same stream gives the same replies however it is cut."""
        if self.phase is Phase.CLOSED:
            return Step()
        if self.phase is Phase.DATA:
            self._take_content(data)
        else:
            self._buffer += data
        return self._advance()

    def settle(self, reply: str) -> Step:
        """Answers the mail handed out last with `reply` (code, enhanced code, text) and goes on with what was kept."""
        if self.phase is not Phase.SETTLING:
            raise RuntimeError(f"settle in phase {self.phase.value}: no mail is waiting for its answer")
        self._say(reply)
        self._forget_mail()
        return self._advance()

    # -- the stream ------------------------------------------------------------------------------------------

    def _advance(self) -> Step:
        while not self._begin_tls and self.phase not in (Phase.SETTLING, Phase.CLOSED, Phase.DATA):
            line = self._next_line()
            if line is None:
                break
            self._take_line(line)
        if self.phase is Phase.CLOSED or self._begin_tls:
            # After STARTTLS: what came in clear text behind it is nobody's (RFC 3207 §4.2).
            self._buffer.clear()
        reply, self._reply = bytes(self._reply), bytearray()
        mail, self._mail = self._mail, None
        starttls, self._begin_tls = self._begin_tls, False
        return Step(reply, mail, self.phase is Phase.CLOSED, starttls)

    def _next_line(self) -> bytes | None:
        """The next command line without its CRLF; None when there is none yet, or the connection was given up."""
        limit = MAX_AUTH_LINE if self._auth_answers_due else MAX_COMMAND_LINE
        while True:
            end = self._buffer.find(b"\n")
            if end < 0:
                # One octet may stay: a CR whose LF is still to come.
                if self._skipping_line or len(self._buffer) > limit:
                    self._skipping_line = True
                    del self._buffer[:-1]
                return None
            if end == 0 or self._buffer[end - 1] != 0x0D:
                self._say("500 5.5.2 Bare LF: lines end with CR LF here; in a terminal use `nc -C`. Closing")
                self.phase = Phase.CLOSED
                return None
            line = bytes(self._buffer[: end - 1])
            del self._buffer[: end + 1]
            if self._skipping_line or len(line) + 2 > limit:
                self._skipping_line = False
                self._auth_answers_due = 0
                self._refuse(f"500 5.5.6 Line too long: at most {limit} octets")
                if self.phase is Phase.CLOSED:
                    return None
                continue
            return line

    def _take_line(self, line: bytes) -> None:
        if self._auth_answers_due:
            self._auth_answer(line)
            return
        if b"\r" in line or b"\0" in line:
            self._refuse("500 5.5.2 Bare CR or NUL in a command line")
            return
        try:
            text = line.decode()
        except UnicodeDecodeError:
            self._refuse("500 5.5.2 The command line is not UTF-8")
            return
        verb, _, argument = text.partition(" ")
        verb = verb.upper()
        command = self._commands.get(verb)
        if command is not None:
            command(argument.strip(" \t"))
        elif verb in _HTTP_VERBS:
            self._say("421 4.7.0 This is an SMTP port, not HTTP. Closing")
            self.phase = Phase.CLOSED
        else:
            self._refuse("500 5.5.2 Command not recognized")

    def _take_content(self, data: bytes) -> None:
        """Appends to the mail until its end. `_data` begins with a CRLF so that a dot at once is an end as well."""
        seen = len(self._data)
        self._data += data
        end = self._data.find(END_OF_DATA, max(0, seen - len(END_OF_DATA) + 1))
        if end < 0:
            self._data_size += len(data)
            keep = self._manner.keep_bytes
            if keep is not None and self._kept is None and len(self._data) > keep + len(END_OF_DATA):
                self._kept = bytes(self._data[: keep + 2])
            # ".", CR of a terminator may be among them
            if self._kept is not None or self._data_size > self._max_message_bytes + 2:
                del self._data[: -len(END_OF_DATA) + 1]
            return
        # Also of what is kept no more; the content's own end may have come, and been counted, with the piece before.
        size = self._data_size + end + 2 - seen
        self._buffer += self._data[end + len(END_OF_DATA) :]
        del self._data[end + 2 :]  # what stays ends with the CRLF that is both the mail's and the terminator's
        if size > self._max_message_bytes:
            self._say(f"552 5.3.4 The mail is larger than {self._max_message_bytes} bytes")
            self._forget_mail()
            return
        if self._manner.keep_bytes is not None:
            self._data[:] = self._kept or self._data[: self._manner.keep_bytes + 2]
        if b"\r\n." in self._data:
            content = bytes(self._data.replace(b"\r\n.", b"\r\n")[2:])
        else:
            content = bytes(memoryview(self._data)[2:])
        self._mail = Arrival(self._sender, tuple(self._recipients), content)
        self._data = bytearray()
        self._kept = None
        self.phase = Phase.SETTLING

    def _say(self, line: str) -> None:
        self._reply += line.encode() + b"\r\n"

    def _refuse(self, line: str) -> None:
        self._errors += 1
        if self._errors > MAX_ERRORS:
            self._say("421 4.7.0 Too many errors. Closing")
            self.phase = Phase.CLOSED
        else:
            self._say(line)

    def _forget_mail(self) -> None:
        self._sender = ""
        self._recipients = []
        self._smtputf8 = False
        self._data = bytearray()
        self._data_size = 0
        self._kept = None
        if self.phase is not Phase.FRESH:
            self.phase = Phase.READY

    # -- commands --------------------------------------------------------------------------------------------

    def _ehlo(self, argument: str) -> None:
        if not argument:
            self._refuse("501 5.5.4 EHLO needs the client's name: EHLO client.example")
            return
        self.phase = Phase.READY
        self._forget_mail()
        lines = (
            self._hostname,
            "PIPELINING",
            f"SIZE {self._max_message_bytes}",
            "8BITMIME",
            "SMTPUTF8",
            *(("AUTH PLAIN LOGIN",) if self._manner.auth else ()),
            *(("STARTTLS",) if self._starttls else ()),
            "ENHANCEDSTATUSCODES",
        )
        for line in lines[:-1]:
            self._say(f"250-{line}")
        self._say(f"250 {lines[-1]}")

    def _helo(self, argument: str) -> None:
        if not argument:
            self._refuse("501 5.5.4 HELO needs the client's name: HELO client.example")
            return
        self.phase = Phase.READY
        self._forget_mail()
        self._say(f"250 {self._hostname}")

    def _mail_from(self, argument: str) -> None:
        if self.phase is Phase.FRESH:
            self._refuse("503 5.5.1 Send EHLO or HELO first")
            return
        if self.phase is not Phase.READY:
            self._refuse("503 5.5.1 One mail at a time: MAIL was already given, RSET starts over")
            return
        found = _FROM.fullmatch(argument)
        if found is None:
            self._refuse("501 5.5.4 Say MAIL FROM:<address>")
            return
        path, parameters = _split_path(found["path"])
        names = {name.partition("=")[0].upper(): name.partition("=")[2] for name in parameters}
        refusal = self._mail_parameters(names)
        if refusal is None and path != "<>":
            refusal = _path_problem(path, smtputf8="SMTPUTF8" in names)
        if refusal is not None:
            self._refuse(refusal)
            return
        self._sender = "" if path == "<>" else _mailbox(path)
        self._smtputf8 = "SMTPUTF8" in names
        self.phase = Phase.MAIL
        self._errors = 0
        self._say("250 2.1.0 Ok")

    def _mail_parameters(self, names: dict[str, str]) -> str | None:
        for name, value in names.items():
            if name == "SIZE":
                if not (value.isascii() and value.isdigit() and len(value) <= 20):
                    return "501 5.5.4 SIZE wants a number of bytes"
                if int(value) > self._max_message_bytes:
                    return f"552 5.3.4 The mail is larger than {self._max_message_bytes} bytes"
            elif name == "BODY":
                if value.upper() not in ("7BIT", "8BITMIME"):
                    return "501 5.5.4 BODY is 7BIT or 8BITMIME"
            elif name == "SMTPUTF8":
                if value:
                    return "501 5.5.4 SMTPUTF8 takes no value"
            elif name != "AUTH":  # RFC 4954 §5: identity of the submitter, of no use here
                return "555 5.5.4 Unknown MAIL parameter"
        return None

    def _rcpt_to(self, argument: str) -> None:
        if self.phase not in (Phase.MAIL, Phase.RCPT):
            self._refuse("503 5.5.1 Send MAIL first")
            return
        found = _TO.fullmatch(argument)
        if found is None:
            self._refuse("501 5.5.4 Say RCPT TO:<address>")
            return
        path, parameters = _split_path(found["path"])
        postmaster = path.lower() == "<postmaster>"  # RFC 5321 §4.5.1: always accepted, without a domain
        refusal = None if postmaster else _path_problem(path, smtputf8=self._smtputf8)
        if refusal is None and parameters:
            refusal = "555 5.5.4 Unknown RCPT parameter"
        if refusal is None and not postmaster and self._manner.refusal is not None:
            refusal = self._manner.refusal(_mailbox(path))
        if refusal is not None:
            self._refuse(refusal)
            if refusal.startswith("421"):
                self.phase = Phase.CLOSED
        elif len(self._recipients) >= self._max_recipients:
            self._refuse(f"452 4.5.3 At most {self._max_recipients} recipients a mail")
        else:
            self._recipients.append(path[1:-1] if postmaster else _mailbox(path))
            self.phase = Phase.RCPT
            self._say("250 2.1.5 Ok")

    def _start_data(self, argument: str) -> None:
        if argument:
            self._refuse("501 5.5.4 DATA takes no argument")
        elif self.phase is not Phase.RCPT:
            self._refuse("503 5.5.1 No recipient yet: MAIL, then RCPT, then DATA")
        else:
            self._say("354 End with <CR><LF>.<CR><LF>")
            self.phase = Phase.DATA
            self._data = bytearray(b"\r\n")
            self._data_size = 0
            rest, self._buffer = bytes(self._buffer), bytearray()
            if rest:
                self._take_content(rest)

    def _rset(self, argument: str) -> None:
        if argument:
            self._refuse("501 5.5.4 RSET takes no argument")
            return
        self._forget_mail()
        self._say("250 2.0.0 Ok")

    def _noop(self, _argument: str) -> None:
        self._say("250 2.0.0 Ok")

    def _vrfy(self, _argument: str) -> None:
        self._say(f"252 2.5.0 {self._manner.about}")

    def _help(self, _argument: str) -> None:
        self._say(f"214 2.0.0 {self._manner.about}")

    def _quit(self, argument: str) -> None:
        if argument:
            self._refuse("501 5.5.4 QUIT takes no argument")
            return
        self._say("221 2.0.0 Bye")
        self.phase = Phase.CLOSED

    def _not_offered(self, _argument: str) -> None:
        self._refuse("502 5.5.1 Not offered here")

    def _start_tls(self, argument: str) -> None:
        if not self._starttls:
            self._not_offered(argument)
        elif argument:
            self._refuse("501 5.5.4 STARTTLS takes no argument")
        else:
            self._say("220 2.0.0 Go ahead")
            # RFC 3207 §4.2: nothing of what was said before counts, and the client greets again.
            self._starttls = False
            self._begin_tls = True
            self.phase = Phase.FRESH
            self._forget_mail()

    # -- AUTH: any credentials are good, but their form must be (RFC 4954 §4) --------------------------------

    def _auth(self, argument: str) -> None:
        mechanism, _, initial = argument.partition(" ")
        mechanism = mechanism.upper()
        if not self._manner.auth:
            self._not_offered(argument)
        elif self.phase is not Phase.READY or self._authenticated:
            self._refuse("503 5.5.1 AUTH comes once, after EHLO and before MAIL")
        elif mechanism not in ("PLAIN", "LOGIN"):
            self._refuse("504 5.5.4 AUTH PLAIN or AUTH LOGIN")
        elif mechanism == "PLAIN":
            self._auth_answers_due = 1
            self._auth_answer(initial.encode()) if initial else self._say("334 ")
        else:
            self._auth_answers_due = 2
            self._auth_answer(initial.encode()) if initial else self._say("334 VXNlcm5hbWU6")

    def _auth_answer(self, line: bytes) -> None:
        if line == b"*":
            self._auth_answers_due = 0
            self._refuse("501 5.7.0 AUTH cancelled")
            return
        try:
            base64.b64decode(b"" if line == b"=" else line, validate=True)
        except binascii.Error:
            self._auth_answers_due = 0
            self._refuse("501 5.5.2 The AUTH response is not base64")
            return
        self._auth_answers_due -= 1
        if self._auth_answers_due:
            self._say("334 UGFzc3dvcmQ6")
        else:
            self._authenticated = True
            self._say("235 2.7.0 Any credentials are good here")


def _split_path(text: str) -> tuple[str, list[str]]:
    """The path with its brackets and the parameters after it. A path without an end is returned whole."""
    end = _PATH_END.match(text)
    if end is None:
        return text, []
    return text[: end.end()], text[end.end() :].split()


def _path_problem(path: str, *, smtputf8: bool) -> str | None:
    if len(path.encode()) > MAX_PATH:
        return f"501 5.1.3 The path is longer than {MAX_PATH} octets"
    if _PATH.fullmatch(path) is None:
        return "501 5.1.3 Bad address: <local-part@domain> expected"
    if not path.isascii() and not smtputf8:
        return "553 5.6.7 A non-ASCII address needs SMTPUTF8 in MAIL"
    return None


def _mailbox(path: str) -> str:
    found = _PATH.fullmatch(path)
    assert found is not None
    return found["mailbox"]
