"""Transactions of a session, and what no peer can make it do."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.delivery.smtp.test_envelope import Letter

from postroom.delivery.outcome import Attempt, Deferred, Outcome, Refused, Sent, Unknown
from postroom.delivery.smtp.dialogue import Event, Finished, Unavailable
from postroom.delivery.smtp.session import Session
from postroom.delivery.smtp.state import State
from postroom.delivery.smtp.target import Credentials, LoginMethod, SmtpTarget, TlsMode

LOGIN = Credentials("ann", "secret")
THREE = ("to@example.com", "cc@example.com", "bcc@example.com")
BODY = Letter().data


def ready(*extensions: bytes, target: SmtpTarget | None = None) -> Session:
    """A session after its handshake."""
    session = Session(target or SmtpTarget("mx.example.com"), helo="me.example.com")
    session.address = "192.0.2.1:25"
    session.receive(b"220 mx ESMTP\r\n")
    assert session.take_output() == b"EHLO me.example.com\r\n"
    lines = [b"mx.example.com", *extensions]
    session.receive(b"".join(b"250-" + line + b"\r\n" for line in lines[:-1]) + b"250 " + lines[-1] + b"\r\n")
    assert session.state is State.IDLE
    assert session.take_output() == b""
    return session


def outcomes(events: Sequence[Event]) -> list[Outcome]:
    return [event.outcome for event in events if isinstance(event, Finished)]


def talk(session: Session, *replies: bytes) -> tuple[list[bytes], list[Outcome]]:
    """Give one reply (or several in one piece) after the other; what was written, and the outcomes."""
    written, found = [session.take_output()], []
    for reply in replies:
        found += outcomes(session.receive(reply))
        written.append(session.take_output())
    return written, found


def test_one_recipient_with_pipelining_takes_two_writes() -> None:
    session = ready(b"PIPELINING", b"SIZE 1000", b"8BITMIME")
    assert session.begin(Letter()) is None
    written, found = talk(session, b"250 a\r\n250 b\r\n354 c\r\n", b"250 2.0.0 queued as 7\r\n")
    assert written == [
        b"MAIL FROM:<shop@example.com> SIZE=%d\r\nRCPT TO:<ann@example.com>\r\nDATA\r\n" % len(BODY),
        BODY + b".\r\n",
        b"",
    ]
    assert found == [Sent(250, "2.0.0", "250 2.0.0 queued as 7", "mx.example.com", "192.0.2.1:25", "", "final", ())]
    assert session.state is State.IDLE


def test_without_pipelining_each_command_waits_for_its_answer() -> None:
    session = ready()
    session.begin(Letter(recipients=THREE[:2]))
    written, found = talk(session, b"250 a\r\n", b"250 b\r\n", b"250 c\r\n", b"354 d\r\n", b"250 e\r\n")
    assert written == [
        b"MAIL FROM:<shop@example.com>\r\n",
        b"RCPT TO:<to@example.com>\r\n",
        b"RCPT TO:<cc@example.com>\r\n",
        b"DATA\r\n",
        BODY + b".\r\n",
        b"",
    ]
    assert [type(outcome) for outcome in found] == [Sent]


def test_several_recipients_hold_data_back_until_the_first_is_accepted() -> None:
    session = ready(b"PIPELINING")
    session.begin(Letter(recipients=THREE))
    written, found = talk(session, b"250 a\r\n250 b\r\n550 5.1.1 no cc\r\n450 no bcc\r\n", b"354 d\r\n", b"250 e\r\n")
    assert written[0].endswith(b"RCPT TO:<bcc@example.com>\r\n")
    assert written[1:3] == [b"DATA\r\n", BODY + b".\r\n"]
    (outcome,) = found
    assert isinstance(outcome, Sent)
    assert outcome.refused_recipients == (
        ("cc@example.com", "550 5.1.1 no cc"),
        ("bcc@example.com", "450 no bcc"),
    )


@pytest.mark.parametrize(("extensions", "asked"), [((), 2), ((b"PIPELINING",), 3)])
def test_recipients_that_are_too_many_are_left_to_another_transaction(
    extensions: tuple[bytes, ...], asked: int
) -> None:
    session = ready(*extensions)
    session.begin(Letter(recipients=THREE))
    replies = [b"250 a\r\n", b"250 b\r\n", *[b"452 4.5.3 too many\r\n"] * (asked - 1)]
    written, found = talk(session, *([b"".join(replies)] if extensions else replies))
    assert (b"".join(written).count(b"RCPT"), found) == (asked, [])
    assert written[-1] == b"DATA\r\n"
    session.receive(b"354 d\r\n")
    session.take_output()
    (event,) = session.receive(b"250 e\r\n")
    assert isinstance(event, Finished)
    assert isinstance(event.outcome, Sent)
    assert event.outcome.refused_recipients == ()
    assert event.left == THREE[1:]


@pytest.mark.parametrize("extensions", [(), (b"PIPELINING",)])
def test_a_refused_first_recipient_decides_for_all(extensions: tuple[bytes, ...]) -> None:
    session = ready(*extensions)
    session.begin(Letter(recipients=THREE))
    replies = b"250 a\r\n550 5.1.1 no\r\n250 cc\r\n250 bcc\r\n"
    written, found = talk(session, replies) if extensions else talk(session, b"250 a\r\n", b"550 5.1.1 no\r\n")
    assert written[-1] == b"RSET\r\n"
    (outcome,) = found
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.enhanced, outcome.stage) == (550, "5.1.1", "rcpt")
    talk(session, b"250 flushed\r\n")
    assert session.state is State.IDLE


def test_a_354_after_the_only_recipient_was_refused_gets_an_empty_message() -> None:
    session = ready(b"PIPELINING")
    session.begin(Letter())
    written, found = talk(session, b"250 a\r\n450 4.2.1 busy\r\n354 go\r\n", b"250 took nothing\r\n", b"250 reset\r\n")
    assert written[1:] == [b".\r\n", b"RSET\r\n", b""]
    (outcome,) = found
    assert isinstance(outcome, Deferred)
    assert (outcome.code, outcome.enhanced, outcome.stage) == (450, "4.2.1", "rcpt")
    assert session.state is State.IDLE


def test_the_next_mail_knows_nothing_of_the_refused_one_before() -> None:
    session = ready(b"PIPELINING")
    session.begin(Letter(recipients=THREE))
    talk(session, b"250 a\r\n250 b\r\n550 cc\r\n550 bcc\r\n", b"354 d\r\n", b"250 e\r\n")
    session.begin(Letter())
    _, found = talk(session, b"250 a\r\n250 b\r\n354 c\r\n", b"250 d\r\n")
    assert isinstance(found[0], Sent)
    assert found[0].refused_recipients == ()


def test_too_large_for_the_peer_is_refused_without_a_word() -> None:
    session = ready(b"SIZE 10")
    refusal = session.begin(Letter())
    assert isinstance(refusal, Refused)
    assert (refusal.code, refusal.enhanced, refusal.stage) == (552, "5.3.4", "mail")
    assert session.take_output() == b""
    assert session.state is State.IDLE


def test_smtputf8_mail_needs_a_peer_that_takes_it() -> None:
    letter = Letter(recipients=("jürgen@bücher.example",), smtputf8=True)
    refusal = ready(b"8BITMIME").begin(letter)
    assert isinstance(refusal, Refused)
    assert refusal.enhanced == "5.6.7"
    session = ready(b"SMTPUTF8", b"8BITMIME")
    assert session.begin(letter) is None
    assert session.take_output() == b"MAIL FROM:<shop@example.com> SMTPUTF8\r\n"
    written, _ = talk(session, b"250 a\r\n")
    assert written[-1] == "RCPT TO:<jürgen@bücher.example>\r\n".encode()


def test_eight_bit_mail_is_announced_or_refused() -> None:
    letter = Letter(data=b"Subject: x\r\n\r\n\xc3\xa9\r\n")
    refusal = ready().begin(letter)
    assert isinstance(refusal, Refused)
    assert refusal.enhanced == "5.6.3"
    session = ready(b"8BITMIME")
    assert session.begin(letter) is None
    assert session.take_output() == b"MAIL FROM:<shop@example.com> BODY=8BITMIME\r\n"


@pytest.mark.parametrize(
    "letter",
    [
        Letter(recipients=("ann@example.com>\r\nRCPT TO:<victim@example.com",)),
        Letter(sender="shop@example.com>\r\nDATA\r\n"),
        Letter(data=b"Subject: x\r\n\r\nhi\n.\r\nMAIL FROM:<evil@example.com>\r\n"),
    ],
)
def test_smtp_injection_by_envelope_or_body_never_touches_the_wire(letter: Letter) -> None:
    session = ready(b"PIPELINING")
    refusal = session.begin(letter)
    assert isinstance(refusal, Refused)
    assert refusal.text.startswith("not sent: ")
    assert refusal.text.isprintable()
    assert session.take_output() == b""
    assert session.state is State.IDLE


def test_smtp_smuggling_by_a_dot_line_is_stuffed_on_the_wire() -> None:
    session = ready(b"PIPELINING")
    session.begin(Letter(data=b"Subject: x\r\n\r\nhi\r\n.\r\nMAIL FROM:<evil@example.com>\r\n"))
    written, _ = talk(session, b"250 a\r\n250 b\r\n354 c\r\n")
    assert written[-1].count(b"\r\n.\r\n") == 1
    assert b"\r\n..\r\nMAIL" in written[-1]


@pytest.mark.parametrize(
    ("heard", "early"),
    [
        ([b"250 a\r\n250 b\r\n354 c\r\n250 done\r\n"], True),
        ([b"250 a\r\n250 b\r\n354 c\r\n25"], True),
        ([b"250 a\r\n250 b\r\n354 c\r\n", b"250 d\r\n"], False),
    ],
)
def test_answers_ahead_of_the_body_attack_cannot_fake_a_delivery(heard: list[bytes], early: bool) -> None:
    session = ready(b"PIPELINING")
    session.begin(Letter())
    written, found = talk(session, *heard)
    assert isinstance(found[0], Deferred if early else Sent)
    assert (BODY + b".\r\n" in written) == (not early)


@pytest.mark.parametrize("extra", [b"250 again\r\n", b"25", b"garbage\r\n"])
def test_surplus_answers_attack_cannot_answer_for_the_next_mail(extra: bytes) -> None:
    session = ready(b"PIPELINING")
    session.begin(Letter())
    _, found = talk(session, b"250 a\r\n250 b\r\n354 c\r\n", b"250 done\r\n" + extra)
    assert [type(outcome) for outcome in found] == [Sent]
    assert session.state is State.CLOSED


def test_lost_with_the_body_still_waiting_is_deferred_and_after_it_unknown() -> None:
    for flushed, kind, stage in ((False, Deferred, "body"), (True, Unknown, "final")):
        session = ready(b"PIPELINING")
        session.begin(Letter())
        talk(session, b"250 a\r\n250 b\r\n354 c\r\n")
        session.flushed = flushed
        (outcome,) = outcomes(session.lost("the peer closed it"))
        assert isinstance(outcome, kind)
        assert outcome.stage == stage
        assert outcome.code is None


@pytest.mark.parametrize(
    ("reply", "kind"), [(b"552 too big\r\n", Refused), (b"250 fine\r\n", Deferred), (b"452 full\r\n", Deferred)]
)
def test_an_answer_while_the_body_is_on_its_way_ends_the_connection(reply: bytes, kind: type[Attempt]) -> None:
    session = ready(b"PIPELINING")
    session.begin(Letter())
    talk(session, b"250 a\r\n250 b\r\n354 c\r\n")
    session.flushed = False
    (outcome,) = outcomes(session.receive(reply))
    assert isinstance(outcome, kind)
    assert session.state is State.CLOSED


def test_only_a_transaction_without_an_answer_is_untouched() -> None:
    session = ready(b"PIPELINING")
    session.begin(Letter())
    (event,) = session.lost("gone")
    assert isinstance(event, Finished)
    assert event.untouched
    session = ready(b"PIPELINING")
    session.begin(Letter())
    session.take_output()
    session.receive(b"250 a\r\n")
    (event,) = session.lost("gone")
    assert isinstance(event, Finished)
    assert not event.untouched


# Any peer at all: replies that nearly fit, garbage, cuts anywhere, loss at any moment.
REPLIES = st.sampled_from(
    [
        b"220 hi\r\n",
        b"250 ok\r\n",
        b"250-mx\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 AUTH PLAIN XOAUTH2\r\n",
        b"250-mx\r\n250 SIZE 5000\r\n",
        b"250 a\r\n250 b\r\n354 c\r\n",
        b"235 in\r\n",
        b"334 \r\n",
        b"354 go\r\n",
        b"354 go\n250 ok\n",
        b"421 bye\r\n",
        b"450 later\r\n",
        b"550-no\r\n550 never\r\n",
        b"999 what\r\n",
        b"\0",
        b"2",
    ]
)
STEPS = st.lists(
    st.one_of(
        REPLIES,
        st.binary(max_size=12),
        st.sampled_from(["begin", "begin-three", "lost", "quit", "tls", "pause", "resume"]),
    ),
    max_size=25,
)


@given(
    STEPS,
    st.sampled_from(
        [
            SmtpTarget("h"),
            SmtpTarget("h", tls=TlsMode.REQUIRED),
            SmtpTarget("h", credentials=LOGIN, cleartext_auth=True),
            SmtpTarget("h", credentials=Credentials("a", "t" * 600, LoginMethod.XOAUTH2), cleartext_auth=True),
        ]
    ),
    st.booleans(),
)
def test_any_replies_and_cuts_give_exactly_one_outcome_per_mail(
    steps: list[bytes | str], target: SmtpTarget, well_begun: bool
) -> None:
    session = Session(target, helo="me")
    events: list[Event] = []
    begun = ended = 0
    if well_begun:
        events += session.receive(b"220 hi\r\n")
        session.take_output()
        events += session.receive(b"250-mx\r\n250 PIPELINING\r\n")
        session.take_output()
    for step in steps:
        if isinstance(step, bytes):
            events += session.receive(step)
        elif step.startswith("begin") and session.state is State.IDLE:
            refusal = session.begin(Letter(recipients=THREE) if step == "begin-three" else Letter())
            begun += 1
            ended += refusal is not None
        elif step == "lost":
            events += session.lost("gone")
        elif step == "quit":
            session.quit()
        elif step == "tls" and session.state is State.TLS:
            events += session.tls_started("TLSv1.3 X")
        elif step in ("pause", "resume"):
            session.flushed = step == "resume"
        session.take_output()
        assert session.busy == (begun - ended - len(outcomes(events)) == 1)
    events += session.lost("the end")
    assert session.state is State.CLOSED
    assert session.receive(b"250 late\r\n") == []
    assert len(outcomes(events)) + ended == begun
    assert sum(isinstance(event, Unavailable) for event in events) <= 1
    for outcome in outcomes(events):
        assert outcome.text.isprintable()
        assert outcome.stage
