"""Data extensions on the wire (contract §7.2), and the way between them and the catalogue's terms.

Unknown and read-only fields of a request are ignored: clients send back what they were given.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID, uuid5

import msgspec
from msgspec import UNSET, UnsetType

from postroom.api.errors import ApiError, Code
from postroom.api.times import fine_time
from postroom.api.wire.decoding import decode, refuse_token_in, shorter, storable
from postroom.catalog.data_columns import COLUMN_TYPES, Column, ColumnType, shown_text
from postroom.catalog.data_extensions import DataExtension, ExtensionDraft, ExtensionRejected, ExtensionTaken, checked
from postroom.catalog.data_query import Row
from postroom.catalog.data_rows import RowFault, RowProblem
from postroom.content.attributes import fold_name, value_text

LONGEST_DESCRIPTION = 2000
MOST_ITEMS = 32_000  # contract §8, asynchronous batches
_SHOWN_PROBLEMS = 20

_FAULTS = {
    RowFault.MISSING: Code.REQUIRED,
    RowFault.INVALID: Code.INVALID_VALUE,
    RowFault.UNKNOWN_COLUMN: Code.INVALID_VALUE,
    RowFault.DUPLICATE: Code.ALREADY_EXISTS,
    RowFault.NO_SUCH_ROW: Code.NOT_FOUND,
    RowFault.NO_KEY: Code.INVALID_OPERATION,
}


class WireField(msgspec.Struct, rename="camel"):
    """A field to make, or the change of one; null is the same as absent."""

    id: str | None = None
    name: str | None = None
    type: str | None = None
    length: int | None = None
    scale: int | None = None
    is_primary_key: bool | None = None
    is_nullable: bool | None = None
    default_value: str | int | float | bool | None = None


class WireExtension(msgspec.Struct, rename="camel"):
    """The body of a create; null is the same as absent."""

    name: str | None = None
    key: str | None = None
    description: str | None = None
    is_sendable: bool | None = None
    sendable_custom_object_field: str | None = None
    category_id: int | None = None
    fields: list[WireField] | None = None


class WireRow(msgspec.Struct):
    keys: dict[str, Any] = {}
    values: dict[str, Any] = {}


class WireValues(msgspec.Struct):
    values: dict[str, Any] | None = None


class WireItems(msgspec.Struct):
    items: list[dict[str, Any]] | None = None


class ShownField(msgspec.Struct, rename="camel", kw_only=True):
    """A field of a data extension."""

    id: str
    name: str
    type: ColumnType
    ordinal: int
    is_primary_key: bool
    is_nullable: bool
    length: int | UnsetType = UNSET
    scale: int | UnsetType = UNSET
    default_value: str | UnsetType = UNSET


class ShownExtension(msgspec.Struct, rename="camel", kw_only=True):
    """A data extension; lists leave its fields out."""

    id: str
    name: str
    key: str
    description: str
    is_active: bool
    is_sendable: bool
    category_id: int
    created_date: str
    modified_date: str
    row_count: int
    field_count: int
    sendable_custom_object_field: str | UnsetType = UNSET
    sendable_subscriber_field: str | UnsetType = UNSET
    fields: list[ShownField] | UnsetType = UNSET


class ShownFields(msgspec.Struct):
    """The fields of one data extension."""

    id: str
    fields: list[ShownField]


class ShownRow(msgspec.Struct):
    """A row: names in lower case, values as texts."""

    keys: dict[str, str]
    values: dict[str, str]


class RowsetLinks(msgspec.Struct):
    """Paths of this page and its neighbours."""

    self: str
    previous: str | UnsetType = UNSET
    next: str | UnsetType = UNSET


class Rowset(msgspec.Struct, rename="camel"):
    """A page of rows; ``count`` is the total."""

    links: RowsetLinks
    request_token: str
    token_expire_date_utc: str
    custom_object_id: str
    custom_object_key: str
    page_size: int
    page: int
    count: int
    items: list[ShownRow]


class WrittenRow(msgspec.Struct):
    """A row as it was written, or the key of one that was deleted."""

    keys: dict[str, str]
    values: dict[str, Any]


class ResultMessage(msgspec.Struct, rename="camel"):
    """What is wrong with a request as a whole."""

    result_type: Literal["Operational"]
    result_class: Literal["Error"]
    result_code: str
    message: str


class JobAccepted(msgspec.Struct, rename="camel"):
    """202 of an asynchronous call; with 200, why there was none."""

    request_id: str
    result_messages: list[ResultMessage]


class JobState(msgspec.Struct, rename="camel"):
    """How an asynchronous call went."""

    call_date_time: str
    pickup_date_time: str
    completion_date_time: str
    has_errors: bool
    request_status: Literal["Complete"]
    result_status: Literal["OK", "Error"]
    request_id: str


class JobStatus(msgspec.Struct, rename="camel"):
    """The status of an asynchronous call."""

    status: JobState
    request_id: str
    result_messages: list[ResultMessage]


class RowResult(msgspec.Struct, rename="camel"):
    """What became of one row of an asynchronous call."""

    error_code: str
    message: str
    status: Literal["OK", "Error"]


class JobResults(msgspec.Struct, rename="camel"):
    """A page of results, in the order of the call; ``count`` is the total."""

    page: int
    page_size: int
    count: int
    items: list[RowResult]
    request_id: str
    result_messages: list[ResultMessage]


_extension = msgspec.json.Decoder(WireExtension)
_rows = msgspec.json.Decoder(list[WireRow])
_values = msgspec.json.Decoder(WireValues)
_items = msgspec.json.Decoder(WireItems)


def read_extension(body: bytes, *, new_key: str) -> ExtensionDraft:
    """The data extension a body asks for; ``new_key`` is its key when it names none. Raises ApiError."""
    wire = decode(_extension, body)
    refuse_token_in(body)
    storable(
        {
            "name": wire.name,
            "key": wire.key,
            "description": wire.description,
            "sendableCustomObjectField": wire.sendable_custom_object_field,
        }
    )
    if not wire.name or not wire.name.strip():
        raise ApiError(Code.REQUIRED, "name is required")
    if not wire.fields:
        raise ApiError(Code.REQUIRED, "fields is required: at least one field")
    shorter("description", wire.description or "", LONGEST_DESCRIPTION)
    category_id = wire.category_id or 0
    if not 0 <= category_id < 2**63:
        raise ApiError(Code.INVALID_VALUE, "categoryId must be the number of a folder")
    columns = tuple(new_column(place, field) for place, field in enumerate(wire.fields))
    subscriber = None
    if wire.is_sendable or (wire.is_sendable is None and wire.sendable_custom_object_field):
        subscriber = wire.sendable_custom_object_field or _subscriber_column(columns)
    draft = ExtensionDraft(wire.key or new_key, wire.name, wire.description or "", columns, subscriber, category_id)
    try:
        return checked(draft)
    except ExtensionRejected as rejected:
        raise rejection(rejected) from None


def rejection(rejected: ExtensionRejected) -> ApiError:
    """The error of a data extension that can't be so."""
    if isinstance(rejected, ExtensionTaken):
        return ApiError(Code.ALREADY_EXISTS, str(rejected))
    if rejected.field == "key" and ("definition" in str(rejected)):
        return ApiError(Code.INVALID_OPERATION, str(rejected))
    return ApiError(Code.INVALID_VALUE, str(rejected))


