"""Send definitions on the wire (contract §3), and the way between them and the catalogue's terms.

Unknown and read-only fields of a request are ignored: clients send back what they were given.
"""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from postroom.api.errors import ApiError, Code
from postroom.api.times import minute_time
from postroom.api.wire.decoding import decode, refuse_token_in, shorter, storable
from postroom.api.wire.diagnostics import Diagnostic, diagnostics
from postroom.catalog.definitions import Definition, DefinitionSummary
from postroom.catalog.publishing import DefinitionChange, DefinitionDraft, Status
from postroom.catalog.sending_options import DEFAULT, SendingOptions
from postroom.content.model import Problem

LONGEST_KEY = 36  # contract §3
LONGEST_NAME = 100
LONGEST_DESCRIPTION = 2000

_TYPE_CODES = {
    "subscriptions.autoAddSubscriber": Code.INVALID_AUTO_ADD,
    "subscriptions.updateSubscriber": Code.INVALID_UPDATE,
    "options": Code.INVALID_OPTIONS,
    "postroom": Code.INVALID_VALUE,
}

_STATUSES: dict[str, Status] = {"new": "New", "active": "Active", "inactive": "Inactive"}


class WireContent(msgspec.Struct, rename="camel"):
    customer_key: str | None = None


class WireSubscriptions(msgspec.Struct, rename="camel"):
    list: str | None = None
    data_extension: str | None = None
    auto_add_subscriber: bool | None = None
    update_subscriber: bool | None = None


class WireOptions(msgspec.Struct, rename="camel"):
    track_links: bool | None = None
    cc: list[str] | None = None
    bcc: list[str] | None = None
    create_journey: bool | None = None


class DefinitionBody(msgspec.Struct, rename="camel"):
    """The body of POST and PATCH; null is the same as absent."""

    definition_key: str | None = None
    name: str | None = None
    description: str | None = None
    classification: str | None = None
    status: str | None = None
    content: WireContent | None = None
    subscriptions: WireSubscriptions | None = None
    options: WireOptions | None = None
    postroom: SendingOptions | None = None


class ShownContent(msgspec.Struct, rename="camel"):
    """The asset of a definition."""

    customer_key: str


class ShownSubscriptions(msgspec.Struct, rename="camel", kw_only=True):
    """Where its contacts are."""

    list: str
    auto_add_subscriber: bool
    update_subscriber: bool
    data_extension: str | UnsetType = UNSET


class ShownOptions(msgspec.Struct, rename="camel", kw_only=True):
    """Its options; without copies there is no such field."""

    track_links: bool
    cc: Sequence[str] | UnsetType = UNSET
    bcc: Sequence[str] | UnsetType = UNSET


class ShownDefinition(msgspec.Struct, rename="camel", kw_only=True):
    """The full representation; what is not set is left out."""

    request_id: str
    name: str
    definition_key: str
    definition_id: str
    description: str | UnsetType = UNSET
    postroom: SendingOptions | UnsetType = UNSET
    classification: str
    status: str
    created_date: str
    modified_date: str
    content: ShownContent
    subscriptions: ShownSubscriptions
    options: ShownOptions
    journey: dict[str, str] = {}
    postroom_diagnostics: list[Diagnostic] | UnsetType = UNSET
    """When it was published just now."""


class ListedDefinition(msgspec.Struct, rename="camel"):
    """One entry of a listing: five fields."""

    name: str
    definition_key: str
    status: str
    created_date: str
    modified_date: str


class Definitions(msgspec.Struct, rename="camel"):
    """A page of definitions; ``count`` is how many are in it."""

    request_id: str
    definitions: list[ListedDefinition]
    count: int
    page: int
    page_size: int


class Deleted(msgspec.Struct, rename="camel"):
    """The reply of a delete, with the key that the definition is archived under."""

    request_id: str
    message: str
    deleted_definition_key: str
    journey: dict[str, str] = {}


_decoder = msgspec.json.Decoder(DefinitionBody)


def read_draft(body: bytes) -> DefinitionDraft:
    """The definition a POST asks for. Raises ApiError naming the field."""
    wire = _read(body)
    if not wire.definition_key:
        raise ApiError(Code.REQUIRED_DEFINITION_KEY, "definitionKey is required")
    content, subscriptions, options = _parts(wire)
    shorter("definitionKey", wire.definition_key, LONGEST_KEY)
    return DefinitionDraft(
        definition_key=wire.definition_key,
        name=_required("name", wire.name),
        content_key=_required("content.customerKey", content.customer_key),
        list_key=_required("subscriptions.list", subscriptions.list),
        data_extension_key=subscriptions.data_extension or None,
        description=wire.description,
        status=_status(wire.status),
        classification_key=wire.classification or None,
        auto_add_subscriber=subscriptions.auto_add_subscriber is not False,
        update_subscriber=subscriptions.update_subscriber is not False,
        track_links=options.track_links is not False,
        cc=tuple(options.cc or ()),
        bcc=tuple(options.bcc or ()),
        sending=wire.postroom or DEFAULT,
    )


