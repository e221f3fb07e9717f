"""What a mail to the return path says: that mail was not delivered, that someone complained, or nothing of that kind.

Understood are delivery status reports (RFC 3464, 6533), feedback reports (RFC 5965), what flufl.bounce knows of older
formats, and texts of mail systems in words of their own. Delays, vacation notes and people's replies are no bounces.
Pure, and it never raises: whatever the bytes are, the answer is a value. What is looked at is bounded in bytes, parts,
depth and recipients.
"""

import email
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError, MessageError
from email.header import decode_header, make_header
from email.message import Message
from typing import Literal, TypeAlias

from flufl.bounce import all_failures

from postroom.bounces.return_path import TOKEN
from postroom.bounces.verdict import LONGEST_TEXT

MOST_BYTES = 256 * 1024
"""Of a longer mail only the beginning is looked at: a report comes before the mail it is about."""

_MOST_PARTS = 100  # parsing takes time by parts times depth
_MOST_DASHES = 500  # lines that could be boundaries
_MOST_DEPTH = 10
_MOST_RECIPIENTS = 100
_MOST_TOKENS = 8
_MOST_BODY = 20_000
_LONGEST_FIELD = 300

Why: TypeAlias = Literal["delay", "delivered", "automatic-reply", "reply", "not-a-complaint", "unreadable"]
Format: TypeAlias = Literal["dsn", "text"]

COMPLAINTS = frozenset({"abuse", "fraud", "opt-out", "opt-out-list", "virus", "other", "miscategorized"})
"""Feedback types (RFC 5965 §7.3, RFC 6650) that tell of a complaint; not-spam and auth-failure do not."""