def read_rows(body: bytes) -> tuple[list[dict[str, Any]], bytes]:
    """The rows of a rowset, keys and values together, and the body as it is echoed. Raises ApiError."""
    wire = decode(_rows, body)
    refuse_token_in(body)
    if not wire:
        raise ApiError(Code.REQUIRED, "the body must hold at least one row")
    return [row.values | row.keys for row in wire], msgspec.json.encode(wire)


def read_values(body: bytes) -> dict[str, Any]:
    """The values of one row. Raises ApiError."""
    wire = decode(_values, body)
    refuse_token_in(body)
    if wire.values is None:
        raise ApiError(Code.REQUIRED, "values is required")
    return wire.values


def read_items(body: bytes) -> list[dict[str, Any]]:
    """The rows of an asynchronous call. Raises ApiError."""
    wire = decode(_items, body)
    refuse_token_in(body)
    if not wire.items:
        raise ApiError(Code.REQUIRED, "items must hold at least one row")
    if len(wire.items) > MOST_ITEMS:
        raise ApiError(Code.INVALID_VALUE, f"items holds {len(wire.items)} rows; at most {MOST_ITEMS} are allowed")
    return wire.items


def rows_rejected(problems: Sequence[RowProblem | None]) -> ApiError:
    """The error of a synchronous call with bad rows: the first one's, and the others beside it."""
    bad = [(place, problem) for place, problem in enumerate(problems) if problem is not None]
    place, first = bad[0]
    details = [
        {
            "message": _FAULTS[problem.fault].message(f"row {number}: {problem.text}"),
            "errorcode": _FAULTS[problem.fault].row.errorcode,
            "documentation": "",
        }
        for number, problem in bad[:_SHOWN_PROBLEMS]
    ]
    extra = {"additionalErrors": details} if len(bad) > 1 else None
    return ApiError(_FAULTS[first.fault], f"row {place}: {first.text}", extra=extra)


