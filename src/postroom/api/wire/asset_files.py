"""Files among the assets, images and PDF documents: base64 in requests, a public URL in replies."""

import base64
import binascii

from postroom.api.errors import ApiError, Code
from postroom.catalog.assets import ASSET_TYPES, FILE_TYPES, FileDraft, StoredFile, file_path

# What a browser would show as something else must not be stored as a file of that type.
_BEGINNINGS = {
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "application/pdf": (b"%PDF-",),
}


def read_file(text: str | None, asset_name: str, asset_type: int) -> FileDraft | None:
    """The bytes of ``file``; None when there is none, or when the asset is no file. Raises ApiError 10003, 10005."""
    media_type = FILE_TYPES.get(asset_type)
    if text is None or media_type is None:
        return None
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise asset_error(Code.BAD_FORMAT, "file must be the bytes of the file in base64") from None
    if not content.startswith(_BEGINNINGS[media_type]):
        raise asset_error(
            Code.INVALID_VALUE, f"file does not begin as {media_type} does, and assetType is {ASSET_TYPES[asset_type]}"
        )
    extension = "." + ASSET_TYPES[asset_type]
    name = asset_name.replace("/", "-").replace("\\", "-")
    return FileDraft(name if name.lower().endswith(extension) else name + extension, media_type, content)


def file_url(base_url: str, account_id: int, file: StoredFile) -> str:
    """The public URL; who has it needs no token."""
    return base_url + file_path(account_id, file.public_key, file.name)


def asset_error(code: Code, text: str) -> ApiError:
    """An asset error also lists itself in ``validationErrors``, as the vendor's asset routes do."""
    detail = {"message": code.message(text), "errorcode": code.row.errorcode, "documentation": ""}
    return ApiError(code, text, extra={"validationErrors": [detail]})
