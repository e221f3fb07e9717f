"""Send requests, their answers, and statuses on the wire (contract §4, §5.1)."""

import msgspec


class WireRecipient(msgspec.Struct, rename="camel", gc=False):
    """One recipient, read by attribute further down; null is the same as absent."""

    contact_key: str | None = None
    to: str | None = None
    message_key: str | None = None
    attributes: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class ManyBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of POST /messages."""

    definition_key: str | None = None
    recipients: list[WireRecipient] | None = None
    attributes: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class OneBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of POST /messages/{messageKey}."""

    definition_key: str | None = None
    recipient: WireRecipient | None = None


class WireResponse(msgspec.Struct, rename="camel", omit_defaults=True, gc=False):
    """What became of one recipient; a queued one shows its key only."""

    message_key: str
    errorcode: int = 0
    message: str = ""


class Accepted(msgspec.Struct):
    """202, every recipient queued."""

    requestId: str  # noqa: N815
    errorcode: int
    responses: list[WireResponse]


class PartlyAccepted(msgspec.Struct):
    """202, some recipients queued."""

    requestId: str  # noqa: N815
    errorcode: int
    message: str
    responses: list[WireResponse]


class StatusInfo(msgspec.Struct, rename="camel", omit_defaults=True):
    """Whom a status is about; the code and its name only when the message was not sent."""

    message_key: str
    contact_key: str
    to: str
    status_code: int | None = None
    status_message: str | None = None


class FinalStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    """A message sent or not sent. A code stands here as well as in ``info``, where the documentation has it."""

    request_id: str
    event_category_type: str
    timestamp: str
    composite_id: str
    info: StatusInfo
    status_code: int | None = None
    status_message: str | None = None


class QueuedStatus(msgspec.Struct, rename="camel"):
    """A message that is still on its way: nothing but this is said of it."""

    request_id: str
    event_category_type: str
    timestamp: str


class NotSentInfo(msgspec.Struct, rename="camel"):
    """Whom an entry of the not-sent list is about."""

    message_key: str
    contact_key: str


class NotSentMessage(msgspec.Struct):
    """One entry of the not-sent list."""

    statusCode: int  # noqa: N815
    statusMessage: str  # noqa: N815
    eventCategoryType: str  # noqa: N815
    timestamp: str
    definitionKey: str  # noqa: N815
    eventID: int  # noqa: N815
    info: NotSentInfo


class NotSentList(msgspec.Struct):
    """A page of the not-sent list; ``lastEventID`` is the cursor for the next."""

    requestId: str  # noqa: N815
    lastEventID: int  # noqa: N815
    messages: list[NotSentMessage]
    count: int
    pageSize: int  # noqa: N815


many_decoder = msgspec.json.Decoder(ManyBody)
one_decoder = msgspec.json.Decoder(OneBody)
