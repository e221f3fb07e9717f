"""A mail arrives by SMTP and is listed, read, shown as source and deleted over HTTP."""

from __future__ import annotations

from email.message import EmailMessage

from tests.scenarios.sandbox.conftest import Sandbox


def order_mail() -> bytes:
    mail = EmailMessage()
    mail["From"] = "Zoë’s shop <shop@example.com>"
    mail["To"] = "Jürgen <jurgen+orders@example.com>"
    mail["Subject"] = "Grüße: your order 4711 is on its way — thank you"
    mail.set_content("Hello Jürgen\n.a line with a dot in front\n")
    mail.add_alternative('<p>Hello <b>Jürgen</b> <img src="cid:logo"></p>', subtype="html")
    html = mail.get_body(("html",))
    assert html is not None
    html.add_related(b"\x89PNG", "image", "png", cid="<logo>")
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="Rechnung für Jürgen.pdf")
    return mail.as_bytes().replace(b"\n", b"\r\n")


async def test_a_mail_is_listed_read_and_deleted(sandbox: Sandbox) -> None:
    raw = order_mail()
    number = await sandbox.send("jurgen+orders@example.com", raw=raw.replace(b"\r\n.", b"\r\n.."))

    listed = (await sandbox.http.get("/sandbox/messages")).json()
    assert listed["total"] == 1
    assert listed["next"] is None
    (item,) = listed["items"]
    assert item["id"] == number
    assert item["subject"] == "Grüße: your order 4711 is on its way — thank you"
    assert item["from"] == "Zoë’s shop <shop@example.com>"
    assert item["envelope"] == {"from": "s@example.com", "to": ["jurgen+orders@example.com"]}
    assert item["messageKey"] is None
    assert item["size"] == len(raw) + 2
    assert item["capturedAt"].endswith("Z")

    answer = await sandbox.http.get(f"/sandbox/messages/{number}")
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    mail = answer.json()
    assert "Hello <b>Jürgen</b>" in mail["html"]
    assert "\n.a line with a dot in front" in mail["text"].replace("\r\n", "\n")
    assert {"name": "MIME-Version", "value": "1.0"} in mail["headers"]
    assert [(part["filename"], part["contentType"]) for part in mail["attachments"]] == [
        ("", "image/png"),
        ("Rechnung für Jürgen.pdf", "application/pdf"),
    ]

    source = await sandbox.http.get(f"/sandbox/messages/{number}/raw")
    assert source.headers["content-type"].startswith("message/rfc822")
    assert source.content == raw + b"\r\n"

    html = await sandbox.http.get(f"/sandbox/messages/{number}/html")
    assert 'src="data:image/png;base64,iVBORw=="' in html.text
    assert html.headers["content-security-policy"].startswith("sandbox; default-src 'none';")

    pdf = await sandbox.http.get(f"/sandbox/messages/{number}/attachments/1")
    assert pdf.content == b"%PDF"
    assert pdf.headers["content-disposition"].startswith("attachment; filename*=UTF-8''Rechnung%20f%C3%BCr")

    assert (await sandbox.http.delete(f"/sandbox/messages/{number}")).json() == {"deleted": 1}
    assert (await sandbox.http.get(f"/sandbox/messages/{number}")).status_code == 404
    assert (await sandbox.http.get("/sandbox/messages")).json()["total"] == 0


async def test_delete_all_empties_the_mailbox_and_ids_go_on(sandbox: Sandbox) -> None:
    last = [await sandbox.send(f"{n}@example.com") for n in range(3)][-1]
    assert (await sandbox.http.delete("/sandbox/messages")).json() == {"deleted": 3}
    assert (await sandbox.mailbox.total()).bytes == 0
    assert await sandbox.send("later@example.com") > last
