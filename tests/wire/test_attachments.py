"""Files of an email: kept with the asset, copied when a definition is published, refused with what to do about it."""

import base64
from typing import Any

import msgspec
from tests.wire.live import Unit

from postroom.content.model import Content

ASSETS = "/asset/v1/content/assets"
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 4


def stored_file(unit: Unit, key: str = "terms", data: bytes = PDF, asset_type: int = 127) -> dict[str, Any]:
    body = {"name": key, "customerKey": key, "assetType": {"id": asset_type}, "file": base64.b64encode(data).decode()}
    reply = unit.call("POST", ASSETS, json=body)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


def email(unit: Unit, *entries: dict[str, Any], key: str = "order-email") -> Any:
    body = {
        "name": key,
        "customerKey": key,
        "assetType": {"id": 208},
        "views": {"html": {"content": "<p>Hi</p>"}, "subjectline": {"content": "x"}},
        "postroom": {"attachments": list(entries)},
    }
    return unit.call("POST", ASSETS, json=body)


def versions(unit: Unit) -> list[Content]:
    rows = unit.api.rows(
        "select content from definition_version where account_id = $1 order by version_id", unit.account_id
    )
    return [msgspec.json.decode(row["content"], type=Content) for row in rows]


def test_a_version_keeps_its_own_copy(unit: Unit) -> None:
    terms = stored_file(unit)
    assert terms["fileProperties"]["fileName"] == "terms.pdf"
    entry = {"customerKey": "TERMS", "fileName": "Terms of sale.pdf"}
    made = email(unit, entry)
    assert made.status_code == 201, made.text
    assert made.json()["postroom"] == {"attachments": [entry]}
    unit.make_definition()
    assert unit.call("DELETE", f"{ASSETS}/{terms['id']}").status_code == 200
    assert unit.call(
        "PATCH", "/messaging/v1/email/definitions/order", json={"options": {"cc": ["a@example.com"]}}
    ).is_success
    first, second = versions(unit)
    assert [(file.name, file.media_type, file.data) for file in first.files] == [
        ("Terms of sale.pdf", "application/pdf", PDF)
    ]
    assert second.files == first.files


def test_a_definition_is_not_published_without_its_files(unit: Unit) -> None:
    assert email(unit, {"customerKey": "nowhere"}).status_code == 201
    reply = unit.call(
        "POST",
        "/messaging/v1/email/definitions",
        json={
            "definitionKey": "d",
            "name": "d",
            "content": {"customerKey": "order-email"},
            "subscriptions": {"list": "All Subscribers"},
        },
    )
    assert reply.status_code == 400
    assert "postroom.attachments[0].customerKey: there is no file asset with key 'nowhere'" in reply.json()["message"]
    assert versions(unit) == []


def test_a_mistake_is_told_when_the_asset_is_saved(unit: Unit) -> None:
    reply = email(unit, {"customerKey": "terms", "contentId": "a b"})
    assert reply.status_code == 400
    assert reply.json()["errorcode"] == 10005
    assert "postroom.attachments[0].contentId: use letters" in reply.json()["message"]


def test_attack_a_page_is_stored_as_a_pdf(unit: Unit) -> None:
    body = {"name": "x", "customerKey": "x", "assetType": {"id": 127}, "file": base64.b64encode(b"<script>").decode()}
    reply = unit.call("POST", ASSETS, json=body)
    assert reply.status_code == 400
    assert "does not begin as application/pdf does" in reply.json()["message"]
