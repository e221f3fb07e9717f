"""What mails to the return path say, and that no bytes do harm."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.bounces.mails import (
    EXCHANGE,
    EXIM_ITSELF,
    EXIM_NEW,
    EXIM_OLD,
    QMAIL,
    REPLY,
    RETURNED,
    TOKEN,
    VACATION,
    WORDS,
    complaint,
    crlf,
    postfix,
)

from postroom.bounces.report import MOST_BYTES, Complaint, Failed, Failure, Nothing, Report, read_report
from postroom.bounces.verdict import Reply, read_rules

RULES = read_rules()


def category(report: Report) -> str:
    assert isinstance(report, Failure)
    (failed,) = report.failed
    return RULES.judge(Reply(failed.text, failed.status)).category


def test_postfix() -> None:
    text = "550 5.1.1 <joe@example.net>: Recipient address rejected: User unknown in local recipient table"
    failed = Failed("joe@example.net", "joe@example.net", "5.1.1", text, "mx.example.net")
    assert read_report(postfix(), "") == Failure((failed,), "relay.example.net", "dsn")


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (EXIM_NEW, "full"),
        (EXIM_ITSELF, "full"),
        (EXIM_OLD, "no-such-user"),
        (EXCHANGE, "no-such-user"),
        (QMAIL, "no-such-user"),
        (WORDS, "no-such-user"),
    ],
    ids=["exim 4.9", "exim itself", "exim 4", "exchange", "qmail", "in words only"],
)
def test_other_systems(raw: bytes, kind: str) -> None:
    assert category(read_report(raw, "")) == kind


def test_a_report_in_utf_8_of_rfc_6533() -> None:
    raw = postfix().replace(b"message/delivery-status", b"message/global-delivery-status")
    raw = raw.replace(b"Final-Recipient: rfc822; joe@", "Final-Recipient: utf-8; jøe@".encode())
    report = read_report(raw, "")
    assert isinstance(report, Failure)
    assert report.failed[0].recipient == "jøe@example.net"
    assert report.reporting_mta == "relay.example.net"


@pytest.mark.parametrize("action", ["delayed", "Delayed (will retry)", "delivered", "relayed", "expanded"])
def test_what_is_not_over_or_arrived_is_no_bounce(action: str) -> None:
    why = "delay" if action[0] in "dD" and "elay" in action else "delivered"
    assert read_report(postfix(action=action, status="4.4.1"), "") == Nothing(why)  # type: ignore[arg-type]


def test_without_an_action_the_class_of_the_status_decides() -> None:
    assert isinstance(read_report(postfix(action="", status="5.2.1"), ""), Failure)
    assert read_report(postfix(action="", status="4.2.1"), "") == Nothing("delay")


def test_a_status_report_without_a_diagnostic_falls_back_to_the_words() -> None:
    report = read_report(postfix(diagnostic="", status=""), "")
    assert isinstance(report, Failure)
    assert "said: 550 5.1.1 no" in report.failed[0].text


@pytest.mark.parametrize(
    ("recipient", "text"),
    [
        (b"joe@example.net", "mailbox is full: retry timeout exceeded"),
        (b"Ann@example.net", "Unrouteable address"),
        (
            b"nn@example.net",
            "This message was created automatically by mail delivery software. A message that you sent",
        ),
    ],
)
def test_what_exim_says_below_the_address_is_the_reason(recipient: bytes, text: str) -> None:
    report = read_report(EXIM_ITSELF.replace(b"rfc822;joe@example.net", b"rfc822;" + recipient), "")
    assert isinstance(report, Failure)
    (failed,) = report.failed
    assert failed.text.startswith(text)
    assert failed.text.isprintable()


def test_each_recipient_has_its_own_result() -> None:
    raw = postfix().replace(
        b"Final-Recipient:",
        b"Final-Recipient: rfc822; ann@example.net\r\nAction: delayed\r\nStatus: 4.0.0\r\n\r\nFinal-Recipient:",
    )
    report = read_report(raw, "")
    assert isinstance(report, Failure)
    assert [failed.recipient for failed in report.failed] == ["joe@example.net"]


@pytest.mark.parametrize("sender", ["", "joe@example.net"])
def test_vacation_notes_and_replies_are_no_bounces(sender: str) -> None:
    assert read_report(VACATION, sender) == Nothing("automatic-reply")
    assert read_report(REPLY, "joe@example.net") == Nothing("reply")


def test_a_warning_in_words_is_no_bounce() -> None:
    raw = crlf("Subject: Warning: message delayed 24 hours\n\njoe@example.net: 451 later. 550 is not said yet\n")
    assert read_report(raw, "") == Nothing("delay")


def test_forged_report_of_a_person_is_no_bounce() -> None:
    """A delivery status report has the null sender (RFC 3464 §2); mail systems that break this use their own name."""
    assert read_report(postfix(), "mallory@example.net") == Nothing("automatic-reply")
    assert isinstance(read_report(postfix(), "MAILER-DAEMON@example.net"), Failure)


def test_bounce_of_a_bounce_is_not_read_as_one_of_ours() -> None:
    """A mail that carries someone's delivery report says nothing itself: what is embedded is not looked into."""
    outer = crlf("Subject: fyi\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n")
    assert read_report(outer + postfix() + b"\r\n--b--\r\n", "") == Nothing("reply")
    looped = postfix(action="delayed", status="4.0.0", returned=postfix().decode())
    assert read_report(looped, "") == Nothing("delay")


