"""Changes of data extensions on the wire: what they are called, and fields added or changed (contract §7.2)."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import msgspec

from postroom.api.errors import ApiError, Code
from postroom.api.wire.data import LONGEST_DESCRIPTION, WireExtension, WireField, field_id, new_column
from postroom.api.wire.decoding import decode, refuse_token_in, shorter, storable
from postroom.catalog.data_columns import COLUMN_TYPES, Column
from postroom.catalog.data_extensions import DataExtension, ExtensionDraft
from postroom.content.attributes import fold_name, value_text


class WireFields(msgspec.Struct):
    """Fields to add, or to change as their id or name says."""

    fields: list[WireField] | None = None


_change = msgspec.json.Decoder(WireExtension)
_fields = msgspec.json.Decoder(WireFields)


def read_extension_change(body: bytes) -> WireExtension:
    """A PATCH of a data extension. Raises ApiError."""
    wire = decode(_change, body)
    refuse_token_in(body)
    subscriber = wire.sendable_custom_object_field
    storable({"name": wire.name, "description": wire.description, "sendableCustomObjectField": subscriber})
    if wire.name is not None and not wire.name.strip():
        raise ApiError(Code.REQUIRED, "name must not be empty")
    shorter("description", wire.description or "", LONGEST_DESCRIPTION)
    if wire.category_id is not None and not 0 <= wire.category_id < 2**63:
        raise ApiError(Code.INVALID_VALUE, "categoryId must be the number of a folder")
    return wire


def read_fields(body: bytes) -> list[WireField]:
    """The fields of a call that adds or changes some. Raises ApiError."""
    wire = decode(_fields, body)
    refuse_token_in(body)
    if not wire.fields:
        raise ApiError(Code.REQUIRED, "fields is required: at least one field")
    return wire.fields


def changed_extension(stored: DataExtension, wire: WireExtension) -> ExtensionDraft:
    """The data extension with what the body names: its fields are added, or changed where they are there."""
    if wire.key is not None and fold_name(wire.key) != fold_name(stored.key):
        raise ApiError(Code.INVALID_VALUE, f"key is {stored.key!r} for good; leave it out or create another")
    columns = stored.columns
    if wire.fields:
        known = {place for place, field in enumerate(wire.fields) if _place(stored, field) is not None}
        columns = with_changed_fields(
            stored, [field if place in known else None for place, field in enumerate(wire.fields)]
        )
        fresh = [field if place not in known else None for place, field in enumerate(wire.fields)]
        columns += with_added_fields(stored, fresh)[len(stored.columns) :]
    sendable = stored.sendable if wire.is_sendable is None else wire.is_sendable
    subscriber = wire.sendable_custom_object_field or stored.subscriber_column
    if sendable and not subscriber:
        raise ApiError(Code.REQUIRED, "sendableCustomObjectField is required: the field that holds the contact key")
    return ExtensionDraft(
        stored.key,
        stored.name if wire.name is None else wire.name,
        stored.description if wire.description is None else wire.description,
        columns,
        subscriber if sendable or wire.sendable_custom_object_field else None,
        stored.category_id if wire.category_id is None else wire.category_id,
    )


def with_fields(stored: DataExtension, columns: tuple[Column, ...]) -> ExtensionDraft:
    """The data extension with these columns."""
    return ExtensionDraft(
        stored.key, stored.name, stored.description, columns, stored.subscriber_column, stored.category_id
    )


def with_added_fields(stored: DataExtension, fields: Sequence[WireField | None]) -> tuple[Column, ...]:
    """Its columns, then the new ones. Raises ApiError 30004 for a name that is there."""
    columns = list(stored.columns)
    for place, field in enumerate(fields):
        if field is None:
            continue
        column = new_column(place, field)
        if column.folded in stored.by_name:
            raise ApiError(Code.ALREADY_EXISTS, f"fields[{place}].name: there is already a field {column.name!r}")
        columns.append(column)
    return tuple(columns)


def with_changed_fields(stored: DataExtension, fields: Sequence[WireField | None]) -> tuple[Column, ...]:
    """Its columns, each with what is given of it. Raises ApiError 30003 for a field that is not there."""
    columns = list(stored.columns)
    for place, field in enumerate(fields):
        if field is None:
            continue
        found = _place(stored, field)
        if found is None:
            named = field.name if field.id is None else field.id
            raise ApiError(
                Code.NOT_FOUND, f"fields[{place}]: there is no field {str(named)[:100]!r}; name it by its id or name"
            )
        columns[found] = _changed(place, columns[found], field)
    return tuple(columns)


def _place(stored: DataExtension, field: WireField) -> int | None:
    names = [column.folded for column in stored.columns]
    if field.id is not None:
        ids = [field_id(stored.object_id, column) for column in stored.columns]
        try:
            return ids.index(str(UUID(field.id)))
        except ValueError:
            return None
    folded = fold_name(field.name or "")
    return names.index(folded) if folded in names else None


def _changed(place: int, column: Column, field: WireField) -> Column:
    if field.name is not None and fold_name(field.name) != column.folded:
        raise ApiError(Code.INVALID_VALUE, f"fields[{place}].name: a field can't be renamed; {column.name!r} stays")
    if field.type is not None and COLUMN_TYPES.get(field.type.lower()) != column.type:
        raise ApiError(Code.INVALID_VALUE, f"fields[{place}].type: {column.name!r} is {column.type} and stays so")
    default = field.default_value
    return replace(
        column,
        length=column.length if field.length is None else field.length,
        scale=column.scale if field.scale is None else field.scale,
        primary_key=column.primary_key if field.is_primary_key is None else field.is_primary_key,
        nullable=column.nullable if field.is_nullable is None else field.is_nullable,
        default=column.default if default is None else value_text(default) or None,
    )
