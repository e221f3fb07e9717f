"""One mail taken apart for reading: header fields, HTML, text, attachments.

Mail is whatever someone sent: broken MIME, charsets that do not exist, a thousand nested parts. A mail that cannot
be taken apart is shown as text; nothing here raises on any bytes.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from urllib.parse import unquote

from postroom.sandbox.headers import decode_field, decode_text

_LONGEST_VALUE = 64_000
_CID = re.compile(r"""(?i)\bcid:([^"'\s)<>]+)""")
_IMAGE = re.compile(r"image/(?:png|jpeg|gif|webp|avif|bmp|svg\+xml)")

# What the parser of the standard library has been seen to raise on hostile input.
_PARSER_FAILURES = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is not the body. `content_id` is without its brackets and empty when there is none."""

    filename: str
    content_type: str
    content_id: str
    content: bytes


@dataclass(frozen=True, slots=True)
class MailView:
    """headers: name and decoded value, in their order. html, text: the first part of that kind."""

    headers: tuple[tuple[str, str], ...]
    html: str | None
    text: str | None
    attachments: tuple[Attachment, ...]

    def framed_html(self) -> str | None:
        """The HTML with `cid:` images put in as data URIs, so that a frame without any access shows them."""
        if self.html is None:
            return None
        images = {part.content_id: part for part in self.attachments if _IMAGE.fullmatch(part.content_type)}

        def put_in(found: re.Match[str]) -> str:
            part = images.get(found[1]) or images.get(unquote(found[1]))
            return f"data:{part.content_type};base64,{b64encode(part.content).decode()}" if part else found[0]

        return _CID.sub(put_in, self.html) if images else self.html


def read_mail(raw: bytes) -> MailView:
    """Takes a mail apart."""
    try:
        return _read(BytesParser(policy=compat32).parsebytes(raw))
    except _PARSER_FAILURES:
        return MailView(headers=(), html=None, text=decode_text(raw, "utf-8"), attachments=())


def _read(mail: Message) -> MailView:
    html: str | None = None
    text: str | None = None
    attachments: list[Attachment] = []
    for part in mail.walk():
        if part.is_multipart():
            continue
        kind = part.get_content_type()
        filename = part.get_filename()
        content = _content(part)
        is_body = part.get_content_disposition() != "attachment" and not filename
        if is_body and kind == "text/html" and html is None:
            html = decode_text(content, _charset(part))
        elif is_body and kind == "text/plain" and text is None:
            text = decode_text(content, _charset(part))
        elif content or filename:
            content_id = _text(part.get("Content-ID", "")).strip().strip("<>")
            attachments.append(Attachment(decode_field(_text(filename or "")), kind, content_id, content))
    headers = tuple(
        (_text(name), decode_field(_text(value), longest=_LONGEST_VALUE)) for name, value in mail.raw_items()
    )
    return MailView(headers, html, text, tuple(attachments))


def _content(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _charset(part: Message) -> str | None:
    charset = part.get_param("charset")
    if isinstance(charset, tuple):  # RFC 2231: (charset, language, value)
        charset = charset[2]
    return charset if isinstance(charset, str) else None


def _text(value: object) -> str:
    """The parser keeps octets beyond ASCII as lone surrogates; they are UTF-8 in today's mail (RFC 6532)."""
    return str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
