"""The mail of a report, as RFC 8460 §5.3 wants it."""

import gzip
import json
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.policy import default

from postroom.content.address import parse_address
from postroom.delivery.tls_reporting.report_mail import ReportMail

AT = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
REPORT = {"policies": [{"x": "y" * 500}]}


def made(organization: str = "Bücher & Söhne") -> bytes:
    sender = parse_address("tls@mail.sender.example.com")
    assert sender is not None
    mail = ReportMail("xn--bcher-kva.example", date(2026, 11, 22), organization, sender, "r@example.com")
    return mail.compose(gzip.compress(json.dumps(REPORT).encode(), mtime=0), AT)


def test_the_parts_and_fields_are_those_of_the_rfc() -> None:
    mail = message_from_bytes(made(), policy=default)
    assert mail.get_content_type() == "multipart/report"
    assert mail["Content-Type"].params["report-type"] == "tlsrpt"
    assert mail["TLS-Report-Domain"] == "xn--bcher-kva.example"
    assert mail["TLS-Report-Submitter"] == "mail.sender.example.com"
    assert mail["Subject"].startswith(
        "Report Domain: xn--bcher-kva.example Submitter: mail.sender.example.com Report-ID:"
    )
    assert str(mail["From"]) == "Bücher & Söhne <tls@mail.sender.example.com>"
    assert (mail["To"], mail["Date"].datetime) == ("r@example.com", AT)
    text, attached = mail.iter_parts()
    assert "_smtp._tls.xn--bcher-kva.example" in text.get_content()
    assert attached.get_content_type() == "application/tlsrpt+gzip"
    name = "mail.sender.example.com!xn--bcher-kva.example!1795305600!1795391999.json.gz"
    assert attached.get_filename() == name
    assert json.loads(gzip.decompress(attached.get_content())) == REPORT
    assert mail.defects == []


def test_it_is_seven_bit_with_short_lines_and_whole_line_ends() -> None:
    mail = made()
    assert mail.isascii()
    assert mail.replace(b"\r\n", b"").isascii()
    assert b"\r" not in mail.replace(b"\r\n", b"")
    assert b"\n" not in mail.replace(b"\r\n", b"")
    assert max(map(len, mail.split(b"\r\n"))) < 200
    assert not any(line.startswith(b".") for line in mail.split(b"\r\n"))


def test_header_injection_by_the_name_of_the_organization_gets_nowhere() -> None:
    mail = message_from_bytes(made("Shop\r\nBcc: evil@example.net"), policy=default)
    assert "Bcc" not in mail
