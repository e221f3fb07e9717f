"""What an email asset may say of its files, and what is wrong with the rest."""

import json
from typing import Any, cast

import pytest

from postroom.catalog.attachments import AttachmentEntry, AttachmentsRejected, load_files, read_attachments
from postroom.content.model import File
from postroom.store.database import Database

NO_DATABASE = cast(Database, None)  # files that come with the asset are in none


def document(*entries: dict[str, Any]) -> str:
    return json.dumps({"data": {"email": {}}, "postroom": {"attachments": list(entries)}})


@pytest.mark.parametrize(
    "text", ["{}", '{"postroom": null}', '{"postroom": {"attachments": null}}', '{"postroom":{"x":1}}']
)
def test_an_asset_without_any(text: str) -> None:
    assert read_attachments(text) == ()


def test_entries() -> None:
    entries = read_attachments(
        document(
            {"customerKey": "terms", "fileName": "Terms of sale.pdf"},
            {"customerKey": "logo", "contentId": "logo@shop.example"},
            {"file": "SGVsbG8=", "fileName": "hello.txt", "contentType": "text/plain"},
        )
    )
    assert entries[0] == AttachmentEntry(customer_key="terms", file_name="Terms of sale.pdf")
    assert entries[1].content_id == "logo@shop.example"
    assert entries[2].file == "SGVsbG8="


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({}, r"attachments\[0\].customerKey: give the key"),
        ({"customerKey": "a", "file": "SGVsbG8="}, "not both"),
        ({"customerKey": "a\0"}, "NUL"),
        ({"file": "nonsense!", "fileName": "a", "contentType": "text/plain"}, "file: must be the bytes in base64"),
        ({"file": "SGVsbG8=", "contentType": "text/plain"}, "fileName: say"),
        ({"file": "SGVsbG8=", "fileName": "a"}, "contentType: say"),
        ({"customerKey": "a", "contentType": "text"}, "no media type"),
        ({"customerKey": "a", "contentType": "text/plain\r\nBcc: evil"}, "no media type"),
        ({"customerKey": "a", "contentType": "Message/rfc822"}, "parts of the mail"),
        ({"customerKey": "a", "fileName": " "}, "fileName: must have 1 to 200"),
        ({"customerKey": "a", "contentId": "a b"}, "contentId: use letters"),
        ({"customerKey": "a", "contentId": "a>\r\nBcc: evil"}, "contentId: use letters"),
        ({"customerKey": "a", "colour": "red"}, "unknown field `colour`"),
        ({"customerKey": 5}, "Expected `str"),
    ],
)
def test_what_no_file_could_make_right(entry: dict[str, Any], problem: str) -> None:
    with pytest.raises(AttachmentsRejected, match=problem):
        read_attachments(document(entry))


def test_two_images_of_one_id() -> None:
    with pytest.raises(AttachmentsRejected, match="there twice"):
        read_attachments(document({"customerKey": "a", "contentId": "x"}, {"customerKey": "b", "contentId": "x"}))


@pytest.mark.parametrize(
    "text", ['{"postroom": 5}', '{"postroom": {"attachments": {}}}', '{"postroom": {"attachments": [5]}}']
)
def test_other_shapes(text: str) -> None:
    with pytest.raises(AttachmentsRejected):
        read_attachments(text)


async def test_files_that_come_with_the_asset_and_their_limits() -> None:
    entry = AttachmentEntry(file="SGVsbG8=", file_name="  hello\r\nworld.txt ", content_type="Text/Plain")
    files = await load_files(NO_DATABASE, 1, [entry, entry], most=2, most_bytes=10)
    assert files == (File("hello world.txt", "text/plain", b"Hello"),) * 2
    with pytest.raises(AttachmentsRejected, match="more than the 9 bytes together"):
        await load_files(NO_DATABASE, 1, [entry, entry], most=2, most_bytes=9)
    with pytest.raises(AttachmentsRejected, match="there are 2 files; POSTROOM_TEMPLATE_ATTACHMENTS allows 1"):
        await load_files(NO_DATABASE, 1, [entry, entry], most=1, most_bytes=10)
