"""The receiving side of SMTP: replies, phases, limits, and that only CRLF.CRLF ends a mail."""

from __future__ import annotations

import base64
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.inbound import smtp_grammar
from postroom.inbound.smtp_grammar import Arrival, Manner, Phase, Session

STORED = "250 2.0.0 Ok"
ENVELOPE = b"EHLO c\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n"


ANYTHING = Manner(greeting="Test", about="Every address is taken", auth=True)


def session(max_message_bytes: int = 10_000, max_recipients: int = 1000, manner: Manner = ANYTHING) -> Session:
    return Session("mx.test", manner, max_message_bytes=max_message_bytes, max_recipients=max_recipients)


def converse(smtp: Session, *pieces: bytes) -> tuple[bytes, list[Arrival]]:
    """Everything the server says, every mail it takes (each stored at once)."""
    said, mails = b"", []
    for piece in pieces:
        step = smtp.receive(piece)
        said += step.reply
        while step.mail is not None:
            mails.append(step.mail)
            step = smtp.settle(STORED)
            said += step.reply
    return said, mails


def codes(said: bytes) -> list[str]:
    """The code of each reply, continuation lines left out."""
    return [line[:3].decode() for line in said.split(b"\r\n") if line and line[3:4] != b"-"]


def say(smtp: Session, line: str) -> str:
    """One command and its last reply line."""
    said, _ = converse(smtp, line.encode() + b"\r\n")
    return said.decode().rstrip("\r\n").rsplit("\r\n", 1)[-1]


def test_a_pipelined_mail() -> None:
    said, mails = converse(session(), ENVELOPE + b"Subject: x\r\n\r\nhi\r\n.\r\nQUIT\r\n")
    assert codes(said) == ["250", "250", "250", "354", "250", "221"]
    assert mails == [Arrival("a@example.com", ("b@example.com",), b"Subject: x\r\n\r\nhi\r\n")]


def test_ehlo_names_what_is_offered_and_not_starttls() -> None:
    said, _ = converse(session(), b"EHLO client\r\n")
    assert said.split(b"\r\n")[:-1] == [
        b"250-mx.test",
        b"250-PIPELINING",
        b"250-SIZE 10000",
        b"250-8BITMIME",
        b"250-SMTPUTF8",
        b"250-AUTH PLAIN LOGIN",
        b"250 ENHANCEDSTATUSCODES",
    ]


def test_several_mails_over_one_connection_keep_their_envelopes_apart() -> None:
    smtp = session()
    _, mails = converse(smtp, ENVELOPE + b"one\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<c@example.com>\r\nDATA\r\ntwo\r\n.\r\n")
    assert [(m.sender, m.recipients, m.raw) for m in mails] == [
        ("a@example.com", ("b@example.com",), b"one\r\n"),
        ("", ("c@example.com",), b"two\r\n"),
    ]


def test_nothing_is_answered_while_a_mail_waits_for_its_answer() -> None:
    smtp = session()
    step = smtp.receive(ENVELOPE + b"one\r\n.\r\nNOOP\r\n")
    assert step.mail is not None
    assert codes(step.reply)[-1] == "354"
    assert smtp.receive(b"NOOP\r\n").reply == b""
    assert codes(smtp.settle("451 4.3.0 not stored").reply) == ["451", "250", "250"]


def test_settle_without_a_mail_is_a_mistake() -> None:
    with pytest.raises(RuntimeError, match="no mail is waiting"):
        session().settle(STORED)


@pytest.mark.parametrize(
    ("content", "stored"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b".a\r\n...b\r\n.\r\n", b"a\r\n..b\r\n"),
        (b"x.\r\n.\r\n", b"x.\r\n"),
        (b"a\r\n\r\n..\r\n\r\n.\r\n", b"a\r\n\r\n.\r\n\r\n"),
    ],
)
def test_dots_in_front_of_lines_are_unstuffed(content: bytes, stored: bytes) -> None:
    _, mails = converse(session(), ENVELOPE + content)
    assert [mail.raw for mail in mails] == [stored]


@pytest.mark.parametrize(
    "fake_end", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r\n\0.\r\n"]
)
def test_smuggled_mail_behind_a_fake_end_of_data_stays_content(fake_end: bytes) -> None:
    smuggled = b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\nowned\r\n"
    said, mails = converse(session(), ENVELOPE + b"hello" + fake_end + smuggled + b".\r\nNOOP\r\n")
    assert len(mails) == 1
    assert mails[0].recipients == ("b@example.com",)
    assert b"evil@example.com" in mails[0].raw
    assert codes(said) == ["250", "250", "250", "354", "250", "250"]


