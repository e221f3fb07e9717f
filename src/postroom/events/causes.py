"""Why each status code is given: one table for status answers, webhooks and docs/statuses.md.

The numbers and names are the vendor's (contract §0.3, `events.codes`). A sentence is what a webhook's ``reason``
holds; ``given`` says when this server gives the code.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from postroom.events.codes import StatusCode


class Cause(NamedTuple):
    """The sentence about one message, and the rule behind it."""

    sentence: str
    given: str


CAUSES: Mapping[StatusCode, Cause] = MappingProxyType(
    {
        StatusCode.UNSUBSCRIBED: Cause(
            "The subscriber is unsubscribed.",
            "The contact is unsubscribed from the definition's list; or from everything, and the classification's "
            "delivery profile says `blockUnsubscribed`; or the address is suppressed as unsubscribed.",
        ),
        StatusCode.HELD: Cause(
            "The subscriber is held.",
            "The contact is held, or held on the definition's list, or its address is suppressed after a bounce or a "
            "complaint.",
        ),
        StatusCode.NO_ALL_SUBSCRIBERS_LIST_ENTRY: Cause(
            "The subscriber is not on the list and may not be added.",
            "`autoAddSubscriber` is false and the contact is unknown or not on the definition's list.",
        ),
        StatusCode.EMAIL_ADDRESS_MISMATCH: Cause(
            "The email address is not the one stored for the subscriber.",
            "`updateSubscriber` is false and the contact is stored with another address.",
        ),
        StatusCode.INVALID_ATTRIBUTE_VALUE: Cause(
            "An attribute value can't be read.",
            "The attributes are JSON by grammar but hold a number beyond all bounds or nest too deeply.",
        ),
        StatusCode.MISSING_REQUIRED_FIELDS: Cause(
            "A required field of the data extension is missing.",
            "A column of the definition's data extension is not nullable, has no default, and the send does not name "
            "it or sends null.",
        ),
        StatusCode.INVALID_FIELD_VALUE: Cause(
            "A value does not fit its field of the data extension.",
            "An attribute does not fit the type, length or precision of its column.",
        ),
        StatusCode.DUPLICATE_DATA_EXTENSION_ROW: Cause(
            "The data extension already has a row with this primary key.",
            "The send's row has the primary key of another row. A retry of the same message is no other row.",
        ),
        StatusCode.DATA_EXTENSION_INSERT_FAILED: Cause(
            "The row could not be inserted into the data extension.",
            "The data extension was deleted after the message was accepted.",
        ),
        StatusCode.SUPPRESSION_LIST_EXCLUSION: Cause(
            "The email address is on a suppression list.", "The address was suppressed by hand or by an import."
        ),
        StatusCode.SUBSCRIBER_QUEUE_CLEARED: Cause(
            "The message was cleared from the queue.",
            "DELETE of the definition's queue, or the message was cancelled by a command or a job.",
        ),
        StatusCode.SUBSCRIBER_DELETED: Cause(
            "The subscriber is deleted.", "The contact was deleted, or the address was erased."
        ),
        StatusCode.ERROR: Cause(
            "An internal error ended the message.",
            "The database refuses what belongs to this message, though it takes that of others; the event's detail has "
            "the SQLSTATE, and the log what to do. It was not sent, or will not be tried again.",
        ),
        StatusCode.FAILURE: Cause(
            "The message was refused and will not be tried again.",
            "The relay or receiving server refused it for good (a 5xx reply), or its domain takes no mail; the event's "
            "detail says which.",
        ),
        StatusCode.EXCLUDED: Cause(
            "The template left this subscriber out.",
            "RaiseError with its second argument true; HTTPGet with 2 as its third, and an empty answer.",
        ),
        StatusCode.MESSAGE_BUILD_ERROR: Cause(
            "The message could not be built.",
            "The template failed for this message: a name without a value, a fault of a function, a limit, no usable "
            "sender; the event's detail has part, line and column.",
        ),
        StatusCode.RECURSIVE_SCRIPT_ERROR: Cause(
            "The template contains itself.", "A content block is evaluated within itself."
        ),
        StatusCode.INVALID_EMAIL_ADDRESS_ERROR: Cause(
            "The email address is not valid.",
            "The stored address is no address mail can go to. The accept checks addresses, so this tells of rows "
            "written by something else.",
        ),
        StatusCode.SCRIPT_RAISE_ERROR: Cause("The template raised an error.", "RaiseError."),
        StatusCode.EMPTY_HTTP_GET_FUNCTION_RETURN_ERROR: Cause(
            "A site that the template asks answered with nothing.", "HTTPGet with 1 as its third argument."
        ),
        StatusCode.EMPTY_SUBJECT: Cause("The subject is empty.", "Nothing is left of the subject for this message."),
        StatusCode.INVALID_CC_EMAIL_ADDRESS_ERROR: Cause(
            "A cc address is not valid.", "A cc entry has no value, or a value that is no address, for this message."
        ),
        StatusCode.INVALID_BCC_EMAIL_ADDRESS_ERROR: Cause(
            "A bcc address is not valid.", "A bcc entry has no value, or a value that is no address, for this message."
        ),
        StatusCode.TIMED_OUT_IN_QUEUE: Cause(
            "The message waited too long in the queue.",
            "The definition was not active for `POSTROOM_QUEUE_HOURS`, or no attempt succeeded within "
            "`POSTROOM_RETRY_MAX_HOURS` or the definition's `deliverBefore`.",
        ),
        StatusCode.V2_TRIGGERED_SEND_DELETED_FROM_QUEUE: Cause(
            "The definition was deleted while the message waited.", "DELETE of a definition with a queue."
        ),
    }
)
"""Every code that this server gives."""
