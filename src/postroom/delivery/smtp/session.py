"""One SMTP connection from the client's side as a state machine without I/O (RFC 5321).

The shell around it hands in what was received (``receive``), what is to be sent (``begin``) and how the
connection ended (``lost``), and writes what ``take_output`` gives: one write per phase. Everything that
comes out is an event; nothing is raised for anything a peer does.

Each transaction ends in exactly one ``Finished``. With one recipient and PIPELINING the phases are
MAIL+RCPT+DATA and body+dot; with several, DATA waits until it is known who is accepted, because the first
decides. Those that are too many for the peer are left to a further transaction. Extra replies, unfinished
lines and unasked replies between transactions close the connection: after them no reply could be trusted to
belong to its command.

Transitions (checked against the code by test_session_table). ``ok`` is the reply the command wants; the
outcome is the transaction's, ``unavailable`` means the target as a whole, ``-`` is nothing new.

    state      input      next       outcome
    GREETING   ok         EHLO       -
    GREETING   4yz        CLOSED     unavailable
    GREETING   5yz        CLOSED     unavailable
    EHLO       ok         IDLE       -
    EHLO       starttls   STARTTLS   -
    EHLO       auth       AUTH       -
    EHLO       4yz        CLOSED     unavailable
    EHLO       5yz        HELO       -
    HELO       ok         IDLE       -
    HELO       5yz        CLOSED     unavailable
    STARTTLS   ok         TLS        -
    STARTTLS   4yz        IDLE       -
    STARTTLS   5yz        IDLE       -
    AUTH       ok         IDLE       -
    AUTH       4yz        CLOSED     unavailable
    AUTH       5yz        CLOSED     unavailable
    MAIL       ok         RCPT       -
    MAIL       4yz        RSET       Deferred
    MAIL       5yz        RSET       Refused
    MAIL       421        CLOSED     Deferred
    MAIL       lost       CLOSED     Deferred
    MAIL       garbage    CLOSED     Deferred
    RCPT       ok         DATA       -
    RCPT       4yz        RSET       Deferred
    RCPT       5yz        RSET       Refused
    RCPT       421        CLOSED     Deferred
    RCPT       lost       CLOSED     Deferred
    RCPT       garbage    CLOSED     Deferred
    DATA       ok         FINAL      -
    DATA       4yz        RSET       Deferred
    DATA       5yz        RSET       Refused
    DATA       421        CLOSED     Deferred
    DATA       lost       CLOSED     Deferred
    DATA       garbage    CLOSED     Deferred
    FINAL      ok         IDLE       Sent
    FINAL      4yz        IDLE       Deferred
    FINAL      5yz        IDLE       Refused
    FINAL      421        CLOSED     Deferred
    FINAL      lost       CLOSED     Unknown
    FINAL      garbage    CLOSED     Unknown
    EMPTY      ok         RSET       -
    EMPTY      5yz        RSET       -
    RSET       ok         IDLE       -
    RSET       5yz        CLOSED     -
    IDLE       ok         CLOSED     -
    IDLE       421        CLOSED     -
    QUIT       ok         CLOSED     -
    QUIT       lost       CLOSED     -

EMPTY is the empty message end for a peer that answers 354 although the only recipient was refused. MAIL
and RCPT with pipelined commands behind them read the answers to those before RSET. FINAL before the body
has left us (``flushed`` is false) counts as not written: lost there is Deferred.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from postroom.delivery.outcome import Attempt, Deferred, Outcome, Refused, Sent, Stage, Unknown
from postroom.delivery.smtp.dialogue import Dialogue, Event, Finished
from postroom.delivery.smtp.envelope import Mail, body_fault, dot_stuffed, envelope_fault
from postroom.delivery.smtp.handshake import Handshake
from postroom.delivery.smtp.remainder import MOST_RECIPIENTS, is_too_many
from postroom.delivery.smtp.reply import Reply, ReplyParser, printable
from postroom.delivery.smtp.state import AWAITED, STAGES, State
from postroom.delivery.smtp.target import SmtpTarget

CLOSING: Final = 421


class Session(Dialogue):
    """One connection's dialogue. ``helo`` is our own name."""

    def __init__(self, target: SmtpTarget, *, helo: str) -> None:
        super().__init__(target, helo=helo)
        self.flushed = True
        """Whether all that was taken by ``take_output`` has left; kept by the shell."""
        self.replies = 0
        """Complete replies seen: the shell's sign of progress."""
        self._parser = ReplyParser()
        self._handshake = Handshake(self)
        self._mail: Mail | None = None
        self._shaken = False
        self._open = False
        self._answered = False
        self._data_sent_ahead = False
        self._named: Sequence[str] = ()
        """The recipients of this transaction."""
        self._recipient = 0
        self._accepted = 0
        self._failed = False
        self._refused: list[tuple[str, str]] = []
        self._left: list[str] = []
        self._sender = ""
        self._mail_from = b"MAIL FROM:<>"

    # -- what the shell calls

    @property
    def busy(self) -> bool:
        """Whether a transaction is still without its outcome."""
        return self._open

    def receive(self, data: bytes) -> list[Event]:
        """Take in bytes from the peer."""
        state = self.state
        if state is State.TLS or state is State.CLOSED:
            return []
        parser = self._parser
        handlers = self._HANDLERS
        for reply in parser.feed(data):
            self.replies += 1
            if self.output:
                # The command that this would answer has not even been written.
                self._break_off(f"the peer sent {reply.text[:200]!r} too early")
            elif reply.code == CLOSING:
                self._closing(reply)
            else:
                handlers[self.state](self, reply)
            if self.state is State.TLS:
                # Bytes behind the answer to STARTTLS came in clear text: anybody may have written them
                # (CVE-2011-0411). They are dropped with the parser.
                self._parser = ReplyParser()
                return self.take_events()
            if self.state is State.CLOSED:
                return self.take_events()
        if parser.fault is not None:
            self._break_off(f"the peer sent {parser.fault}; awaited was {self._awaited()}")
        elif (self.output or self.state is State.IDLE) and parser.pending:
            self._break_off("the peer sent half a reply too early")
        if self.state is State.IDLE:
            self._shaken = True
        return self.take_events()

    def begin(self, mail: Mail) -> Outcome | None:
        """Start a transaction; only when IDLE. An outcome means: refused here, nothing was written."""
        if self.state is not State.IDLE:
            raise RuntimeError(f"a transaction can begin in IDLE only, not in {self.state.name}")
        self._refused.clear()
        refusal = self._refusal(mail)
        if refusal is not None:
            return refusal
        self._mail = mail
        self._open = True
        self._answered = self._failed = False
        self._recipient = self._accepted = 0
        self._left.clear()
        extensions = self.extensions
        lines = self._mail_command(mail)
        recipients = mail.recipients
        if len(recipients) > 1:
            recipients = recipients[: min(MOST_RECIPIENTS, extensions.recipient_limit or MOST_RECIPIENTS)]
        self._named = recipients
        if extensions.pipelining:
            for recipient in recipients:
                lines += b"RCPT TO:<%b>\r\n" % recipient.encode()
            self._data_sent_ahead = len(recipients) == 1
            if self._data_sent_ahead:
                lines += b"DATA\r\n"
        else:
            self._data_sent_ahead = False
        self.output += lines
        self.state = State.MAIL
        return None

    def tls_started(self, facts: str) -> list[Event]:
        """The connection is encrypted now; everything learned before is forgotten (RFC 3207 §4.2)."""
        self.tls = facts
        self._parser = ReplyParser()
        self._handshake.tls_started()
        return self.take_events()

    def lost(self, reason: str) -> list[Event]:
        """The connection is gone, or is to be given up because of a time-out."""
        if self.state is not State.CLOSED:
            unfinished = self.state is State.FINAL and not self.flushed
            self._break_off(
                f"{reason} while {'the body was being sent' if unfinished else f'waiting for {self._awaited()}'}"
            )
        return self.take_events()

    def quit(self) -> None:
        """Say goodbye; only when IDLE."""
        if self.state is State.IDLE:
            self.say(b"QUIT\r\n", State.QUIT)

    def _shake(self, reply: Reply) -> None:
        self._handshake.hear(reply)

    # -- a transaction

    def _refusal(self, mail: Mail) -> Refused | None:
        if fault := envelope_fault(mail):
            return Refused(code=553, enhanced="5.1.3", text=printable(f"not sent: {fault}"), stage="mail")
        if fault := body_fault(mail.data):
            return Refused(code=554, enhanced="5.6.0", text=f"not sent: {fault}", stage="data")
        lack = self.extensions.lack(mail)
        if lack is not None:
            return self.attempt(Refused, None, f"not sent: {lack.text}", "mail", lack.code, lack.enhanced)
        return None

    def _mail_command(self, mail: Mail) -> bytes:
        if mail.sender != self._sender:
            self._sender = mail.sender
            self._mail_from = b"MAIL FROM:<%b>" % mail.sender.encode()
        extensions = self.extensions
        line = self._mail_from
        if extensions.size:
            line += b" SIZE=%d" % len(mail.data)
        if extensions.eight_bit and not mail.data.isascii():
            line += b" BODY=8BITMIME"
        if mail.smtputf8:
            line += b" SMTPUTF8"
        return line + b"\r\n"

    def _mail_reply(self, reply: Reply) -> None:
        self._answered = True
        kind = reply.code // 100
        if kind == 2:
            self.state = State.RCPT
            self._name_recipient(0)
        elif kind == 3:
            self._unexpected(reply)
        else:
            self._fail(reply, "mail")
            if self.extensions.pipelining:
                self.state = State.RCPT
            else:
                self._reset()

    def _rcpt(self, reply: Reply) -> None:
        kind = reply.code // 100
        if kind == 2:
            self._accepted += 1
        elif kind == 3:
            self._unexpected(reply)
            return
        elif not self._failed:
            self._not_accepted(reply)
        self._recipient += 1
        if self._recipient < len(self._named):
            if self.extensions.pipelining:
                return
            if not (self._failed or self._left):
                self._name_recipient(self._recipient)
                return
        if not (self._accepted or self._failed):
            self._fail(reply, "rcpt")
        if self._data_sent_ahead:
            self.state = State.DATA
        elif self._failed:
            self._reset()
        else:
            self.say(b"DATA\r\n", State.DATA)

    def _not_accepted(self, reply: Reply) -> None:
        recipient = self._named[self._recipient]
        if self._accepted and is_too_many(reply):
            self._left.append(recipient)
        elif self._recipient == 0 and not self._to_copies:
            self._fail(reply, "rcpt")
        else:
            self._refused.append((recipient, reply.text))

    def _data(self, reply: Reply) -> None:
        assert self._mail is not None
        kind = reply.code // 100
        if self._failed:
            if kind == 3:
                self.say(b".\r\n", State.EMPTY)
            else:
                self._reset()
        elif kind == 3:
            self.say(dot_stuffed(self._mail.data) + b".\r\n", State.FINAL)
        elif kind == 2:
            self._unexpected(reply)
        else:
            self._fail(reply, "data")
            self._reset()

    def _final(self, reply: Reply) -> None:
        kind = reply.code // 100
        if kind == 3 or (kind == 2 and not self.flushed):
            self._unexpected(reply)
            return
        self._finish(_BY_CLASS[kind], reply, "final")
        # A refusal while the body is still on its way leaves the two sides out of step.
        self.state = State.IDLE if self.flushed else State.CLOSED

    def _empty(self, reply: Reply) -> None:
        self._reset()

    def _reset_reply(self, reply: Reply) -> None:
        self.state = State.IDLE if reply.code // 100 == 2 else State.CLOSED

    def _unasked(self, reply: Reply) -> None:
        self._break_off(f"the peer sent {reply.text[:200]!r} unasked")

    def _goodbye(self, reply: Reply) -> None:
        self.state = State.CLOSED

    # -- endings

    def _closing(self, reply: Reply) -> None:
        """421 says at any time that the peer closes the connection (RFC 5321 §3.8)."""
        state = self.state
        if self._open:
            self._finish(Deferred, reply, STAGES[state])
        elif not self._shaken:
            self.unavailable(reply)
        self.state = State.CLOSED

    def _unexpected(self, reply: Reply) -> None:
        self._break_off(f"the peer answered {reply.text[:200]!r} instead of {self._awaited()}")

    def _break_off(self, reason: str) -> None:
        """No reply can be trusted any more, or none will come."""
        state = self.state
        if self._open:
            if state is not State.FINAL:
                self._finish(Deferred, None, STAGES[state], reason)
            elif self.flushed and not self.output:
                self._finish(Unknown, None, "final", reason)
            else:
                self._finish(Deferred, None, "body", reason)
        elif not self._shaken:
            self.give_up(reason, STAGES[state])
        self.output = b""
        self.state = State.CLOSED

    def _fail(self, reply: Reply, stage: Stage) -> None:
        self._failed = True
        self._finish(_BY_CLASS[reply.code // 100], reply, stage)

    def _finish(
        self, kind: type[Sent | Deferred | Refused | Unknown], reply: Reply | None, stage: Stage, text: str = ""
    ) -> None:
        self._open = False
        untouched = not self._answered and (reply is None or reply.code == CLOSING)
        assert self._mail is not None
        left = self._leftover(kind, stage) if len(self._mail.recipients) > 1 else ()
        refused = tuple(self._refused) if self._refused and (kind is Sent or self._to_copies) else ()
        self.events.append(Finished(self.attempt(kind, reply, text, stage, refused=refused), untouched, left))

    # -- small parts

    @property
    def _to_copies(self) -> bool:
        return self._mail is not None and not self._mail.first_decides

    def _leftover(self, kind: type[Attempt], stage: Stage) -> tuple[str, ...]:
        """Who wants a further transaction: those behind a recipient that was taken, or behind copies that all were
        refused. Each time somebody is done with."""
        assert self._mail is not None
        if kind is Sent or (self._to_copies and stage == "rcpt" and self._recipient == len(self._named)):
            return (*self._left, *self._mail.recipients[self._recipient :])
        return ()

    def _name_recipient(self, position: int) -> None:
        """The next RCPT, unless it was written ahead."""
        if not self.extensions.pipelining:
            self.output += b"RCPT TO:<%b>\r\n" % self._named[position].encode()

    def _reset(self) -> None:
        self.say(b"RSET\r\n", State.RSET)

    def _awaited(self) -> str:
        return AWAITED[self.state]

    _HANDLERS: ClassVar[dict[State, Callable[[Session, Reply], None]]] = {
        State.GREETING: _shake,
        State.EHLO: _shake,
        State.HELO: _shake,
        State.STARTTLS: _shake,
        State.AUTH: _shake,
        State.IDLE: _unasked,
        State.MAIL: _mail_reply,
        State.RCPT: _rcpt,
        State.DATA: _data,
        State.FINAL: _final,
        State.EMPTY: _empty,
        State.RSET: _reset_reply,
        State.QUIT: _goodbye,
    }


_BY_CLASS: Final[dict[int, type[Sent | Deferred | Refused]]] = {2: Sent, 4: Deferred, 5: Refused}
