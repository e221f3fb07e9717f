"""Header fields beside those a content decides: of a version, and of one message."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.content.samples import compose, make_content, make_context, parsed

from postroom.content.compiler import compile_content
from postroom.content.header import field
from postroom.content.model import Mail


def test_fields_of_the_version_and_of_the_message_stand_in_the_header() -> None:
    plan = compile_content(make_content(), headers=field("Feedback-ID", "a:b:transactional:postroom"))
    unsubscribe = field("List-Unsubscribe", "<https://example.com/u/1>") + field(
        "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"
    )
    mail = plan.compose(replace(make_context(), headers=unsubscribe))
    assert isinstance(mail, Mail)
    message = parsed(mail)
    assert message["Feedback-ID"] == "a:b:transactional:postroom"
    assert message["List-Unsubscribe"] == "<https://example.com/u/1>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    other = plan.compose(make_context())
    assert isinstance(other, Mail)
    assert "List-Unsubscribe" not in parsed(other)


def test_nothing_is_added_unasked() -> None:
    names = parsed(compose(make_content(), make_context())).keys()
    assert names == [
        "Date", "From", "To", "Subject", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
    ]  # fmt: skip


def test_a_long_value_is_folded_at_its_blanks() -> None:
    value = ", ".join(f"<https://example.com/unsubscribe/{number:010}>" for number in range(4))
    written = field("List-Unsubscribe", value)
    assert written.replace("\r\n ", " ") == f"List-Unsubscribe: {value}\r\n"
    assert max(map(len, written.split("\r\n"))) <= 78


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "one\r\nBcc: evil@example.net"),
        ("X-A", "one\nBcc: evil@example.net"),
        ("X-A", "\0"),
        ("X-A", "grün"),
        ("X-A", ""),
        ("X-A", "   "),
        ("X-A", "b "),
        ("X-A", "a" * 2000),
        ("X A", "b"),
        ("X-A: b\r\nBcc", "c"),
        ("", "b"),
    ],
)
def test_attack_header_injection_through_a_further_field(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"header field|printable ASCII"):
        field(name, value)


@given(st.text(max_size=300))
def test_what_is_taken_reads_as_it_was_given(value: str) -> None:
    try:
        written = field("X-Any", value)
    except ValueError:
        return
    assert written.endswith("\r\n")
    assert written[:-2].replace("\r\n ", " ") == f"X-Any: {value}"
    assert all(line.strip() for line in written[:-2].split("\r\n"))
