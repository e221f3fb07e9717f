"""Saving an asset or a definition tells what is wrong or doubtful in its templates, as data with places."""

from typing import Any

import pytest
from tests.wire.live import Unit, definition_body

ASSETS = "/asset/v1/content/assets"
DEFINITIONS = "/messaging/v1/email/definitions"

WRONG = '<p>\n%%[ IF @a = "x" THEN ]%%y%%[ ENDIF ]%%\n%%=Uppercas("a")=%%\n%%[ SET @b = 1; ]%%</p>'
FIELDS = [
    {"name": "SubscriberKey", "type": "Text", "length": 100},
    {"name": "Order Number", "type": "Text", "length": 20},
]


def told(body: dict[str, Any]) -> list[tuple[str, str, str, int, int]]:
    """Severity, code, part and place of each finding."""
    return [
        (one["severity"], one["code"], one["part"], one["line"], one["column"]) for one in body["postroomDiagnostics"]
    ]


def test_an_email_asset_is_saved_and_its_mistakes_are_told(unit: Unit) -> None:
    made = unit.make_asset(html=WRONG, subject="%%[ ENDIF ]%%")
    assert told(made) == [
        ("error", "SingleEquals", "html", 2, 11),
        ("error", "UnknownFunction", "html", 3, 4),
        ("warning", "Semicolon", "html", 4, 15),
        ("error", "Unopened", "subject", 1, 5),
    ]
    assert made["postroomDiagnostics"][1] == {
        "severity": "error",
        "code": "UnknownFunction",
        "part": "html",
        "line": 3,
        "column": 4,
        "function": "Uppercas",
        "message": "there is no function Uppercas",
        "fix": "did you mean Uppercase?",
    }
    asset = f"{ASSETS}/{made['id']}"
    assert "postroomDiagnostics" not in unit.call("GET", asset).json()
    mended = {"views": {"html": {"content": "<p>%%=Uppercase('a')=%%</p>"}}}
    changed = unit.call("PATCH", asset, json=mended).json()
    assert told(changed) == [("error", "Unopened", "subject", 1, 5)]
    # what was told is no part of the asset, though clients send back what they got
    clean = unit.call("PUT", asset, json=changed | {"views": mended["views"]}).json()
    assert "postroomDiagnostics" not in clean
    assert "postroomDiagnostics" not in unit.call("GET", asset).json()


@pytest.mark.parametrize("kind", [196, 197, 220, 4])
def test_a_content_block_is_looked_at_when_it_is_saved(unit: Unit, kind: int) -> None:
    body = {"name": "b", "customerKey": f"b{kind}", "assetType": {"id": kind}, "content": "\n%%=Lookup('a')=%%"}
    made = unit.call("POST", ASSETS, json=body)
    assert made.status_code == 201
    assert told(made.json()) == [("error", "WrongArguments", "html", 2, 4)]
    again = unit.call("PATCH", f"{ASSETS}/{made.json()['id']}", json={"content": "%%=v(@a)=%%"})
    assert "postroomDiagnostics" not in again.json()


def test_an_asset_without_templates_is_not_looked_at(unit: Unit) -> None:
    body = {"name": "j", "customerKey": "json", "assetType": {"id": 230}, "content": "%%[ not for us"}
    assert "postroomDiagnostics" not in unit.call("POST", ASSETS, json=body).json()


def test_a_definition_that_is_refused_lists_every_finding(unit: Unit) -> None:
    unit.make_asset(html=WRONG)
    before = unit.stored()
    reply = unit.call("POST", DEFINITIONS, json=definition_body())
    assert (reply.status_code, reply.json()["errorcode"]) == (400, 109124)
    assert set(reply.json()) == {"message", "errorcode", "documentation", "postroomDiagnostics"}
    assert sorted(told(reply.json()), key=lambda one: one[3]) == [
        ("error", "SingleEquals", "html", 2, 11),
        ("error", "UnknownFunction", "html", 3, 4),
        ("warning", "Semicolon", "html", 4, 15),
    ]
    assert unit.stored() == before


