"""Files of an email asset: Postroom's own member `postroom.attachments`, read when a definition is published.

Each entry names a file asset by its customerKey or brings the bytes itself. With a contentId it is an inline image,
which the HTML shows as ``<img src="cid:…">``; without one it is attached. A version keeps its own copy of the bytes, so
every attempt at a message sends the same, whatever becomes of the file asset.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Sequence
from typing import Final

import msgspec

from postroom.content.model import File
from postroom.store.database import Database

LONGEST_NAME: Final = 200

_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}")
# RFC 2392: what may stand in a cid: URL without being escaped; angle brackets would end the header field's value
_CONTENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}(?:@[A-Za-z0-9][A-Za-z0-9.-]{0,99})?")
_FILE = """
select file.name, file.media_type, file.content
  from asset
  join asset_file file on file.account_id = asset.account_id and file.asset_id = asset.asset_id
 where asset.account_id = $1 and lower(asset.customer_key collate "C") = lower($2::text collate "C")
"""


class AttachmentsRejected(ValueError):
    """The attachments can't be sent; the text begins with the path of what is wrong."""


class AttachmentEntry(msgspec.Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    """One entry as it is written."""

    customer_key: str | None = None
    file_name: str | None = None
    content_id: str | None = None
    content_type: str | None = None
    file: str | None = None


def read_attachments(document: str) -> tuple[AttachmentEntry, ...]:
    """The entries of an asset's ``document``. Raises AttachmentsRejected for what no file could make right."""
    members = msgspec.json.decode(document, type=dict[str, msgspec.Raw])
    own = members.get("postroom")
    if own is None or bytes(own) == b"null":
        return ()
    try:
        found = msgspec.json.decode(own, type=dict[str, msgspec.Raw]).get("attachments")
        if found is None or bytes(found) == b"null":
            return ()
        entries = msgspec.json.decode(found, type=tuple[AttachmentEntry, ...])
    except msgspec.ValidationError as wrong:
        raise AttachmentsRejected(f"postroom.attachments: {wrong}") from None
    check_entries(entries)
    return entries


def check_entries(entries: Sequence[AttachmentEntry]) -> None:
    """Raises AttachmentsRejected for what no file could make right."""
    for at, entry in enumerate(entries):
        problem = _problem(entry)
        if problem:
            raise AttachmentsRejected(f"postroom.attachments[{at}].{problem}")
    ids = [entry.content_id for entry in entries if entry.content_id]
    for content_id in ids:
        if ids.count(content_id) > 1:
            raise AttachmentsRejected(
                f"postroom.attachments: contentId {content_id!r} is there twice; give each its own"
            )


async def load_files(
    database: Database, account_id: int, entries: Sequence[AttachmentEntry], *, most: int, most_bytes: int
) -> tuple[File, ...]:
    """The files of these entries, with their bytes. Raises AttachmentsRejected for a file that is not there, and for
    more than ``most`` files or ``most_bytes`` together."""
    if len(entries) > most:
        raise AttachmentsRejected(
            f"postroom.attachments: there are {len(entries)} files; POSTROOM_TEMPLATE_ATTACHMENTS allows {most}"
        )
    files: list[File] = []
    room = most_bytes
    for at, entry in enumerate(entries):
        file = await _load(database, account_id, entry, f"postroom.attachments[{at}]")
        room -= len(file.data)
        if room < 0:
            raise AttachmentsRejected(
                f"postroom.attachments: the files have more than the {most_bytes:,} bytes together that "
                "POSTROOM_TEMPLATE_ATTACHED_BYTES allows"
            )
        files.append(file)
    return tuple(files)


async def _load(database: Database, account_id: int, entry: AttachmentEntry, path: str) -> File:
    content_id = entry.content_id or ""
    if entry.customer_key is None:
        name, media_type, data = entry.file_name or "", entry.content_type or "", b64decode(entry.file or "")
        return File(_one_line(name), media_type.lower(), data, content_id)
    row = await database.fetchrow(_FILE, account_id, entry.customer_key)
    if row is None:
        raise AttachmentsRejected(f"{path}.customerKey: there is no file asset with key {entry.customer_key!r}")
    media_type = (entry.content_type or row["media_type"]).lower()
    return File(_one_line(entry.file_name or row["name"]), media_type, row["content"], content_id)


def _problem(entry: AttachmentEntry) -> str:
    if (entry.customer_key is None) == (entry.file is None):
        return "customerKey: give the key of a file asset, or file with the bytes in base64, and not both"
    if entry.customer_key is not None and "\0" in entry.customer_key:
        return "customerKey: holds a NUL character"
    if entry.file is not None:
        try:
            b64decode(entry.file, validate=True)
        except (binascii.Error, ValueError):
            return "file: must be the bytes in base64"
        if not entry.file_name:
            return "fileName: say what the file is to be called"
        if not entry.content_type:
            return "contentType: say what it is, such as application/pdf"
    if entry.content_type is not None:
        if _TYPE.fullmatch(entry.content_type.lower()) is None:
            return f"contentType: {entry.content_type[:100]!r} is no media type; write one such as application/pdf"
        if entry.content_type.lower().startswith(("multipart/", "message/")):
            return f"contentType: {entry.content_type[:100]!r} would be read as parts of the mail; use another"
    if entry.file_name is not None and (not entry.file_name.strip() or len(entry.file_name) > LONGEST_NAME):
        return f"fileName: must have 1 to {LONGEST_NAME} characters"
    if entry.content_id is not None and _CONTENT_ID.fullmatch(entry.content_id) is None:
        return "contentId: use letters, digits and . _ + -, with @ and a domain after them or without, as in cid:logo"
    return ""


def _one_line(name: str) -> str:
    return " ".join(name.split())