def test_smuggled_command_behind_a_bare_line_feed_ends_the_connection() -> None:
    smtp = session()
    said, mails = converse(smtp, b"EHLO c\r\nNOOP\nMAIL FROM:<evil@example.com>\r\nNOOP\r\n")
    assert codes(said) == ["250", "500"]
    assert smtp.phase is Phase.CLOSED
    assert mails == []


def test_injected_carriage_return_or_nul_in_a_command_is_refused() -> None:
    smtp = session()
    for line in (b"NOOP\rMAIL FROM:<e@example.com>\r\n", b"NOOP \0\r\n"):
        assert codes(converse(smtp, line)[0]) == ["500"]


def test_cross_protocol_http_post_from_a_browser_is_hung_up_on() -> None:
    smtp = session()
    request = b"POST / HTTP/1.1\r\nHost: localhost:1025\r\n\r\nEHLO x\r\nMAIL FROM:<a@b>\r\n"
    said, mails = converse(smtp, request)
    assert codes(said) == ["421"]
    assert smtp.phase is Phase.CLOSED
    assert mails == []


# -- size -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [None, 10])
@pytest.mark.parametrize("cut", [1, 2, 3, 7, 50, 10_000])
@pytest.mark.parametrize(("size", "code"), [(100, "250"), (101, "552"), (102, "552"), (103, "552"), (5000, "552")])
def test_size_limit_is_exact_however_the_stream_is_cut(size: int, code: str, cut: int, keep: int | None) -> None:
    smtp = session(max_message_bytes=100, manner=replace(ANYTHING, keep_bytes=keep))
    stream = b"x" * (size - 2) + b"\r\n.\r\nNOOP\r\n"
    converse(smtp, ENVELOPE)
    said, mails = converse(smtp, *(stream[at : at + cut] for at in range(0, len(stream), cut)))
    assert codes(said) == [code, "250"]
    assert [len(mail.raw) for mail in mails] == ([keep or size] if code == "250" else [])


def test_endless_mail_does_not_fill_the_memory() -> None:
    smtp = session(max_message_bytes=1000)
    converse(smtp, ENVELOPE)
    for _ in range(100):
        smtp.receive(b"y" * 1000)
        assert len(smtp._data) <= 2002
    assert codes(converse(smtp, b"\r\n.\r\n")[0]) == ["552"]


def test_announced_size_is_refused_before_the_mail_is_sent() -> None:
    smtp = session()
    say(smtp, "EHLO c")
    assert say(smtp, "MAIL FROM:<a@example.com> SIZE=10001").startswith("552 5.3.4")
    assert say(smtp, "MAIL FROM:<a@example.com> SIZE=10000").startswith("250")


def test_endless_command_line_is_refused_once_and_forgotten() -> None:
    smtp = session()
    for _ in range(50):
        assert smtp.receive(b"A" * 1000).reply == b""
        assert len(smtp._buffer) <= smtp_grammar.MAX_COMMAND_LINE + 1000
    assert codes(converse(smtp, b"\r\nNOOP\r\n")[0]) == ["500", "250"]


def test_too_many_recipients_are_refused_and_the_mail_goes_on() -> None:
    smtp = session(max_recipients=2)
    say(smtp, "EHLO c")
    say(smtp, "MAIL FROM:<a@example.com>")
    replies = [say(smtp, f"RCPT TO:<r{n}@example.com>") for n in range(3)]
    assert [reply[:3] for reply in replies] == ["250", "250", "452"]
    _, mails = converse(smtp, b"DATA\r\nx\r\n.\r\n")
    assert len(mails[0].recipients) == 2


def test_a_client_that_only_errs_is_hung_up_on() -> None:
    smtp = session()
    said, _ = converse(smtp, b"WHAT\r\n" * 50)
    assert codes(said) == ["500"] * smtp_grammar.MAX_ERRORS + ["421"]
    assert smtp.phase is Phase.CLOSED


