"""A mail taken apart, however broken it is."""

from __future__ import annotations

from email.message import EmailMessage

from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.sandbox.view import read_mail


def test_html_text_and_attachments_are_told_apart() -> None:
    mail = EmailMessage()
    mail["Subject"] = "Grüße"
    mail.set_content("text ü")
    mail.add_alternative("<p>html ü</p>", subtype="html")
    mail.add_attachment("<p>attached</p>", subtype="html", filename="ü.html")
    view = read_mail(mail.as_bytes())
    assert view.text == "text ü\n"
    assert view.html == "<p>html ü</p>\n"
    assert [(part.filename, part.content_type) for part in view.attachments] == [("ü.html", "text/html")]
    assert ("Subject", "Grüße") in view.headers


def test_only_images_of_the_mail_itself_are_put_into_the_frame() -> None:
    mail = EmailMessage()
    mail.set_content('<img src="cid:a%40x"><img src=\'cid:b@x\'><img src="cid:none">', subtype="html")
    mail.add_related(b"GIF", "image", "gif", cid="<a@x>")
    mail.add_related(b"<b>", "text", "html", cid="<b@x>")
    html = read_mail(mail.as_bytes()).framed_html()
    assert html is not None
    assert '<img src="data:image/gif;base64,R0lG">' in html
    assert "cid:b@x" in html
    assert "cid:none" in html


def test_a_mail_without_html_has_no_frame() -> None:
    assert read_mail(b"Subject: x\r\n\r\nhi").framed_html() is None


def test_raw_utf8_headers_are_read() -> None:
    assert ("Subject", "Grüße") in read_mail("Subject: Grüße\r\n\r\n".encode()).headers


def test_wrong_charsets_and_encodings_are_shown_as_well_as_can_be() -> None:
    assert read_mail(b"Content-Type: text/plain; charset=nonsense\r\n\r\nh\xc3\xbc").text == "hü"
    assert read_mail(b"Content-Transfer-Encoding: base64\r\n\r\n!!!").text is not None


def test_nesting_bomb_of_multiparts_is_shown_as_text() -> None:
    bomb = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (depth, depth) for depth in range(3000)
    )
    view = read_mail(bomb)
    assert view.html is None
    assert view.text is not None
    assert view.text.startswith("Content-Type: multipart/mixed")


PARTS = st.lists(
    st.sampled_from(
        [
            b"Content-Type: ", b"multipart/mixed; boundary=x", b"text/html", b"; charset*=utf-8''a%FF",
            b'; name="=?utf-8?b?!?="',
            b"--x", b"--x--", b"\r\n", b"\r\n\r\n", b"Content-Disposition: attachment; filename*0*=''%00; filename*9=a",
            b"Content-Transfer-Encoding: uuencode", b"begin 666 x\r\n", b"message/rfc822", b"\xff",
            b"Content-ID: \xff<>",
            b"Content-Type: text/plain; charset=\xff", b"message/delivery-status",
            b"Content-Transfer-Encoding: base64\r\n\r\nA",
        ]
    )
    | st.binary(max_size=10),
    max_size=25,
)  # fmt: skip


@settings(max_examples=300)
@given(PARTS)
def test_any_bytes_can_be_looked_at(parts: list[bytes]) -> None:
    view = read_mail(b"".join(parts))
    view.framed_html()
    for name, value in view.headers:
        (name + value).encode("utf-8")
    for text in (view.html, view.text, *(part.filename for part in view.attachments)):
        (text or "").encode("utf-8")
