"""The synchronous checks of a send request (contract §4): shallow, per recipient, pure.

What passes here is stored. What does not gets the vendor's code in its place of the answer and leaves no trace.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from postroom.content.address import is_address
from postroom.intake.keys import fold_key, generate_keys
from postroom.intake.request import Recipient, RecipientError, RequestMalformed, SendRequest

MESSAGE_KEY_CHARACTERS = 100  # contract §4.1
SUBSCRIBER_KEY_CHARACTERS = 254  # the vendor's column width; the API documents only that there is a limit


@dataclass(slots=True)
class Candidates:
    """The columns of the message rows of one request, and what was wrong with the others.

    ``keys`` has one key for every recipient, good or bad. The column lists hold the good ones, in order of
    position. ``supplied`` are the folded keys that came from the client: only they can have been used before.
    """

    keys: list[str]
    errors: dict[int, RecipientError] = field(default_factory=dict)
    positions: list[int] = field(default_factory=list)
    message_keys: list[str] = field(default_factory=list)
    contact_keys: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    attributes: list[str | None] = field(default_factory=list)
    supplied: dict[str, int] = field(default_factory=dict)


def examine(request: SendRequest, random_bytes: Callable[[int], bytes]) -> Candidates:
    """Check every recipient; raises RequestMalformed when ``attributes`` is anything but a JSON object."""
    recipients = request.recipients
    attributes_text(request.attributes, "attributes")
    missing = sum(1 for recipient in recipients if recipient.message_key is None)
    generated = iter(generate_keys(missing, random_bytes) if request.message_key is None else ())
    found = Candidates(keys=[])
    for position, recipient in enumerate(recipients):
        supplied = request.message_key if request.message_key is not None else recipient.message_key
        key = next(generated) if supplied is None else supplied
        found.keys.append(key)
        text = attributes_text(recipient.attributes, f"recipients[{position}].attributes")
        error = _first_error(recipient, supplied)
        if error is None and supplied is not None:
            folded = fold_key(supplied)
            if folded in found.supplied:
                error = RecipientError.DUPLICATE_MESSAGE_KEY
            else:
                found.supplied[folded] = position
        if error is not None:
            found.errors[position] = error
            continue
        assert recipient.contact_key is not None
        assert recipient.to is not None
        found.positions.append(position)
        found.message_keys.append(key)
        found.contact_keys.append(recipient.contact_key)
        found.addresses.append(recipient.to)
        found.attributes.append(text)
    return found


def _first_error(recipient: Recipient, supplied_key: str | None) -> RecipientError | None:
    contact_key = recipient.contact_key
    if not contact_key:
        return RecipientError.MISSING_SUBSCRIBER_KEY
    if len(contact_key) > SUBSCRIBER_KEY_CHARACTERS or "\0" in contact_key:
        return RecipientError.INVALID_SUBSCRIBER_KEY
    if not recipient.to:
        return RecipientError.MISSING_TO
    if not is_address(recipient.to):
        return RecipientError.INVALID_TO
    if supplied_key is not None and (
        not supplied_key or len(supplied_key) > MESSAGE_KEY_CHARACTERS or "\0" in supplied_key
    ):
        return RecipientError.INVALID_MESSAGE_KEY
    return None


def attributes_text(attributes: msgspec.Raw, field_path: str) -> str | None:
    """The stored form of an ``attributes`` value: its JSON text, or None when there is nothing in it."""
    raw = bytes(attributes)
    if not raw or raw == b"null" or raw == b"{}":
        return None
    if raw[:1] != b"{":
        raise RequestMalformed(field_path, "must be an object of attribute names and values")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise RequestMalformed(field_path, "must be UTF-8") from None