# -- commands -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("mail from:<a@example.com>", "250 2.1.0"),
        ("MAIL FROM: <a@example.com>", "250 2.1.0"),
        ("MAIL FROM:<>", "250 2.1.0"),
        ("MAIL FROM:<@relay.example,@other.example:a@example.com>", "250 2.1.0"),
        ('MAIL FROM:<"quoted > part"@example.com>', "250 2.1.0"),
        ("MAIL FROM:<a@[192.0.2.1]>", "250 2.1.0"),
        ("MAIL FROM:<a@[IPv6:2001:db8::1]>", "250 2.1.0"),
        ("MAIL FROM:<a@example.com> BODY=8BITMIME SIZE=5 AUTH=<>", "250 2.1.0"),
        ("MAIL FROM:<jürgen@müller.example> SMTPUTF8", "250 2.1.0"),
        ("MAIL FROM:<jürgen@müller.example>", "553 5.6.7"),
        ("MAIL FROM:<a@example.com> BODY=9BIT", "501 5.5.4"),
        ("MAIL FROM:<a@example.com> SIZE=many", "501 5.5.4"),
        ("MAIL FROM:<a@example.com> SMTPUTF8=yes", "501 5.5.4"),
        ("MAIL FROM:<a@example.com> RET=FULL", "555 5.5.4"),
        ("MAIL FROM:a@example.com", "501 5.1.3"),
        ("MAIL FROM:<a@example.com", "501 5.1.3"),
        ("MAIL FROM:<a>", "501 5.1.3"),
        ("MAIL FROM:<a b@example.com>", "501 5.1.3"),
        ("MAIL FROM:<.a@example.com>", "501 5.1.3"),
        ("MAIL FROM:<a@b@example.com>", "501 5.1.3"),
        ("MAIL FROM:<" + "a" * 300 + "@example.com>", "501 5.1.3"),
        ("MAIL TO:<a@example.com>", "501 5.5.4"),
        ("MAIL", "501 5.5.4"),
    ],
)
def test_mail_command(line: str, reply: str) -> None:
    smtp = session()
    say(smtp, "EHLO c")
    assert say(smtp, line).startswith(reply)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("RCPT TO:<b@example.com>", "250 2.1.5"),
        ("RCPT TO:<Postmaster>", "250 2.1.5"),
        ("RCPT TO:<anna+shop@example.com>", "250 2.1.5"),
        ("RCPT TO:<b@[192.0.2.1]>", "250 2.1.5"),
        ("RCPT TO:<b@xn--bcher-kva.example-1.com>", "250 2.1.5"),
        ("RCPT TO:<b@localhost>", "250 2.1.5"),
        ("RCPT TO:<b@->", "501 5.1.3"),
        ("RCPT TO:<b@example..com>", "501 5.1.3"),
        ("RCPT TO:<b@.example.com>", "501 5.1.3"),
        ("RCPT TO:<b@example-.com>", "501 5.1.3"),
        ("RCPT TO:<>", "501 5.1.3"),
        ("RCPT TO:<b@example.com> NOTIFY=NEVER", "555 5.5.4"),
        ("RCPT TO:<ü@example.com>", "553 5.6.7"),
        ("RCPT FROM:<b@example.com>", "501 5.5.4"),
    ],
)
def test_rcpt_command(line: str, reply: str) -> None:
    smtp = session()
    say(smtp, "EHLO c")
    say(smtp, "MAIL FROM:<a@example.com>")
    assert say(smtp, line).startswith(reply)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("STARTTLS", "502 5.5.1"),
        ("EXPN list", "502 5.5.1"),
        ("BDAT 5 LAST", "502 5.5.1"),
        ("VRFY a", "252 2.5.0"),
        ("NOOP anything", "250 2.0.0"),
        ("HELP", "214 2.0.0"),
        ("HELO", "501 5.5.4"),
        ("EHLO", "501 5.5.4"),
        ("HELO c", "250 mx.test"),
        ("RSET now", "501 5.5.4"),
        ("QUIT now", "501 5.5.4"),
        ("DATA now", "501 5.5.4"),
        ("RCPT TO:<b@example.com>", "503 5.5.1"),
        ("DATA", "503 5.5.1"),
        ("", "500 5.5.2"),
        ("WHAT", "500 5.5.2"),
    ],
)
def test_other_commands(line: str, reply: str) -> None:
    smtp = session()
    say(smtp, "EHLO c")
    assert say(smtp, line).startswith(reply)


def test_a_mail_needs_a_greeting_first_and_comes_one_at_a_time() -> None:
    smtp = session()
    assert say(smtp, "MAIL FROM:<a@example.com>").startswith("503")
    say(smtp, "HELO c")
    assert say(smtp, "MAIL FROM:<a@example.com>").startswith("250")
    assert say(smtp, "MAIL FROM:<a@example.com>").startswith("503")


