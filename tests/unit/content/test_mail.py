"""What any values do to the bytes of a mail: nothing but appear in it."""

import re
from email import message_from_bytes
from email.header import decode_header, make_header
from email.utils import parseaddr
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.content.samples import body_text, compose, make_content, make_context, parsed

from postroom.content.ampscript.dialect import Dialect
from postroom.content.ampscript.engine import Engine
from postroom.content.compiler import compile_content
from postroom.content.header import field_text
from postroom.content.model import Mail
from postroom.content.transfer import plain_text

HOSTILE = [
    "",
    ".",
    "..",
    "\r\n.\r\n",
    "\n.\n",
    "\r.\r",
    "\r\n.\r\nMAIL FROM:<evil@example.net>\r\n",
    "x\r\nBcc: evil@example.net\r\n\r\nbody",
    "\0",
    "\ud800",
    "=?utf-8?q?evil?=",
    "=2E=\r\n",
    "--=_postroom_",
    "trailing \t",
    " ",
    "\t",
    "é" * 200,
    "漢字 😀" * 30,
    "a" * 5000,
    "%%Name%%",
    "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029",
    '<">,;@\\',
]
VALUES = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.one_of(st.sampled_from(list(". \t=\r\n\0?_-é漢\u2028\ud800😀")), st.characters()), max_size=120),
    st.builds(lambda text, times: text * times, st.text(max_size=20), st.integers(1, 40)),
)
SUBJECT = "Order %%A%% for %%B%%"
HTML = "<html><body>\r\n.%%A%%\n%%B%%%%A%% %%B%%\n\n.<p title='%%A%%'>grüße%%B%%</p> \n%%A%%"
TEXT = "%%A%%, hello\n%%B%%\n.\n..\n ご注文 \t\n%%B%%"
PLAN = compile_content(make_content(SUBJECT, HTML, TEXT, from_name="Shop %%A%%"))
FIELDS = ["Date", "From", "To", "Subject", "Message-ID", "MIME-Version", "Content-Type"]


def filled(template: str, a: str, b: str) -> str:
    names = {"%%A%%": a, "%%B%%": b}
    return re.sub("%%[AB]%%", lambda name: names[name.group()], template)


def filled_body(template: str, a: str, b: str) -> str:
    text = filled(plain_text(template), plain_text(a), plain_text(b))
    return text if plain_text(template).endswith("\n") else f"{text}\n"


def assert_safe(data: bytes) -> None:
    """CRLF only, no control, no line SMTP or RFC 5322 would trip over."""
    assert data.endswith(b"\r\n")
    header, body = data.split(b"\r\n\r\n", 1)
    for line in header.split(b"\r\n"):
        assert len(line) <= 998
        assert line.strip(), "an empty line would end the header early"
    for line in data.split(b"\r\n"):
        assert not re.search(rb"[\0-\x08\x0a-\x1f\x7f]", line)
        assert not line.startswith(b".")
    assert all(len(line) <= 76 for line in body.split(b"\r\n"))


@settings(max_examples=400)
@given(VALUES, VALUES)
def test_any_values_come_out_as_they_went_in(a: str, b: str) -> None:
    mail = PLAN.compose(make_context({"A": a, "B": b}))
    assert isinstance(mail, Mail)
    assert_safe(mail.data)
    message = parsed(mail)
    assert message.keys() == FIELDS
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert not any(part.defects for part in message.walk())
    assert body_text(message, "html") == filled_body(HTML, a, b)
    assert body_text(message, "plain") == filled_body(TEXT, a, b)
    assert mail.subject == field_text(filled(SUBJECT, a, b))
    assert str(message["Subject"]) == mail.subject
    assert message["From"].addresses[0].addr_spec == "shop@example.com"


@given(VALUES)
def test_header_injection_by_a_value_in_subject_and_names(value: str) -> None:
    content = make_content("%%A%%!", from_name="%%A%%")
    mail = compose(content, make_context({"A": value}))
    message = parsed(mail)
    assert message.keys() == [*FIELDS, "Content-Transfer-Encoding"]
    assert len(message["From"].addresses) == 1
    assert message["From"].addresses[0].addr_spec == "shop@example.com"
    assert mail.recipients == ("anna@example.org",)
    assert_safe(mail.data)


@pytest.mark.parametrize(
    "name", ["Shop", "Anna, Bob", 'say "hi" \\', "Käse & Co", "a" * 300, "=?utf-8?q?x?=", "漢" * 60]
)
def test_a_sender_name_is_read_back_as_it_was(name: str) -> None:
    mail = compose(make_content(from_name=name), make_context())
    # the newer reader of Python 3.11 keeps the blanks between encoded words of a phrase (RFC 2047 §6.2)
    phrase, address = parseaddr(message_from_bytes(mail.data)["From"])
    assert str(make_header(decode_header(phrase))) == name
    assert address == "shop@example.com"


@pytest.mark.parametrize("break_", ["\n", "\r", "\r\n", "\n\r", "\r\r\n"])
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_smtp_smuggling_by_a_lone_dot_between_any_line_breaks(break_: str, end: str) -> None:
    attack = f"bye{break_}.{end}MAIL FROM:<evil@example.net>{end}RCPT TO:<victim@example.com>{end}DATA{end}"
    for html in ("<p>%%A%%</p>", f"<p>{attack}</p>", "漢字漢字漢字漢字漢字%%A%%"):
        mail = compose(make_content(html=html), make_context({"A": attack}))
        assert_safe(mail.data)
        for line, after in pairwise(mail.data.split(b"\r\n")):
            assert line != b"."
            assert after != b"."


