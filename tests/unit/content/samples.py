"""Contents and contexts that the tests of this folder share."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from postroom.content.attributes import merge_attributes
from postroom.content.compiler import MissingName, compile_content
from postroom.content.model import Content, Context, Mail, NotComposed


def make_content(
    subject: str = "Hello",
    html: str | None = "<p>Hi</p>\n",
    text: str | None = None,
    *,
    preheader: str = "",
    from_name: str = "Shop",
    from_address: str = "shop@example.com",
    reply_to: str = "",
    cc: tuple[str, ...] = (),
    bcc: tuple[str, ...] = (),
) -> Content:
    return Content(subject, html, text, preheader, from_name, from_address, reply_to, cc, bcc)


def make_context(
    attributes: Mapping[str, object] | None = None,
    *,
    address: str = "anna@example.org",
    profile: Mapping[str, object] | None = None,
    system: Mapping[str, str] | None = None,
    accepted_at: datetime = datetime(2026, 3, 4, 19, 52, 7, tzinfo=UTC),
    message_id: str = "018f.1.2@example.com",
) -> Context:
    return Context(
        address=address,
        contact_key="contact-1",
        message_key="message-1",
        attributes=merge_attributes(None, attributes),
        profile=merge_attributes(None, profile),
        system=system or {},
        accepted_at=accepted_at,
        message_id=message_id,
    )


def compose(content: Content, context: Context, missing_name: MissingName = "fail") -> Mail:
    outcome = compile_content(content, missing_name=missing_name).compose(context)
    assert isinstance(outcome, Mail), outcome
    return outcome


def refused(content: Content, context: Context, missing_name: MissingName = "fail") -> NotComposed:
    outcome = compile_content(content, missing_name=missing_name).compose(context)
    assert isinstance(outcome, NotComposed), outcome
    return outcome


def parsed(mail: Mail) -> EmailMessage:
    message = message_from_bytes(mail.data, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def body_text(message: EmailMessage, subtype: str) -> str:
    """The decoded body of one subtype, its line breaks as LF."""
    part = message.get_body((subtype,))
    assert isinstance(part, EmailMessage)
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode().replace("\r\n", "\n")