def test_a_command_line_that_is_no_utf8_is_refused() -> None:
    assert codes(converse(session(), b"EHLO \xff\r\n")[0]) == ["500"]


def test_auth_plain_and_login_take_any_credentials() -> None:
    secret = base64.b64encode(b"\0user\0password").decode()
    smtp = session()
    say(smtp, "EHLO c")
    assert say(smtp, f"AUTH PLAIN {secret}").startswith("235")
    assert say(smtp, f"AUTH PLAIN {secret}").startswith("503")
    smtp = session()
    say(smtp, "EHLO c")
    assert say(smtp, "AUTH PLAIN") == "334 "
    assert say(smtp, secret).startswith("235")
    smtp = session()
    say(smtp, "EHLO c")
    assert say(smtp, "AUTH login") == "334 VXNlcm5hbWU6"
    assert say(smtp, "dXNlcg==") == "334 UGFzc3dvcmQ6"
    assert say(smtp, "cGFzcw==").startswith("235")
    smtp = session()
    say(smtp, "EHLO c")
    assert say(smtp, "AUTH LOGIN dXNlcg==") == "334 UGFzc3dvcmQ6"


def test_auth_is_refused_when_cancelled_malformed_or_unknown() -> None:
    smtp = session()
    assert say(smtp, "AUTH PLAIN").startswith("503")
    say(smtp, "EHLO c")
    assert say(smtp, "AUTH CRAM-MD5").startswith("504")
    say(smtp, "AUTH PLAIN")
    assert say(smtp, "*").startswith("501 5.7.0")
    assert say(smtp, "AUTH PLAIN !!!").startswith("501 5.5.2")
    say(smtp, "AUTH LOGIN")
    assert codes(converse(smtp, b"A" * 20_000 + b"\r\nNOOP\r\n")[0]) == ["500", "250"]


# -- the machine ----------------------------------------------------------------------------------------------

REACH = {
    Phase.FRESH: b"",
    Phase.READY: b"EHLO c\r\n",
    Phase.MAIL: b"EHLO c\r\nMAIL FROM:<a@example.com>\r\n",
    Phase.RCPT: b"EHLO c\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n",
}
COMMANDS = {
    "EHLO": b"EHLO c\r\n",
    "HELO": b"HELO c\r\n",
    "MAIL": b"MAIL FROM:<a@example.com>\r\n",
    "RCPT": b"RCPT TO:<b@example.com>\r\n",
    "DATA": b"DATA\r\n",
    "RSET": b"RSET\r\n",
    "QUIT": b"QUIT\r\n",
}


def documented_transitions() -> dict[tuple[Phase, str], Phase]:
    table: dict[tuple[Phase, str], Phase] = {}
    rows = re.findall(r"(?m)^    (\w+) +((?:[A-Z]{4} ?)+?) +(\w+)$", smtp_grammar.__doc__ or "")
    for phase, commands, following in rows:
        for command in commands.split():
            table[Phase(phase), command] = Phase(following)
    for phase in REACH:
        for command in ("EHLO", "HELO"):
            table[phase, command] = Phase.READY
        table[phase, "RSET"] = Phase.FRESH if phase is Phase.FRESH else Phase.READY
        table[phase, "QUIT"] = Phase.CLOSED
    return table


def test_the_machine_is_the_table_of_its_docstring() -> None:
    table = documented_transitions()
    assert (Phase.RCPT, "DATA") in table
    for phase, prefix in REACH.items():
        for command, line in COMMANDS.items():
            smtp = session()
            converse(smtp, prefix)
            assert smtp.phase is phase
            said, _ = converse(smtp, line)
            assert smtp.phase is table.get((phase, command), phase), (phase, command)
            if (phase, command) not in table:
                assert codes(said) == ["503"]


PIECES = st.sampled_from(
    [
        *COMMANDS.values(), b"AUTH PLAIN\r\n", b"AUTH LOGIN\r\n", b"AAAA\r\n", b"*\r\n",
        b"MAIL FROM:<\xc3\xbc@x> SMTPUTF8\r\n",
        b"\r\n.\r\n", b"\r\n..\r\n", b"\n.\n", b"\r", b"\n", b".", b"\0", b"\xff",
        b"NOOP\r\n", b"x" * 50, b"Subject: x\r\n",
    ]
)  # fmt: skip
STREAMS = st.lists(PIECES | st.binary(max_size=20), max_size=30).map(b"".join)