@dataclass(frozen=True, slots=True)
class Failed:
    """One recipient that was not reached. Addresses may be empty; ``text`` is what the receiver said."""

    recipient: str
    original: str
    status: str
    text: str
    remote_mta: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Mail was not delivered, for good."""

    failed: tuple[Failed, ...]
    reporting_mta: str
    format: Format


@dataclass(frozen=True, slots=True)
class Complaint:
    """Somebody complained. ``tokens`` are local parts of return paths found in the report."""

    kind: str
    tokens: tuple[str, ...]
    reporter: str
    recipient: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """No bounce and no complaint."""

    why: Why


Report: TypeAlias = Failure | Complaint | Nothing


def read_report(raw: bytes, sender: str) -> Report:
    """What a mail says; ``sender`` is its envelope's, empty for the null sender.

    Only what comes from the null sender (RFC 3464 §2) or a mail system's own address can tell of a failure.
    """
    try:
        return _read(raw[:MOST_BYTES], sender)
    except (MessageError, LookupError, ValueError, TypeError, AttributeError, RecursionError, AssertionError):
        # The library's parser raises all of these at some malformed input, and none of it is a report.
        return Nothing("unreadable")


def _read(raw: bytes, sender: str) -> Report:
    folded = raw.lower()
    if folded.count(b"content-type:") > _MOST_PARTS or folded.count(b"\n--") > _MOST_DASHES:
        return Nothing("unreadable")
    message = email.message_from_bytes(raw)
    parts = list(_parts(message, 0))
    feedback = _first(parts, "message/feedback-report")
    if feedback is not None:
        return _complaint(feedback, raw)
    if not _is_system(sender):
        return Nothing("automatic-reply" if _is_automatic(message) else "reply")
    status = _first(parts, "message/delivery-status", "message/global-delivery-status")
    if status is not None and (found := _delivery_status(status, _body(parts))) is not None:
        return found
    return _in_words(message, parts)


# -- parts


def _parts(message: Message, depth: int) -> Iterator[Message]:
    """The parts that are not multiparts; what an embedded mail consists of is not ours to read."""
    if message.get_content_maintype() == "multipart" and message.is_multipart():
        if depth < _MOST_DEPTH:
            for part in message.get_payload():
                if isinstance(part, Message):
                    yield from _parts(part, depth + 1)
    else:
        yield message


def _first(parts: list[Message], *types: str) -> Message | None:
    return next((part for part in parts if part.get_content_type() in types), None)


def _fields(block: Message) -> dict[str, str]:
    """The first of each field by small name; unfolded, and with no characters that do not print."""
    found: dict[str, str] = {}
    for name, value in block.items():
        found.setdefault(name.lower(), printable(str(value)))
    return found


def _subject(message: Message) -> str:
    raw = str(message.get("subject", ""))[:LONGEST_TEXT]
    try:
        return printable(str(make_header(decode_header(raw))))
    except (HeaderParseError, LookupError, ValueError):
        return printable(raw)


def printable(text: str) -> str:
    """On one line and bounded, every blank a space, and what does not print a question mark."""
    decoded = text[: 4 * LONGEST_TEXT].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    line = " ".join(decoded.split())
    return "".join(each if each.isprintable() else "?" for each in line[:LONGEST_TEXT])


def _typed(value: str) -> str:
    """The value behind its type: ``rfc822; joe@example.com``."""
    return value.partition(";")[2].strip() if ";" in value else value.strip()


def _address(value: str) -> str:
    return _typed(value).strip("<>").strip()[:_LONGEST_FIELD]


# -- delivery status (RFC 3464)

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?!\d)", re.ASCII)


def _delivery_status(part: Message, body: str) -> Failure | Nothing | None:
    """None when the part holds no recipient that can be read."""
    blocks = _blocks(part)
    head: dict[str, str] = {}
    failed: list[Failed] = []
    actions: set[str] = set()
    for number, fields in enumerate(blocks[: _MOST_RECIPIENTS + 1]):
        if not number and "final-recipient" not in fields:
            head = fields
        if "final-recipient" not in fields and "original-recipient" not in fields:
            continue
        found = _STATUS.search(fields.get("status", ""))
        status = found[0] if found else ""
        action = fields.get("action", "").partition(" ")[0].lower().strip("()")
        if action not in ("failed", "delayed", "delivered", "relayed", "expanded"):
            action = "failed" if status.startswith("5") else "delayed"
        actions.add(action)
        if action == "failed":
            recipient = _address(fields.get("final-recipient", ""))
            failed.append(
                Failed(
                    recipient,
                    _address(fields.get("original-recipient", "")),
                    status or "5.0.0",
                    _typed(fields.get("diagnostic-code", "")) or _below(recipient, body) or _quotation(body),
                    _typed(fields.get("remote-mta", ""))[:_LONGEST_FIELD],
                )
            )
    if failed:
        return Failure(tuple(failed), _typed(head.get("reporting-mta", ""))[:_LONGEST_FIELD], "dsn")
    if not actions:
        return None
    return Nothing("delay" if "delayed" in actions else "delivered")


def _blocks(part: Message) -> list[dict[str, str]]:
    payload = part.get_payload()
    if part.get_content_type() == "message/delivery-status" and isinstance(payload, list):
        return [_fields(block) for block in payload if isinstance(block, Message)]
    # RFC 6533: the library takes it for an embedded mail, whose fields are the first block and whose text the others.
    inner = payload[0] if isinstance(payload, list) and payload and isinstance(payload[0], Message) else part
    rest = inner.get_payload(decode=True)
    texts = rest.decode("utf-8", "replace") if isinstance(rest, bytes) else ""
    others = re.split(r"\r?\n[ \t]*\r?\n", texts)[: _MOST_RECIPIENTS + 1]
    return [_fields(inner), *(_fields(email.message_from_string(each.lstrip("\r\n") + "\n\n")) for each in others)]


# -- feedback (RFC 5965)


def _complaint(part: Message, raw: bytes) -> Report:
    payload = part.get_payload()
    inner = payload[0] if isinstance(payload, list) and payload and isinstance(payload[0], Message) else part
    fields = _fields(inner)
    if "feedback-type" not in fields and isinstance(payload, str):
        fields = _fields(email.message_from_string(payload))
    kind = fields.get("feedback-type", "").lower()
    if kind not in COMPLAINTS:
        return Nothing("not-a-complaint")
    # A token is signed, so it may stand anywhere: in Original-Mail-From, in a Return-Path of the mail, or elsewhere.
    found = TOKEN.findall(raw.decode("ascii", "replace"))
    tokens = tuple(dict.fromkeys(each.lower() for each in found[:1000]))[:_MOST_TOKENS]
    reporter = _typed(fields.get("reporting-mta", "")) or fields.get("user-agent", "")
    recipient = _address(fields.get("original-rcpt-to", ""))
    return Complaint(kind, tokens, reporter[:_LONGEST_FIELD], recipient)


# -- words

_SYSTEMS = frozenset({"mailer-daemon", "mailerdaemon", "mail-daemon", "postmaster", "mailer", "daemon"})

_AUTOMATIC_SUBJECT = re.compile(
    r"\s*(?:automatic reply|auto(?:matic)?[- ]?(?:reply|response)|autoreply|out of (?:the )?office|away from"
    r"|on vacation|vacation|abwesenheit|automatische antwort|ich bin nicht|réponse automatique"
    r"|reponse automatique|absence|respuesta autom|fuera de|risposta automatica|fuori (?:sede|ufficio)"
    r"|automatisch antwoord|afwezig|autosvar|resposta autom|ausência|автоответ|自動返信|自动回复)",
    re.IGNORECASE,
)
_FAILURE_SUBJECT = re.compile(
    r"undeliver|could not be delivered|not delivered|delivery (?:status|failure|has failed|error|problem|report)"
    r"|failure notice|failure delivery|mail delivery (?:failed|system|failure)|returned (?:mail|message|to sender)"
    r"|mail failure|message (?:failed|undelivered)|non[- ]?delivery|mail system error|unzustellbar|nicht zugestellt"
    r"|non remis|échec|echec|no entregado|devuelto|mancata consegna|onbestelbaar|退信|недоставлен",
    re.IGNORECASE,
)
_DELAY_SUBJECT = re.compile(
    r"delay|warning|verzöger|still being retried|will (?:keep|continue) try|retrying", re.IGNORECASE
)
_WORDS_OF_DELAY = re.compile(
    r"warning message only|do not need to resend|will (?:keep|continue) (?:trying|to try|retrying)|still trying"
    r"|has been delayed|delivery is delayed|no action is required",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"(?<![\d.])(?:5\d\d[ -]#?(?:5\.\d{1,3}\.\d{1,3}\s)?|#?5\.\d{1,3}\.\d{1,3}\s|said: |host said)", re.ASCII
)
_RETURNED = re.compile(
    r"^[ \t>*-]*(?:(?:begin )?(?:original|returned) (?:message|mail)|(?:below|this) (?:this line )?is a copy of"
    r"|(?:the )?(?:original|undelivered|returned) message (?:follows|was|is|header)|message headers? follow"
    r"|return-path:|received:|ursprüngliche nachricht|message d'origine)",
    re.IGNORECASE | re.MULTILINE,
)
_TAG = re.compile(r"<[^<>]{0,2000}>")


def _is_system(sender: str) -> bool:
    return not sender or sender.rpartition("@")[0].lower() in _SYSTEMS


def _is_automatic(message: Message) -> bool:
    fields = _fields(message)
    return (
        bool(_AUTOMATIC_SUBJECT.match(_subject(message)))
        or "x-autoreply" in fields
        or "x-autorespond" in fields
        or fields.get("precedence", "").lower() in ("auto_reply", "auto-reply")
        or fields.get("auto-submitted", "").lower().startswith("auto-replied")
        or fields.get("x-auto-response-suppress", "") != ""
    )


def _in_words(message: Message, parts: list[Message]) -> Report:
    """A report without fields that a program can read."""
    subject = _subject(message)
    body = _body(parts)
    words = _quotation(body)
    if _AUTOMATIC_SUBJECT.match(subject):
        return Nothing("automatic-reply")
    delayed, failed = _known_formats(message, parts)
    if failed:
        return Failure(tuple(Failed(each, "", "5.0.0", words, "") for each in sorted(failed)), "", "text")
    if delayed or _DELAY_SUBJECT.search(subject) or _WORDS_OF_DELAY.search(body):
        return Nothing("delay")
    if _FAILURE_SUBJECT.search(subject) or (_REFUSED.search(body) and not _is_automatic(message)):
        return Failure((Failed("", "", "5.0.0", words, ""),), "", "text")
    return Nothing("automatic-reply" if _is_automatic(message) else "reply")


def _known_formats(message: Message, parts: list[Message]) -> tuple[set[str], set[str]]:
    """Recipients with a delay and those that failed, by flufl.bounce, which would look into embedded mails as well."""
    for part in parts:
        if part.get_content_type() == "message/rfc822":
            part.set_payload("")
    try:
        delayed, failed = all_failures(message)
    except Exception:  # its detectors are not written for hostile mail, and what they know is only a help
        return set(), set()
    return _addresses(delayed), _addresses(failed)


def _addresses(found: Iterable[bytes]) -> set[str]:
    return {_address(printable(each.decode("utf-8", "replace"))) for each in list(found)[:_MOST_RECIPIENTS]}


def _body(parts: list[Message]) -> str:
    """The words before the returned mail."""
    for wanted in ("text/plain", "text/html"):
        part = _first(parts, wanted)
        raw = None if part is None else part.get_payload(decode=True)
        if part is None or not isinstance(raw, bytes):
            continue
        text = _decoded(raw[: 4 * _MOST_BODY], part.get_content_charset())
        if wanted == "text/html":
            text = _TAG.sub(" ", _without_styles(text))
        returned = _RETURNED.search(text)
        if returned is not None:
            text = text[: returned.start()]
        if text.strip():
            return text[:_MOST_BODY]
    return ""


def _without_styles(html: str) -> str:
    kept, at = [], 0
    small = html.lower()
    while (begin := small.find("<style", at)) >= 0:
        kept.append(html[at:begin])
        end = small.find("</style", begin)
        at = end if end >= 0 else len(html)
    return " ".join([*kept, html[at:]])


def _decoded(raw: bytes, charset: str | None) -> str:
    try:
        return raw.decode(charset or "utf-8", "replace")
    except (LookupError, UnicodeError):  # a charset nobody knows, or one that is not of text
        return raw.decode("utf-8", "replace")


def _below(recipient: str, body: str) -> str:
    """What is indented below a line that is the recipient: Exim says so why it could not deliver by itself."""
    if not recipient:
        return ""
    pattern = rf"^([ \t]*)<?{re.escape(recipient)}>?:?[ \t]*\r?\n((?:\1[ \t]+\S.*(?:\n|\Z))+)"
    found = re.search(pattern, body, re.IGNORECASE | re.MULTILINE)
    return "" if found is None else printable(found[2])


def _quotation(body: str) -> str:
    """What the receiver said, as far as a text shows it: from the first refusal on, else all of it."""
    found = _REFUSED.search(body)
    return printable(body[found.start() : found.start() + 500] if found else body[:LONGEST_TEXT])
