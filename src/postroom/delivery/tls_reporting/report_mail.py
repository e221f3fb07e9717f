"""The mail that brings a report (RFC 8460 §5.3): multipart/report, with the report as compressed JSON. Pure."""

import hashlib
from base64 import encodebytes
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from postroom.content.address import Address
from postroom.content.header import date_text, field_text, mailbox, unstructured


@dataclass(frozen=True, slots=True)
class ReportMail:
    """What the mail says of itself. ``submitter`` is the domain of the from-address, by which receivers know us."""

    domain: str
    day: date
    organization: str
    sender: Address
    recipient: str

    @property
    def submitter(self) -> str:
        """Who reports, as a domain."""
        return self.sender.domain

    def compose(self, compressed: bytes, at: datetime) -> bytes:
        """The mail for the wire, unsigned, around the gzipped JSON; ``at`` is an aware time."""
        begin = datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC)
        end = begin + timedelta(days=1) - timedelta(seconds=1)
        stem = f"{self.submitter}!{self.domain}!{begin.timestamp():.0f}!{end.timestamp():.0f}"
        name = f"tls-report.{self.day}.{hashlib.sha256(self.domain.encode()).hexdigest()[:20]}@{self.submitter}"
        subject = f"Report Domain: {self.domain} Submitter: {self.submitter} Report-ID: <{name}>"
        boundary = f"=_report-{hashlib.sha256(compressed).hexdigest()[:24]}"
        text = (
            f"This is a report (RFC 8460) of {self.submitter} about TLS with the mail hosts of\r\n"
            f"{self.domain} on {self.day}, UTC. The attached file says which sessions had TLS as\r\n"
            "the domain wants it, and which failed, how and where. It was asked for by the\r\n"
            f"record _smtp._tls.{self.domain} in the DNS.\r\n"
        )
        attached = encodebytes(compressed).replace(b"\n", b"\r\n")
        head = (
            f"Date: {date_text(at)}\r\n"
            f"From: {mailbox(field_text(self.organization), self.sender, 6)}\r\n"
            f"To: {self.recipient}\r\n"
            f"Subject: {unstructured(subject, 9)}\r\n"
            f"Message-ID: <{name}>\r\n"
            f"TLS-Report-Domain: {self.domain}\r\n"
            f"TLS-Report-Submitter: {self.submitter}\r\n"
            "Auto-Submitted: auto-generated\r\n"
            "MIME-Version: 1.0\r\n"
            f'Content-Type: multipart/report; report-type="tlsrpt";\r\n boundary="{boundary}"\r\n'
            "\r\n"
            f"--{boundary}\r\n"
            "Content-Type: text/plain; charset=us-ascii\r\n"
            "\r\n"
            f"{text}\r\n"
            f"--{boundary}\r\n"
            "Content-Type: application/tlsrpt+gzip\r\n"
            "Content-Transfer-Encoding: base64\r\n"
            f'Content-Disposition: attachment;\r\n filename="{stem}.json.gz"\r\n'
            "\r\n"
        )
        return head.encode() + attached + f"--{boundary}--\r\n".encode()