def read_change(body: bytes, definition_key: str) -> DefinitionChange:
    """What a PATCH of this definition changes. Raises ApiError naming the field."""
    wire = _read(body)
    if wire.definition_key is not None and wire.definition_key.lower() != definition_key.lower():
        raise ApiError(
            Code.INVALID_VALUE,
            f"definitionKey is {wire.definition_key!r} and the path says {definition_key!r}; it can't be changed",
        )
    content, subscriptions, options = _parts(wire)
    given = {
        "name": wire.name,
        "content.customerKey": content.customer_key,
        "subscriptions.list": subscriptions.list,
        "classification": wire.classification,
    }
    for field, text in given.items():
        if text is not None:
            _required(field, text)
    return DefinitionChange(
        name=wire.name,
        content_key=content.customer_key,
        list_key=subscriptions.list,
        data_extension_key=subscriptions.data_extension,
        description=wire.description,
        status=_status(wire.status),
        classification_key=wire.classification,
        auto_add_subscriber=subscriptions.auto_add_subscriber,
        update_subscriber=subscriptions.update_subscriber,
        track_links=options.track_links,
        cc=None if options.cc is None else tuple(options.cc),
        bcc=None if options.bcc is None else tuple(options.bcc),
        sending=wire.postroom,
    )


def full_definition(definition: Definition, request_id: str, warnings: Sequence[Problem] = ()) -> ShownDefinition:
    """The full representation; ``warnings`` is what publishing it has found."""
    return ShownDefinition(
        request_id=request_id,
        name=definition.name,
        definition_key=definition.definition_key,
        definition_id=str(definition.definition_id),
        description=UNSET if definition.description is None else definition.description,
        postroom=UNSET if definition.sending == DEFAULT else definition.sending,
        classification=definition.classification_key,
        status=definition.status,
        created_date=minute_time(definition.created_at),
        modified_date=minute_time(definition.modified_at),
        content=ShownContent(definition.content_key),
        subscriptions=ShownSubscriptions(
            list=definition.list_key,
            auto_add_subscriber=definition.auto_add_subscriber,
            update_subscriber=definition.update_subscriber,
            data_extension=UNSET if definition.data_extension_key is None else definition.data_extension_key,
        ),
        options=ShownOptions(
            track_links=definition.track_links, cc=definition.cc or UNSET, bcc=definition.bcc or UNSET
        ),
        postroom_diagnostics=diagnostics(warnings) or UNSET,
    )


def summary(definition: DefinitionSummary) -> ListedDefinition:
    """One entry of a listing."""
    return ListedDefinition(
        definition.name,
        definition.definition_key,
        definition.status,
        minute_time(definition.created_at),
        minute_time(definition.modified_at),
    )


def _read(body: bytes) -> DefinitionBody:
    wire = decode(_decoder, body, _TYPE_CODES)
    refuse_token_in(body)
    content, subscriptions, options = _parts(wire)
    storable(
        {
            "definitionKey": wire.definition_key,
            "name": wire.name,
            "description": wire.description,
            "classification": wire.classification,
            "content.customerKey": content.customer_key,
            "subscriptions.list": subscriptions.list,
            "subscriptions.dataExtension": subscriptions.data_extension,
        }
    )
    if wire.name is not None:
        shorter("name", wire.name, LONGEST_NAME)
    if wire.description is not None:
        shorter("description", wire.description, LONGEST_DESCRIPTION)
    for entry in (*(options.cc or ()), *(options.bcc or ())):
        if any(ord(character) < 32 for character in entry):
            raise ApiError(Code.INVALID_OPTIONS, "options.cc and options.bcc must not hold control characters")
    if options.create_journey:
        raise ApiError(
            Code.INVALID_OPTIONS, "options.createJourney: journeys are not offered; leave it out or send false"
        )
    return wire


def _parts(wire: DefinitionBody) -> tuple[WireContent, WireSubscriptions, WireOptions]:
    return (
        wire.content or WireContent(),
        wire.subscriptions or WireSubscriptions(),
        wire.options or WireOptions(),
    )


def _required(field: str, text: str | None) -> str:
    if text is None or not text.strip():
        raise ApiError(Code.REQUIRED, f"{field} is required")
    return text


def _status(text: str | None) -> Status | None:
    if text is None:
        return None
    found = _STATUSES.get(text.lower())
    if found is None:
        raise ApiError(Code.INVALID_VALUE, f"status is {text[:50]!r}; it must be Active or Inactive")
    return found
