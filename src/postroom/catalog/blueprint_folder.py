"""The folder a blueprint lies in: the files it names, and no others."""

import mimetypes
from base64 import b64encode
from pathlib import Path

import msgspec

from postroom.catalog.attachments import AttachmentEntry, AttachmentsRejected, check_entries

_NAMES = {
    "customerKey": "customer_key",
    "fileName": "file_name",
    "contentId": "content_id",
    "contentType": "content_type",
}
# What orders and bookings carry, and Python 3.11 does not know (IANA, "Media Types").
_TYPES = {
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".ics": "text/calendar",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".pkpass": "application/vnd.apple.pkpass",
    ".webp": "image/webp",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class BlueprintRejected(ValueError):
    """The file can't be understood; the text says where and what to write."""


class BlueprintFolder:
    """Reads the files of one folder and of those below it. The attachments of an asset may be ``most_files`` with
    ``most_bytes`` together."""

    def __init__(self, folder: Path, *, most_files: int, most_bytes: int) -> None:
        self._folder = folder
        self._most_files = most_files
        self._most_bytes = most_bytes
        # By what Python knows and the table above, so that a file has the same type on every machine.
        self._types = mimetypes.MimeTypes()
        for ending, media_type in _TYPES.items():
            self._types.add_type(media_type, ending)

    def text(self, name: str) -> str:
        """A file of UTF-8 text. Raises BlueprintRejected."""
        try:
            return self._path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            raise BlueprintRejected(f"file {name!r} can't be read: {problem}") from None

    def attachments(self, asset_key: str, parts: tuple[AttachmentEntry, ...]) -> tuple[AttachmentEntry, ...]:
        """The attachments of an asset as the catalogue takes them: ``file``, the name of a file, becomes its bytes.

        Raises BlueprintRejected.
        """
        place = f"asset {asset_key!r}"
        if len(parts) > self._most_files:
            raise BlueprintRejected(
                f"{place}: there are {len(parts)} attachments; POSTROOM_TEMPLATE_ATTACHMENTS allows {self._most_files}"
            )
        room = self._most_bytes
        whole: list[AttachmentEntry] = []
        for at, part in enumerate(parts, 1):
            if (part.file is None) == (part.customer_key is None):
                raise BlueprintRejected(
                    f"{place}: attachment {at}: give file, the name of a file beside this one, "
                    "or customer_key of a file asset, and not both"
                )
            if part.file is None:
                whole.append(part)
                continue
            data = self._data(part.file, room, f"{place}: attachment {at}")
            room -= len(data)
            name = part.file_name or Path(part.file).name
            media_type = part.content_type or self._types.guess_type(name)[0] or self._types.guess_type(part.file)[0]
            if media_type is None:
                raise BlueprintRejected(
                    f"{place}: attachment {at}: what {part.file!r} is can't be told from its name; "
                    "give content_type, such as application/pdf"
                )
            encoded = b64encode(data).decode()
            whole.append(msgspec.structs.replace(part, file=encoded, file_name=name, content_type=media_type))
        try:
            check_entries(whole)
        except AttachmentsRejected as rejected:
            raise BlueprintRejected(f"{place}: {_in_names_of_the_file(str(rejected))}") from None
        return tuple(whole)

    def _data(self, name: str, room: int, place: str) -> bytes:
        try:
            with self._path(name).open("rb") as file:
                # One byte more than there may be, so that nothing larger is ever held.
                data = file.read(room + 1)
        except OSError as problem:
            raise BlueprintRejected(f"{place}: file {name!r} can't be read: {problem.strerror}") from None
        if not data:
            raise BlueprintRejected(f"{place}: file {name!r} is empty")
        if len(data) > room:
            raise BlueprintRejected(
                f"{place}: with file {name!r} the attachments have more than the {self._most_bytes:,} bytes together "
                "that POSTROOM_TEMPLATE_ATTACHED_BYTES allows"
            )
        return data

    def _path(self, name: str) -> Path:
        if "\0" in name:
            raise BlueprintRejected(f"file {name!r}: a name holds no NUL character")
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder.resolve()):
            raise BlueprintRejected(f"file {name!r} lies outside {self._folder}")
        return path


def _in_names_of_the_file(problem: str) -> str:
    place, colon, sentence = problem.removeprefix("postroom.").partition(":")
    for of_the_api, of_the_file in _NAMES.items():
        place = place.replace(of_the_api, of_the_file)
        sentence = sentence.replace(of_the_api, of_the_file)
    return f"{place}{colon}{sentence}"