def shown_extension(extension: DataExtension, row_count: int, *, fields: bool) -> ShownExtension:
    """A data extension as create, get and list show it."""
    sendable = extension.subscriber_column is not None
    return ShownExtension(
        id=str(extension.object_id),
        name=extension.name,
        key=extension.key,
        description=extension.description,
        is_active=True,
        is_sendable=extension.sendable,
        category_id=extension.category_id,
        created_date=fine_time(extension.created_at),
        modified_date=fine_time(extension.modified_at),
        row_count=row_count,
        field_count=len(extension.columns),
        sendable_custom_object_field=extension.subscriber_column or UNSET,
        sendable_subscriber_field="_SubscriberKey" if sendable else UNSET,
        fields=shown_fields(extension) if fields else UNSET,
    )


def shown_fields(extension: DataExtension) -> list[ShownField]:
    """Its fields, in their order."""
    return [
        ShownField(
            id=field_id(extension.object_id, column),
            name=column.name,
            type=column.type,
            ordinal=ordinal,
            is_primary_key=column.primary_key,
            is_nullable=column.nullable,
            length=UNSET if column.length is None else column.length,
            scale=column.scale if column.type == "Decimal" else UNSET,
            default_value=UNSET if column.default is None else column.default,
        )
        for ordinal, column in enumerate(extension.columns)
    ]


def field_id(object_id: UUID, column: Column) -> str:
    """The id that clients see of a field."""
    return str(uuid5(object_id, column.folded))


def read_columns(extension: DataExtension, fields: str | None) -> Sequence[Column]:
    """The columns that `$fields` asks for, with those of the primary key; all without it. Raises ApiError."""
    names = [name.strip().strip("[]") for name in (fields or "").split(",") if name.strip()]
    if not names:
        return extension.columns
    wanted = {fold_name(name) for name in names}
    for name in names:
        if fold_name(name) not in extension.by_name:
            raise ApiError(Code.INVALID_VALUE, f"$fields: there is no column {name[:100]!r} in {extension.key}")
    return [column for column in extension.columns if column.primary_key or column.folded in wanted]


def shown_row(columns: Sequence[Column], row: Row) -> ShownRow:
    """A row as the data routes show it, these columns of it."""
    keys: dict[str, str] = {}
    values: dict[str, str] = {}
    for column in columns:
        text = shown_text(column, row.cells.get(column.folded))
        (keys if column.primary_key else values)[column.name.lower()] = text
    return ShownRow(keys, values)


def key_pairs(text: str) -> Mapping[str, str]:
    """The primary key of a path, ``Column:value`` and more of them after commas. Raises ApiError."""
    pairs: dict[str, str] = {}
    for part in text.split(","):
        name, colon, value = part.partition(":")
        if not colon or not name.strip():
            raise ApiError(
                Code.INVALID_VALUE, f"the row key {text[:100]!r} in the path must be Column:value, with commas between"
            )
        pairs[name.strip()] = value
    return pairs


def new_column(place: int, field: WireField) -> Column:
    """The column that a field of a create asks for. Raises ApiError."""
    path = f"fields[{place}]"
    storable({f"{path}.name": field.name})
    if not field.name or not field.name.strip():
        raise ApiError(Code.REQUIRED, f"{path}.name is required")
    if not field.type:
        raise ApiError(Code.REQUIRED, f"{path}.type is required")
    known = COLUMN_TYPES.get(field.type.lower())
    if known is None:
        raise ApiError(
            Code.INVALID_VALUE,
            f"{path}.type is {field.type[:50]!r}; it must be one of {', '.join(COLUMN_TYPES.values())}",
        )
    default = field.default_value
    return Column(
        name=field.name.strip(),
        type=known,
        length=field.length,
        scale=field.scale or 0,
        primary_key=bool(field.is_primary_key),
        nullable=field.is_nullable is not False,
        default=None if default is None or default == "" else value_text(default),
    )


def _subscriber_column(columns: Sequence[Column]) -> str | None:
    for wanted in ("subscriberkey", "subscriber key", "contactkey"):
        for column in columns:
            if column.folded == wanted:
                return column.name
    raise ApiError(Code.REQUIRED, "sendableCustomObjectField is required: the field that holds the contact key")
