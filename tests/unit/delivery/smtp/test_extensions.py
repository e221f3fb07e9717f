"""Reading the answer to EHLO."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from postroom.delivery.smtp.extensions import Extensions
from postroom.delivery.smtp.reply import Reply


def test_all_that_is_used_is_read() -> None:
    lines = (
        b"mx.example.com greets",
        b"pipelining",
        b"SIZE 52428800",
        b"8BITMIME",
        b"SMTPUTF8",
        b"ENHANCEDSTATUSCODES",
        b"STARTTLS",
        b"AUTH plain LOGIN",
        b"AUTH=CRAM-MD5",
        b"LIMITS MAILMAX=5 RCPTMAX=20 X",
    )
    assert Extensions.of(Reply(250, lines)) == Extensions(
        pipelining=True,
        size=True,
        size_limit=52428800,
        eight_bit=True,
        smtputf8=True,
        enhanced_codes=True,
        starttls=True,
        recipient_limit=20,
        auth=frozenset({"PLAIN", "LOGIN", "CRAM-MD5"}),
    )


def test_the_first_line_is_a_greeting_not_an_extension() -> None:
    assert Extensions.of(Reply(250, (b"PIPELINING",))) == Extensions()


def test_a_size_that_is_no_number_is_no_limit() -> None:
    for size in (b"SIZE", b"SIZE 0", b"SIZE huge", b"SIZE " + b"9" * 5000, "SIZE ２".encode()):
        extensions = Extensions.of(Reply(250, (b"x", size)))
        assert extensions.size
        assert extensions.size_limit == 0


@given(st.lists(st.binary(max_size=40)))
def test_any_lines_can_be_read(lines: list[bytes]) -> None:
    assert Extensions.of(Reply(250, tuple(lines))).size_limit >= 0