def test_a_definition_is_published_with_warnings(unit: Unit) -> None:
    made = unit.make_asset(html="<p>%%=TreatAsContent(Note)=%%</p>")
    assert told(made) == [("warning", "EvaluatesData", "html", 1, 7)]
    reply = unit.call("POST", DEFINITIONS, json=definition_body())
    assert reply.status_code == 201
    assert told(reply.json()) == [("warning", "EvaluatesData", "html", 1, 7)]
    plain = unit.call("GET", f"{DEFINITIONS}/order").json()
    assert reply.json().keys() - plain.keys() == {"postroomDiagnostics"}
    refreshed = unit.call("PATCH", f"{DEFINITIONS}/order", json={"content": {"customerKey": "order-email"}})
    assert told(refreshed.json()) == [("warning", "EvaluatesData", "html", 1, 7)]
    # nothing is compiled for these, so there is nothing to tell
    for change in ({"description": "x"}, {"status": "Inactive"}):
        assert "postroomDiagnostics" not in unit.call("PATCH", f"{DEFINITIONS}/order", json=change).json()


def test_content_blocks_that_nobody_has_stored_are_doubtful(unit: Unit) -> None:
    block = {"name": "f", "customerKey": "Foot", "assetType": {"id": 197}, "content": "Yours"}
    stored = unit.call("POST", ASSETS, json=block).json()["id"]
    html = (
        "<p>%%=ContentBlockByKey('FOOT')=%%\n%%=ContentBlockByKey('head')=%%%%=ContentBlockByKey('x', '', 0)=%%\n"
        f"%%=ContentBlockByID({stored})=%% %%=ContentBlockByID('1')=%% %%=ContentBlockByKey(Some)=%%</p>"
    )
    at = len(f"%%=ContentBlockByID({stored})=%% %%=") + 1
    doubts = [("warning", "UnknownContentBlock", "html", 2, 4), ("warning", "UnknownContentBlock", "html", 3, at)]
    assert told(unit.make_asset(html=html)) == doubts
    made = unit.call("POST", DEFINITIONS, json=definition_body())
    assert made.status_code == 201, made.text
    assert told(made.json()) == doubts
    first, second = made.json()["postroomDiagnostics"]
    assert (first["message"], first["function"]) == (
        "there is no content block with the key 'head'",
        "ContentBlockByKey",
    )
    assert second["message"] == "there is no content block with the id '1'"
    within = {"name": "s", "customerKey": "side", "assetType": {"id": 197}, "content": html + "%%=Nothing()=%%"}
    saved = unit.call("POST", ASSETS, json=within).json()
    assert [code for _, code, *_ in told(saved)] == ["UnknownFunction", *["UnknownContentBlock"] * 2]
    unit.call("POST", ASSETS, json={**block, "customerKey": "HEAD"})
    mended = unit.call("PATCH", f"{ASSETS}/{saved['id']}", json={"content": "%%=ContentBlockByKey('head')=%%"})
    assert "postroomDiagnostics" not in mended.json()


def test_names_that_a_send_with_a_data_extension_cannot_have_are_errors(unit: Unit) -> None:
    reply = unit.call(
        "POST",
        "/data/v1/customobjects",
        json={"name": "orders", "key": "orders", "fields": FIELDS, "isSendable": True},
    )
    assert reply.status_code == 201, reply.text
    html = "<p>%%order number%% %%FirstName%% %%emailaddr%% %%member_city%%\n%%OrderNumbr%% %%AttributeValue%%</p>"
    unit.make_asset(html=html, subject="%%=v([Odrer Number])=%% %%=AttributeValue('anything')=%%")
    body = definition_body() | {"subscriptions": {"list": "All Subscribers", "dataExtension": "orders"}}
    reply = unit.call("POST", DEFINITIONS, json=body)
    assert (reply.status_code, reply.json()["errorcode"]) == (400, 109124)
    assert told(reply.json()) == [
        ("error", "UnknownName", "html", 2, 1),
        ("error", "UnknownName", "html", 2, 16),
        ("error", "UnknownName", "subject", 1, 6),
    ]
    first, second, third = reply.json()["postroomDiagnostics"]
    assert (first["message"], first["fix"]) == (
        "%%OrderNumbr%% is no attribute of this send",
        "did you mean order number?",
    )
    assert "AttributeValue" in second["fix"]
    assert third["fix"] == "did you mean order number?"
    # without the data extension nobody knows which attributes a send will carry
    assert unit.call("POST", DEFINITIONS, json=definition_body()).status_code == 201
    refused = unit.call("PATCH", f"{DEFINITIONS}/order", json={"subscriptions": {"dataExtension": "orders"}})
    assert refused.json()["errorcode"] == 109124
    unit.call("PUT", "/postroom/v1/profile-attributes/OrderNumbr")
    left = unit.call("POST", DEFINITIONS, json=body | {"definitionKey": "second", "name": "second"}).json()
    assert [one["message"] for one in left["postroomDiagnostics"]] == [
        "%%AttributeValue%% is no attribute of this send",
        "[Odrer Number] is no attribute of this send",
    ]