@pytest.mark.parametrize("kind", ["abuse", "fraud", "opt-out", "virus", "Abuse"])
def test_a_complaint(kind: str) -> None:
    report = read_report(complaint(kind), "abusedesk@example.net")
    assert report == Complaint(kind.lower(), (TOKEN,), "mail.example.net", "joe@example.net")


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure", "", "no-such-thing"])
def test_feedback_of_another_kind_is_no_complaint(kind: str) -> None:
    assert read_report(complaint(kind), "") == Nothing("not-a-complaint")


def test_a_complaint_names_its_mail_wherever_the_token_stands() -> None:
    other = TOKEN[:-1] + "1"
    report = read_report(complaint(token=other.upper()), "")
    assert isinstance(report, Complaint)
    assert report.tokens == (other, TOKEN), "that of Original-Mail-From, and that of the mail's Return-Path"


# What is hostile


@settings(max_examples=300)
@given(st.binary(max_size=2000), st.sampled_from(["", "joe@example.net"]))
def test_no_bytes_raise(raw: bytes, sender: str) -> None:
    assert isinstance(read_report(raw, sender), Failure | Complaint | Nothing)


SAMPLES = [postfix(), EXIM_OLD, EXIM_NEW, EXCHANGE, QMAIL, WORDS, VACATION, complaint()]


@settings(max_examples=150)
@given(st.data())
def test_no_damage_to_a_report_raises(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(SAMPLES)))
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, max(0, len(raw) - 1)))
        until = at + data.draw(st.integers(0, 30))
        raw[at:until] = data.draw(
            st.binary(max_size=12) | st.sampled_from([b"\r\n\r\n", b"; ", b"=?utf-8?B?", b"\xff"])
        )
    assert isinstance(read_report(bytes(raw), ""), Failure | Complaint | Nothing)


def nested(depth: int) -> bytes:
    return b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))


@pytest.mark.parametrize(
    "raw",
    [
        nested(50),
        nested(5_000),
        b"Content-Type: message/rfc822\r\n\r\n" * 5_000,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" * 20_000,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 30_000,
        b"Subject: " + b"=?utf-8?B?" * 20_000,
        b"X: y\r\n" * 40_000,
        b"Content-Type: text/html\r\nSubject: failure notice\r\n\r\n" + b"<" * 200_000,
        b"Content-Type: text/html\r\nSubject: failure notice\r\n\r\n" + b"<style " * 30_000,
        b"Subject: failure notice\r\n\r\n" + b"5.1.1 " * 40_000,
        b"\xff" * 250_000,
        postfix(diagnostic="smtp; " + "x" * 200_000),
        postfix().replace(b"Action:", b"Action: failed\r\n\r\nFinal-Recipient: rfc822; a@example.net\r\n" * 4_000),
    ],
    ids=["depth 50", "depth 5000", "rfc822 in rfc822", "parts", "bare parts", "encoded words", "fields", "tags",
         "unclosed tags", "codes", "8-bit", "long field", "recipients"],
)  # fmt: skip
def test_mime_bomb_takes_no_time(raw: bytes) -> None:
    begun = time.process_time()
    report = read_report(raw, "")
    assert isinstance(report, Failure | Nothing)
    assert not isinstance(report, Failure) or len(report.failed) <= 100
    assert time.process_time() - begun < 3.0


def test_only_the_beginning_of_megabytes_is_looked_at() -> None:
    raw = postfix(returned=RETURNED + "x" * MOST_BYTES * 20)
    assert category(read_report(raw, "")) == "no-such-user"


def test_characters_that_do_not_print_are_not_kept() -> None:
    raw = postfix(diagnostic="smtp; 550 5.1.1 \x00\x1b[31mno\x07 such\tuser").replace(b"no such", b"no \xff\xfe such")
    report = read_report(raw, "")
    assert isinstance(report, Failure)
    assert report.failed[0].text.isprintable()
    assert "\x1b" not in report.failed[0].text


def test_charsets_that_nobody_knows_do_no_harm() -> None:
    for charset in (b"x-none", b"base64", b"idna", b"utf-7", b"\xff"):
        raw = WORDS.replace(b"iso-8859-1", charset)
        assert isinstance(read_report(raw, ""), Failure), charset
