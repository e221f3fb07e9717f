"""Attachments and inline images of a content, as a mail program finds them."""

from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.content.samples import body_text, compose, make_content, make_context, parsed
from tests.unit.delivery.dkim.keys import ed25519_key, verified

from postroom.content.ampscript.run import Response, Services
from postroom.content.compiler import compile_content
from postroom.content.model import Content, File, Mail
from postroom.delivery.dkim.canonical import BodyForm, without_empty_lines_at_end
from postroom.delivery.dkim.signer import Signer

TERMS = File("Terms.pdf", "application/pdf", b"%PDF-1.7\n" + bytes(range(256)) * 3)
LOGO = File("logo.png", "image/png", b"\x89PNG\r\n\x1a\n" + b"\1\2" * 50, "logo@shop.example")
HTML = '<p>%%Name%%  <img src="cid:logo@shop.example"></p>\n'


def content(*files: File, html: str | None = HTML, text: str | None = "Hello %%Name%%\n") -> Content:
    made = make_content("x", html, text)
    return Content(made.subject, made.html, made.text, from_name="Shop", from_address="shop@example.com", files=files)


def shape(message: EmailMessage) -> object:
    parts = [shape(part) for part in message.iter_parts() if isinstance(part, EmailMessage)]
    return (message.get_content_type(), parts) if parts else message.get_content_type()


ALTERNATIVE = ("multipart/alternative", ["text/plain", "text/html"])


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (content(TERMS), ("multipart/mixed", [ALTERNATIVE, "application/pdf"])),
        (content(LOGO), ("multipart/related", [ALTERNATIVE, "image/png"])),
        (
            content(TERMS, LOGO),
            ("multipart/mixed", [("multipart/related", [ALTERNATIVE, "image/png"]), "application/pdf"]),
        ),
        (content(LOGO, text=None), ("multipart/related", ["text/html", "image/png"])),
        (content(TERMS, html=None), ("multipart/mixed", ["text/plain", "application/pdf"])),
        (content(TERMS, html="<p>%%=Add(1,1)=%%</p>"), ("multipart/mixed", [ALTERNATIVE, "application/pdf"])),
    ],
)
def test_the_parts_of_a_mail(made: Content, wanted: object) -> None:
    message = parsed(compose(made, make_context({"Name": "José"})))
    assert shape(message) == wanted
    assert not [part.defects for part in message.walk() if part.defects]


def test_files_arrive_as_they_are() -> None:
    message = parsed(compose(content(TERMS, LOGO), make_context({"Name": "José"})))
    found = {part.get_filename(): part for part in message.walk() if part.get_filename()}
    assert found["Terms.pdf"].get_payload(decode=True) == TERMS.data
    assert found["Terms.pdf"]["Content-Disposition"].startswith("attachment")
    assert found["logo.png"].get_payload(decode=True) == LOGO.data
    assert found["logo.png"]["Content-Disposition"].startswith("inline")
    assert found["logo.png"]["Content-ID"] == "<logo@shop.example>"
    assert body_text(message, "plain") == "Hello José\n"
    related = next(part for part in message.walk() if part.get_content_type() == "multipart/related")
    assert related.get_param("type") == "multipart/alternative"


@pytest.mark.parametrize(
    "name", ["Rechnung für José.pdf", "請求書.pdf", 'a"b\\c.pdf', "x" * 200, "a\r\nBcc: evil", "  a  b "]
)
def test_names_of_any_kind(name: str) -> None:
    message = parsed(compose(content(File(name, "application/pdf", b"1")), make_context({"Name": "A"})))
    (part,) = message.iter_attachments()
    assert (part.get_filename() or "").replace("\r\n", " ") == " ".join(name.split())
    assert "Bcc" not in message
    assert max(len(line) for line in message.as_bytes().split(b"\n")) <= 78


def test_every_mail_of_the_version_has_the_same_files_and_every_attempt_the_same_bytes() -> None:
    plan = compile_content(content(TERMS, LOGO))
    first, again = plan.compose(make_context({"Name": "A"})), plan.compose(make_context({"Name": "A"}))
    assert first == again


def test_attach_file_adds_to_them() -> None:
    class Web:
        async def fetch(self, request: object) -> Response:
            return Response(200, body=b"more", headers=(("Content-Type", "text/csv"),))

    html = "%%[ AttachFile('HTTP', 'https://example.com/more.csv', 'more.csv') ]%%<p>a</p>"
    mail = compile_content(content(TERMS, html=html)).compose(make_context({"Name": "A"}), Services(fetcher=Web()))
    assert isinstance(mail, Mail), mail
    assert shape(parsed(mail)) == (
        "multipart/mixed",
        [("multipart/mixed", [ALTERNATIVE, "application/pdf"]), "text/csv"],
    )


_names = st.text(st.one_of(st.sampled_from(list(" \t\r\n\"\\;é'%")), st.characters()), min_size=1, max_size=40)


@settings(max_examples=60)
@given(_names, st.binary(max_size=300), st.booleans(), st.text(max_size=20))
def test_the_prepared_form_holds_with_files_too(name: str, data: bytes, inline: bool, value: str) -> None:
    file = File(name, "application/octet-stream", data, "a" if inline else "")
    mail = compose(content(file), make_context({"Name": value}))
    if mail.body_form is not None:
        form = BodyForm().of(mail.data.partition(b"\r\n\r\n")[2])
        assert without_empty_lines_at_end(mail.body_form) == form
    assert verified(Signer("example.com", [ed25519_key()]).sign(mail.data, 1790000000, mail.body_form))
