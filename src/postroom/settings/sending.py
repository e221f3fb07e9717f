"""What is sent, by whom, and how long it is kept."""

from dataclasses import dataclass
from typing import Annotated, Literal

from postroom.settings.option import doc


@dataclass(frozen=True, kw_only=True)
class SendingSettings:
    """Sending."""

    from_name: Annotated[str, doc("Sender name of mails whose definition names no other.", unit="text")] = "Postroom"
    from_address: Annotated[
        str,
        doc(
            "Sender address of mails whose definition names no other.",
            unit="email address",
            default="`no-reply@` and the host of `public_url` when that is a domain name, "
            "else `no-reply@postroom.localhost`",
        ),
    ]
    feedback_id: Annotated[
        str,
        doc(
            "The last part of the `Feedback-ID` header, by which Gmail's Postmaster Tools tell senders apart: 5 to 15 "
            "letters, digits, `-` or `_`; `none` leaves the header out.",
            unit="text",
        ),
    ] = "postroom"
    auto_submitted: Annotated[
        Literal["auto-generated", "none"],
        doc(
            "What the header `Auto-Submitted` says: `auto-generated` keeps absence notes from being sent back; `none` "
            "leaves it out, for recipients that file such mail away, as some help desks do."
        ),
    ] = "auto-generated"
    text_part: Annotated[
        Literal["derive", "none"],
        doc(
            "Mail whose author wrote HTML and no text: `derive` puts a text beside it, made from the HTML when a "
            "version is first sent; `none` sends the HTML alone. HTML that holds code never gets one."
        ),
    ] = "derive"
    new_definition_status: Annotated[
        Literal["New", "Active"],
        doc("Status of a definition that is created without one; only an `Active` one sends."),
    ] = "New"
    key_window_hours: Annotated[
        int,
        doc("How long a message key stays taken in its business unit.", unit="hours", ge=24, le=168),
    ] = 72
    queue_hours: Annotated[
        int,
        doc(
            "How long a message waits for an inactive definition before it counts as not sent.",
            unit="hours",
            ge=1,
            le=720,
        ),
    ] = 72
    status_hours: Annotated[
        int,
        doc("How long the status of a message can be asked for by its key.", unit="hours", ge=1, le=720),
    ] = 72