@settings(max_examples=300)
@given(STREAMS, st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_any_stream_gives_the_same_however_it_is_cut(stream: bytes, cuts: list[int]) -> None:
    whole = converse(session(max_message_bytes=60), stream)
    pieces, at, turn = [], 0, 0
    while at < len(stream):
        pieces.append(stream[at : at + cuts[turn % len(cuts)]])
        at += cuts[turn % len(cuts)]
        turn += 1
    assert converse(session(max_message_bytes=60), *pieces) == whole
    said, mails = whole
    assert said == b"" or said.endswith(b"\r\n")
    assert all(re.fullmatch(rb"[2-5]\d\d[ -][^\r\n]*", line) for line in said.split(b"\r\n")[:-1])
    assert all(len(mail.raw) <= 60 and mail.recipients for mail in mails)


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_a_stuffed_mail_arrives_as_it_was(content: bytes) -> None:
    content += b"\r\n"
    stuffed = (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:]
    _, mails = converse(session(), ENVELOPE + stuffed + b".\r\n")
    assert [mail.raw for mail in mails] == [content]


def test_a_server_without_auth_neither_offers_nor_takes_it() -> None:
    smtp = session(manner=Manner(greeting="", about=""))
    said, _ = converse(smtp, b"EHLO c\r\n")
    assert b"AUTH" not in said
    assert say(smtp, "AUTH PLAIN AGEAYg==").startswith("502")


def test_a_refusal_with_421_ends_the_connection() -> None:
    manner = Manner(greeting="", about="", refusal=lambda address: "421 4.3.2 Busy" if "busy" in address else None)
    smtp = session(manner=manner)
    step = smtp.receive(
        b"EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<x@b.example>\r\nRCPT TO:<busy@b.example>\r\nDATA\r\n"
    )
    assert step.close
    assert step.reply.endswith(b"250 2.1.5 Ok\r\n421 4.3.2 Busy\r\n")
    assert smtp.receive(b"NOOP\r\n").reply == b""


def test_a_recipient_that_is_not_taken_is_refused_with_the_manner_s_reply() -> None:
    def refusal(address: str) -> str | None:
        return None if address == "good@example.com" else "550 5.1.1 Nobody here"

    smtp = session(manner=Manner(greeting="", about="", refusal=refusal))
    converse(smtp, b"EHLO c\r\nMAIL FROM:<>\r\n")
    assert say(smtp, "RCPT TO:<bad@example.com>") == "550 5.1.1 Nobody here"
    assert smtp.phase is Phase.MAIL
    assert say(smtp, "RCPT TO:<Postmaster>").startswith("250")
    assert say(smtp, "RCPT TO:<good@example.com>").startswith("250")


@pytest.mark.parametrize("piece", [1, 7, 10_000])
@pytest.mark.parametrize("size", [90, 100, 101, 300])
def test_of_a_long_mail_only_the_beginning_is_kept(size: int, piece: int) -> None:
    smtp = session(manner=Manner(greeting="", about="", keep_bytes=100))
    content = b".." + b"x" * (size - 3) + b"\r\n"
    stream = ENVELOPE + content + b".\r\n" + ENVELOPE.removeprefix(b"EHLO c\r\n") + b"next\r\n.\r\nQUIT\r\n"
    said, mails = converse(smtp, *(stream[at : at + piece] for at in range(0, len(stream), piece)))
    assert [mail.raw for mail in mails] == [content[:100].removeprefix(b"."), b"next\r\n"]
    assert codes(said)[-1] == "221"


def test_starttls_injection_what_follows_in_clear_text_is_thrown_away() -> None:
    smtp = session(manner=Manner(greeting="", about="", starttls=True))
    said, _ = converse(smtp, b"EHLO c\r\nMAIL FROM:<a@example.com>\r\n")
    assert b"250-STARTTLS\r\n" in said
    step = smtp.receive(b"STARTTLS\r\nRCPT TO:<b@example.com>\r\nNOOP\r\n")
    assert (codes(step.reply), step.starttls) == (["220"], True)
    assert smtp.phase is Phase.FRESH, "nothing that was said before counts"
    said, _ = converse(smtp, b"EHLO c\r\n")
    assert b"STARTTLS" not in said
    assert say(smtp, "STARTTLS").startswith("502")
    assert say(smtp, "RCPT TO:<b@example.com>").startswith("503")
