"""Judges what the capture mailbox holds: each recipient's mail once, and in it that person's own values.

Mails are taken apart by the standard library and compared whole, subject, HTML and text, with what the recipient
must read. A count is what was counted: a mail with a wrong value was not delivered.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32

from postroom.cli.demo_example import Example, Piece, Recipient

_PARTS = {"html": "text/html", "text": "text/plain"}
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class CapturedMail:
    """One mail as the mailbox has it: its number there, the envelope's recipients, the bytes."""

    number: int
    recipients: tuple[str, ...]
    raw: bytes


@dataclass(frozen=True)
class Verdict:
    """What was found. `lost` and `twice` hold addresses, `differences` a sentence each.

    `delivered` counts the recipients whose mail is there and right in every value.
    """

    accepted: int
    delivered: int
    lost: Sequence[str]
    twice: Sequence[str]
    differences: Sequence[str]

    @property
    def good(self) -> bool:
        """Whether every accepted message was delivered once, and nothing else was."""
        return self.accepted == self.delivered and not (self.lost or self.twice or self.differences)


@dataclass
class MailCheck:
    """Takes mails one by one; `accepted` are the recipients that must have one each."""

    example: Example
    accepted: Sequence[Recipient]
    _arrived: Counter[str] = field(default_factory=Counter)
    _wrong: set[str] = field(default_factory=set)
    _differences: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._by_address = {recipient.wire_address: recipient for recipient in self.accepted}

    def take(self, mail: CapturedMail) -> None:
        """Count the mail and compare it."""
        if len(mail.recipients) != 1:
            self._differences.append(f"mail {mail.number} went to {len(mail.recipients)} recipients, not to one")
        for address in mail.recipients:
            recipient = self._by_address.get(address)
            if recipient is None:
                self._differences.append(f"mail {mail.number} went to {address}, who is no recipient of this request")
                continue
            self._arrived[address] += 1
            found = list(self._compare(recipient, mail.raw))
            if found:
                self._wrong.add(address)
                self._differences.extend(f"mail {mail.number} to {recipient.to}: {each}" for each in found)

    def verdict(self) -> Verdict:
        """What the mails taken so far amount to."""
        addresses = [recipient.wire_address for recipient in self.accepted]
        return Verdict(
            accepted=len(addresses),
            delivered=sum(1 for address in addresses if self._arrived[address] and address not in self._wrong),
            lost=[address for address in addresses if not self._arrived[address]],
            twice=[address for address in addresses if self._arrived[address] > 1],
            differences=list(self._differences),
        )

    def _compare(self, recipient: Recipient, raw: bytes) -> Iterable[str]:
        mail = BytesParser(policy=compat32).parsebytes(raw)
        to = header_text(mail, "To")
        if to != recipient.wire_address:
            yield f"the header says To: {_quoted(to)}"
        subject = "".join(piece.text for piece in self.example.expected("subjectline", recipient))
        if header_text(mail, "Subject") != subject:
            yield f"the subject is {_quoted(header_text(mail, 'Subject'))} and should be {_quoted(subject)}"
        for view, content_type in _PARTS.items():
            got = body_text(mail, content_type)
            if got is None:
                yield f"there is no {content_type} part"
                continue
            pieces = self.example.expected(view, recipient)
            if got != "".join(piece.text for piece in pieces):
                yield self._describe(view, pieces, got, recipient)

    def _describe(self, view: str, pieces: Sequence[Piece], got: str, recipient: Recipient) -> str:
        """The first difference in words: which value it is in, what stands there, and whose that is."""
        expected = "".join(piece.text for piece in pieces)
        same = _common_length(expected, got)
        start = 0
        for piece in pieces:
            end = start + len(piece.text)
            # The end counts too: a value that is too long differs only where the text after it should begin.
            if piece.name is not None and start <= same <= end:
                break
            start = end
        else:
            return f"{view} has {_quoted(got[same:])} where {_quoted(expected[same:])} should be"
        after = expected[end : end + 20]
        for other in self.accepted:
            theirs = {each.text for each in self.example.expected(view, other) if each.name == piece.name}
            for value in sorted(theirs - {piece.text}, key=len, reverse=True):
                if got.startswith(value + after, start):
                    return (
                        f"{view} has {piece.name} {_quoted(value)}, which is {other.to}'s, "
                        f"and should have {_quoted(piece.text)}"
                    )
        return f"{view} has {_quoted(got[start:])} where {piece.name} {_quoted(piece.text)} should be"


def header_text(mail: Message, name: str) -> str:
    """A header field's value as text on one line; octets beyond ASCII are UTF-8 (RFC 6532)."""
    for field_name, value in mail.raw_items():
        if field_name.lower() == name.lower():
            line = str(value).replace("\r", "").replace("\n", "")
            if "=?" in line:
                return str(make_header(decode_header(line)))
            return line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return ""


def body_text(mail: Message, content_type: str) -> str | None:
    """The decoded text of the first part of this type, its line breaks as LF; None when there is none."""
    for part in mail.walk():
        if part.get_content_type() == content_type:
            content = part.get_payload(decode=True)
            if isinstance(content, bytes):
                return content.decode(part.get_content_charset("ascii"), "replace").replace("\r\n", "\n")
    return None


def _quoted(text: str) -> str:
    """The beginning of a text, on one line and with everything visible."""
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return repr(shown)


def _common_length(one: str, other: str) -> int:
    """How many characters both begin with."""
    for at, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return at
    return min(len(one), len(other))
