"""Content Builder assets on the wire (contract §7.1), and the way between them and the catalogue's terms.

Fields the server has no use for (data, slots of an asset and so on) are kept and given back as sent.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from postroom.api.errors import ApiError, Code
from postroom.api.times import zoned_time
from postroom.api.wire.asset_files import asset_error, file_url, read_file
from postroom.api.wire.decoding import decode, refuse_token_in, shorter, storable
from postroom.api.wire.diagnostics import MEMBER
from postroom.catalog.assets import ASSET_TYPES, Asset, AssetDraft
from postroom.catalog.attachments import AttachmentsRejected, read_attachments

LONGEST_KEY = 36  # contract §7.1
LONGEST_NAME = 200
_DEEPEST_VIEWS = 100

_DISPLAY_NAMES = {
    4: "Template",
    5: "Message",
    196: "Text Block",
    197: "HTML Block",
    207: "Template-Based Email",
    208: "HTML Email",
    209: "Text Only Email",
    214: "Default Template",
    220: "Code Snippet Block",
    230: "JSON Message",
    20: "GIF",
    22: "JPEG",
    23: "JPG",
    28: "PNG",
    127: "PDF",
}

_TYPES_BY_NAME = {name: number for number, name in ASSET_TYPES.items()}

# Ours to say, whatever the client sends.
_READ_ONLY = frozenset(
    {
        "id",
        "objectID",
        "createdDate",
        "createdBy",
        "modifiedDate",
        "modifiedBy",
        "enterpriseId",
        "memberId",
        "thumbnail",
        "status",
        "fileProperties",
        "file",
        MEMBER,
    }
)
_STRUCTURED = frozenset({"customerKey", "assetType", "name", "description", "content", "views", "category"})


class WireAssetType(msgspec.Struct):
    id: int | None = None
    name: str | None = None


class WireCategory(msgspec.Struct):
    id: int | str | None = None


class AssetBody(msgspec.Struct, rename="camel"):
    """The fields of a request that the server reads; null is the same as absent."""

    name: str | None = None
    customer_key: str | None = None
    asset_type: WireAssetType | None = None
    description: str | None = None
    content: str | None = None
    category: WireCategory | None = None
    file: str | None = None
    views: dict[str, Any] | None = None


_decoder = msgspec.json.Decoder(AssetBody)
_document_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


def read_asset(body: bytes, new_key: Callable[[], str]) -> AssetDraft:
    """The asset a POST or PUT describes; ``new_key`` makes a customerKey where none is given."""
    wire, document = _read(body)
    if not wire.name or not wire.name.strip():
        raise asset_error(Code.REQUIRED, "name is required")
    if wire.asset_type is None:
        raise asset_error(Code.REQUIRED, "assetType.id is required")
    asset_type = _asset_type(wire.asset_type)
    return AssetDraft(
        customer_key=wire.customer_key or new_key(),
        asset_type=asset_type,
        name=wire.name,
        description=wire.description or "",
        content=wire.content,
        views=_encode(wire.views or {}).decode(),
        document=_checked(document),
        category_id=_category(wire.category),
        file=read_file(wire.file, wire.name, asset_type),
    )


def _checked(document: dict[str, msgspec.Raw]) -> str:
    text = _encode(document).decode()
    try:
        read_attachments(text)
    except AttachmentsRejected as rejected:
        raise asset_error(Code.INVALID_VALUE, str(rejected)) from None
    return text


def merge_asset(body: bytes, stored: AssetDraft) -> AssetDraft:
    """The asset after a PATCH: fields that are given replace the stored ones, views one by one."""
    wire, document = _read(body)
    if wire.name is not None and not wire.name.strip():
        raise asset_error(Code.REQUIRED, "name must not be empty")
    views = msgspec.json.decode(stored.views, type=dict[str, Any]) | (wire.views or {})
    merged = msgspec.json.decode(stored.document, type=dict[str, msgspec.Raw]) | document
    asset_type = stored.asset_type if wire.asset_type is None else _asset_type(wire.asset_type)
    name = wire.name or stored.name
    return AssetDraft(
        customer_key=wire.customer_key or stored.customer_key,
        asset_type=asset_type,
        name=name,
        description=stored.description if wire.description is None else wire.description,
        content=stored.content if wire.content is None else wire.content,
        views=_encode(views).decode(),
        document=_checked(merged),
        category_id=stored.category_id if wire.category is None else _category(wire.category),
        file=read_file(wire.file, name, asset_type),
    )


def full_asset(asset: Asset, base_url: str) -> dict[str, Any]:
    """The full representation; ``base_url`` ends with a slash and begins the URLs of images."""
    draft = asset.draft
    author = {"id": asset.account_id, "email": "", "name": "Postroom", "userId": str(asset.account_id)}
    full: dict[str, Any] = {
        "id": asset.asset_id,
        "customerKey": draft.customer_key,
        "objectID": str(asset.object_id),
        "assetType": {
            "id": draft.asset_type,
            "name": ASSET_TYPES[draft.asset_type],
            "displayName": _DISPLAY_NAMES[draft.asset_type],
        },
        "name": draft.name,
        "description": draft.description,
        "createdDate": zoned_time(asset.created_at),
        "createdBy": author,
        "modifiedDate": zoned_time(asset.modified_at),
        "modifiedBy": author,
        "enterpriseId": asset.account_id,
        "memberId": asset.account_id,
        "status": {"id": 1, "name": "Draft"},
        "thumbnail": {},
        "views": msgspec.Raw(draft.views.encode()),
    }
    if draft.content is not None:
        full["content"] = draft.content
    if asset.folder is not None:
        folder = asset.folder
        full["category"] = {"id": folder.category_id}
        if folder.name is not None:
            full["category"] |= {"name": folder.name, "parentId": folder.parent_id}
    if asset.file is not None:
        full["fileProperties"] = {
            "fileName": asset.file.name,
            "extension": ASSET_TYPES[draft.asset_type],
            "fileSize": asset.file.size,
            "publishedURL": file_url(base_url, asset.account_id, asset.file),
        }
    return full | msgspec.json.decode(draft.document, type=dict[str, msgspec.Raw])


def _read(body: bytes) -> tuple[AssetBody, dict[str, msgspec.Raw]]:
    wire = decode(_decoder, body)
    refuse_token_in(body)
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise ApiError(Code.UNPARSEABLE, f"the body is not UTF-8 at byte {problem.start}") from None
    storable(
        {
            "name": wire.name,
            "customerKey": wire.customer_key,
            "description": wire.description,
            "content": wire.content,
        }
    )
    if wire.name is not None:
        shorter("name", wire.name, LONGEST_NAME)
    if wire.customer_key is not None:
        shorter("customerKey", wire.customer_key, LONGEST_KEY)
    _check_depth(wire.views, "views", _DEEPEST_VIEWS)
    document = {
        name: value
        for name, value in decode(_document_decoder, body).items()
        if name not in _STRUCTURED and name not in _READ_ONLY
    }
    return wire, document


def _check_depth(value: object, field: str, levels: int) -> None:
    # What is stored must be readable again wherever it is used, however deep the stack is there.
    if not isinstance(value, dict | list):
        return
    if levels == 0:
        raise asset_error(Code.INVALID_VALUE, f"{field} is nested more than {_DEEPEST_VIEWS} levels deep")
    for inner in value.values() if isinstance(value, dict) else value:
        _check_depth(inner, field, levels - 1)


def _asset_type(wire: WireAssetType) -> int:
    number = wire.id
    if number is None and wire.name is not None:
        number = _TYPES_BY_NAME.get(wire.name.lower())
    if number not in ASSET_TYPES:
        known = ", ".join(f"{number} ({name})" for number, name in ASSET_TYPES.items())
        given = wire.name if wire.id is None else wire.id
        raise asset_error(Code.INVALID_VALUE, f"assetType.id is {given!r}; it must be one of {known}")
    return number


def _category(wire: WireCategory | None) -> int | None:
    if wire is None or wire.id is None or wire.id == "":
        return None
    text = str(wire.id).strip()
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise asset_error(Code.INVALID_VALUE, f"category.id is {text[:50]!r}; it must be a number")
    return int(text)