def test_smtp_smuggling_by_the_address() -> None:
    for address in (
        "a@example.com>\r\nRCPT TO:<b@example.com",
        "a@example.com\0",
        "a@example.com\n",
        "a b@example.com",
    ):
        outcome = PLAN.compose(make_context({"A": "", "B": ""}, address=address))
        assert not isinstance(outcome, Mail)
        assert outcome.status_code == 110


def test_header_injection_by_the_message_id() -> None:
    outcome = PLAN.compose(make_context({"A": "", "B": ""}, message_id="a@b>\r\nBcc: <evil@example.net"))
    assert not isinstance(outcome, Mail)
    assert outcome.status_code == 103


@given(VALUES)
def test_the_delimiter_cannot_be_forged(value: str) -> None:
    context = make_context({"A": "", "B": ""})
    first = PLAN.compose(context)
    assert isinstance(first, Mail)
    boundary = parsed(first).get_boundary()
    again = PLAN.compose(make_context({"A": f"\n--{boundary}--\n{value}", "B": f"--{boundary}"}))
    assert isinstance(again, Mail)
    body = again.data.split(b"\r\n\r\n", 1)[1]
    assert body.count(f"--{boundary}".encode()) == 3


def test_the_same_context_gives_the_same_bytes_from_any_plan() -> None:
    content = make_content(SUBJECT, HTML, TEXT)
    context = make_context({"A": "1", "B": "é"})
    assert compose(content, context).data == compose(content, context).data


def test_a_megabyte_value() -> None:
    value = ".é=\n x" * 170_000
    mail = compose(make_content(html="<p>%%A%%</p>\n"), make_context({"A": value}))
    assert_safe(mail.data)
    assert body_text(parsed(mail), "html") == f"<p>{value}</p>\n"


def test_base64_for_a_part_that_is_mostly_not_ascii() -> None:
    mail = compose(make_content(html="ご注文 %%A%% ありがとう"), make_context({"A": "é\n.\n"}))
    assert_safe(mail.data)
    assert parsed(mail)["Content-Transfer-Encoding"] == "base64"
    assert body_text(parsed(mail), "html") == "ご注文 é\n.\n ありがとう\n"


def test_the_header_of_a_plain_mail() -> None:
    content = make_content(
        "Your order", "<p>x</p>", from_name="The Shop", reply_to="help@example.com", cc=("c@example.com",),
        bcc=("b@example.com",),
    )  # fmt: skip
    mail = compose(content, make_context())
    assert mail.data.decode() == (
        "Date: Wed, 04 Mar 2026 19:52:07 +0000\r\n"
        "From: The Shop <shop@example.com>\r\n"
        "To: anna@example.org\r\n"
        "Cc: c@example.com\r\n"
        "Reply-To: help@example.com\r\n"
        "Subject: Your order\r\n"
        "Message-ID: <018f.1.2@example.com>\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: text/html; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n"
        "\r\n"
        "<p>x</p>\r\n"
    )
    assert mail.sender == "shop@example.com"
    assert mail.recipients == ("anna@example.org", "c@example.com", "b@example.com")
    assert not mail.smtputf8


def test_long_ascii_subjects_fold_at_blanks() -> None:
    subject = "words " * 60 + "and  two blanks"
    mail = compose(make_content(subject), make_context())
    header = mail.data.split(b"\r\n\r\n")[0]
    assert all(len(line) <= 76 for line in header.split(b"\r\n"))
    assert str(parsed(mail)["Subject"]) == subject
    assert b"=?" not in header


def test_an_international_address_asks_for_smtputf8() -> None:
    mail = compose(make_content(), make_context(address="jürgen@bücher.example"))
    assert mail.smtputf8
    assert mail.recipients == ("jürgen@xn--bcher-kva.example",)
    assert "To: jürgen@xn--bcher-kva.example\r\n".encode() in mail.data
    assert not compose(make_content(), make_context(address="anna@bücher.example")).smtputf8


def test_the_copies_of_a_message_are_known_without_composing_it() -> None:
    plan = compile_content(make_content(cc=("%%Boss%%", "fixed@example.com"), bcc=("%%Boss%%; b@example.com",)))
    context = make_context({"Boss": "boss@bücher.example"})
    mail = plan.compose(context)
    assert isinstance(mail, Mail)
    copies = ("boss@xn--bcher-kva.example", "fixed@example.com", "b@example.com")
    assert plan.copies(context) == mail.recipients[1:] == copies
    assert plan.copies(make_context()) == plan.copies(make_context({"Boss": "no address"})) == ()
    assert compile_content(make_content()).copies(context) == ()


def test_copies_that_code_prints_are_known_by_composing_alone() -> None:
    engine = Engine(Dialect())
    coded = compile_content(make_content(bcc=("%%=Lowercase('B@EXAMPLE.COM')=%%",)), engine=engine)
    assert coded.copies(make_context()) is None
    beside = compile_content(make_content("%%=v(1)=%%", bcc=("%%Boss%%",)), engine=engine)
    assert beside.copies(make_context({"Boss": "boss@example.com"})) == ("boss@example.com",)
