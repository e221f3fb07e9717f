"""The definition and asset routes: shapes, every error of contract §3 that applies, and what is stored."""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from tests.wire.live import Unit, definition_body

DEFINITIONS = "/messaging/v1/email/definitions"
ASSETS = "/asset/v1/content/assets"
MINUTE = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:00"


def test_all_subscribers_of_another_place_is_the_business_units_own(unit: Unit) -> None:
    unit.make_asset()
    own = unit.make_definition()["subscriptions"]["list"]
    for number, name in enumerate(("All Subscribers - 277", "all subscribers - 999999999999", own)):
        made = unit.make_definition(f"k{number}", subscriptions={"list": name})
        assert made["subscriptions"]["list"] == own


def test_a_definition_answers_its_full_representation(unit: Unit) -> None:
    unit.make_asset()
    body = definition_body() | {
        "description": "Sent when an order leaves",
        "options": {"cc": ["copy@example.org"], "bcc": ["%%Boss%%"], "trackLinks": False},
    }
    reply = unit.call("POST", DEFINITIONS, json=body)
    assert reply.status_code == 201
    made = reply.json()
    UUID(made.pop("requestId"))
    UUID(made.pop("definitionId"))
    assert re.fullmatch(MINUTE, made.pop("createdDate"))
    assert re.fullmatch(MINUTE, made.pop("modifiedDate"))
    assert re.fullmatch(r"All Subscribers - \d+", made["subscriptions"].pop("list"))
    assert made == {
        "name": "Definition order",
        "definitionKey": "order",
        "description": "Sent when an order leaves",
        "classification": "Default Transactional",
        "status": "Active",
        "content": {"customerKey": "order-email"},
        "subscriptions": {"autoAddSubscriber": True, "updateSubscriber": True},
        "options": {"trackLinks": False, "cc": ["copy@example.org"], "bcc": ["%%Boss%%"]},
        "journey": {},
    }
    again = unit.call("GET", f"{DEFINITIONS}/ORDER").json()
    assert again | {"requestId": ""} == reply.json() | {"requestId": ""}


def test_what_a_get_answers_can_be_sent_back(sender: Unit) -> None:
    got = sender.call("GET", f"{DEFINITIONS}/order").json()
    reply = sender.call("PATCH", f"{DEFINITIONS}/order", json=got)
    assert reply.status_code == 200
    volatile = {"requestId": "", "modifiedDate": ""}
    assert reply.json() | volatile == got | volatile


def test_sending_options_are_kept_changed_as_a_whole_and_make_a_version(sender: Unit) -> None:
    plain = sender.call("GET", f"{DEFINITIONS}/order")
    assert "postroom" not in plain.json()
    options = {"deliverBefore": 300, "onUnknown": "hold", "listUnsubscribe": True, "retrySchedule": "5s 1m"}
    made = sender.call("PATCH", f"{DEFINITIONS}/order", json={"postroom": options})
    assert made.json()["postroom"] == options
    version = "Postroom-Definition-Version"
    assert int(made.headers[version]) > int(plain.headers[version])
    kept = sender.call("PATCH", f"{DEFINITIONS}/order", json={"description": "a", "postroom": None})
    assert kept.json()["postroom"] == options
    assert kept.headers[version] == made.headers[version]
    stored = sender.api.rows(
        "select sending::text from definition_version where account_id = $1 order by version_id", sender.account_id
    )
    assert [row["sending"] for row in stored] == [
        None,
        '{"deliverBefore":300,"onUnknown":"hold","listUnsubscribe":true,"retrySchedule":"5s 1m"}',
    ]
    fewer = sender.call("PATCH", f"{DEFINITIONS}/order", json={"postroom": {"onUnknown": "hold"}})
    assert fewer.json()["postroom"] == {"onUnknown": "hold"}
    none = sender.call("PATCH", f"{DEFINITIONS}/order", json={"postroom": {}})
    assert "postroom" not in none.json()


def test_a_definition_is_made_with_sending_options(unit: Unit) -> None:
    unit.make_asset()
    reply = unit.call("POST", DEFINITIONS, json=definition_body() | {"postroom": {"deliverBefore": 60}})
    assert reply.json()["postroom"] == {"deliverBefore": 60}
    assert unit.call("GET", f"{DEFINITIONS}/order").json()["postroom"] == {"deliverBefore": 60}


def test_a_definition_without_a_status_is_new(unit: Unit) -> None:
    unit.make_asset()
    assert unit.make_definition(status=None)["status"] == "New"


PARTS = {"options", "postroom"}
DEFINITION_ERRORS: list[tuple[dict[str, Any], int, int, str]] = [
    ({"definitionKey": None}, 400, 109107, "MCMS_UTM_Validation_MissingRequiredField_definitionKey: definitionKey"),
    ({"definitionKey": ""}, 400, 109107, "MCMS_UTM_Validation_MissingRequiredField_definitionKey: definitionKey"),
    ({"definitionKey": "k" * 37}, 400, 10005, "MCMS_UTM_Validation_InvalidValue: definitionKey has 37"),
    ({"definitionKey": "a\0b"}, 400, 10005, "MCMS_UTM_Validation_InvalidValue: definitionKey"),
    ({"definitionKey": 5}, 400, 10001, "MCMS_UTM_Validation_InvalidDataType: definitionKey must be string"),
    ({"name": None}, 400, 10002, "MCMS_UTM_Validation_MissingRequiredField: name"),
    ({"name": " "}, 400, 10002, "MCMS_UTM_Validation_MissingRequiredField: name"),
    ({"name": "n" * 101}, 400, 10005, "MCMS_UTM_Validation_InvalidValue: name has 101"),
    ({"content": None}, 400, 10002, "MCMS_UTM_Validation_MissingRequiredField: content.customerKey"),
    ({"content": {"customerKey": "none"}}, 400, 10005, "MCMS_UTM_Validation_InvalidValue: content.customerKey"),
    ({"content": "x"}, 400, 10001, "MCMS_UTM_Validation_InvalidDataType: content must be object"),
    ({"subscriptions": {}}, 400, 10002, "MCMS_UTM_Validation_MissingRequiredField: subscriptions.list"),
    ({"subscriptions": {"list": "Nobody"}}, 400, 10005, "MCMS_UTM_Validation_InvalidValue: subscriptions.list"),
    (
        {"subscriptions": {"list": "Newsletter - 999999999999"}},
        400,
        10005,
        "MCMS_UTM_Validation_InvalidValue: subscriptions.list",
    ),
    (
        {"subscriptions": {"list": "All Subscribers", "dataExtension": "none"}},
        400,
        10005,
        "MCMS_UTM_Validation_InvalidValue: subscriptions.dataExtension",
    ),
    (
        {"subscriptions": {"list": "All Subscribers", "autoAddSubscriber": "yes"}},
        400,
        109113,
        "MCMS_UTM_Validation_InvalidValue_autoAddSubscriber: subscriptions.autoAddSubscriber must be boolean",
    ),
    (
        {"subscriptions": {"list": "All Subscribers", "updateSubscriber": 1}},
        400,
        109125,
        "MCMS_UTM_Validation_InvalidValue_updateSubscriber: subscriptions.updateSubscriber must be boolean",
    ),
    ({"classification": "None"}, 400, 10005, "MCMS_UTM_Validation_InvalidValue: classification"),
    ({"status": "Deleted"}, 400, 10005, "MCMS_UTM_Validation_InvalidValue: status"),
    ({"options": []}, 400, 109112, "MCMS_UTM_Validation_InvalidValue_options: options must be object"),
    ({"options": {"cc": "a@example.org"}}, 400, 109112, "MCMS_UTM_Validation_InvalidValue_options: options.cc"),
    ({"options": {"cc": ["nobody"]}}, 400, 109112, "MCMS_UTM_Validation_InvalidValue_options: options.cc"),
    (
        {"options": {"bcc": ["a@example.org\r\nTo: b@example.org"]}},
        400,
        109112,
        "MCMS_UTM_Validation_InvalidValue_options: options",
    ),
    ({"postroom": 5}, 400, 10005, "MCMS_UTM_Validation_InvalidValue: postroom must be object, not integer"),
    (
        {"postroom": {"deliverBefore": 0}},
        400,
        10005,
        "MCMS_UTM_Validation_InvalidValue: postroom.deliverBefore: 0 is out of range; give whole seconds from 1 to",
    ),
    (
        {"postroom": {"deliverBefore": True}},
        400,
        10005,
        "MCMS_UTM_Validation_InvalidValue: postroom.deliverBefore must be integer, not boolean",
    ),
    (
        {"postroom": {"onUnknown": "drop"}},
        400,
        10005,
        "MCMS_UTM_Validation_InvalidValue: postroom.onUnknown: 'drop' is unknown; it must be resend or hold",
    ),
    (
        {"postroom": {"retrySchedule": "1m 5"}},
        400,
        10005,
        "MCMS_UTM_Validation_InvalidValue: postroom.retrySchedule: '5' is no wait; write a number and s, m, h or d",
    ),
    (
        {"postroom": {"route": "a\u0000b"}},
        400,
        10005,
        "MCMS_UTM_Validation_InvalidValue: postroom.route: 'a\\x00b' is no name of a route",
    ),
    (
        {"postroom": {"onunknown": "hold"}},
        400,
        10005,
        "MCMS_UTM_Validation_InvalidValue: postroom has no member 'onunknown'; leave it out",
    ),
    ({"options": {"createJourney": True}}, 400, 109112, "MCMS_UTM_Validation_InvalidValue_options: options.createJ"),
]


@pytest.mark.parametrize(("change", "status", "errorcode", "message"), DEFINITION_ERRORS)
def test_a_bad_definition_is_refused_and_leaves_nothing(
    unit: Unit, change: dict[str, Any], status: int, errorcode: int, message: str
) -> None:
    unit.make_asset()
    before = unit.stored()
    reply = unit.call("POST", DEFINITIONS, json=definition_body() | change)
    assert reply.status_code == status
    assert reply.json()["errorcode"] == errorcode
    assert reply.json()["message"].startswith(message)
    assert reply.json()["documentation"] == ""
    assert unit.stored() == before


@pytest.mark.parametrize(
    ("change", "errorcode"),
    [
        *(
            (change, errorcode)
            for change, _, errorcode, _ in DEFINITION_ERRORS
            if change.get("options") or change.get("postroom")
        ),
        ({"name": ""}, 10002),
        ({"definitionKey": "other"}, 10005),
        ({"content": {"customerKey": "none"}}, 10005),
        ({"subscriptions": {"list": "none"}}, 10005),
    ],
)
def test_a_bad_patch_changes_nothing(sender: Unit, change: dict[str, Any], errorcode: int) -> None:
    before = (sender.stored(), sender.call("GET", f"{DEFINITIONS}/order").json() | {"requestId": ""})
    reply = sender.call("PATCH", f"{DEFINITIONS}/order", json=change)
    assert (reply.status_code, reply.json()["errorcode"]) == (400, errorcode)
    assert before == (sender.stored(), sender.call("GET", f"{DEFINITIONS}/order").json() | {"requestId": ""})


def test_a_used_key_or_name_is_409(sender: Unit) -> None:
    before = sender.stored()
    for change in ({"definitionKey": "ORDER", "name": "other"}, {"definitionKey": "other", "name": "DEFINITION order"}):
        reply = sender.call("POST", DEFINITIONS, json=definition_body() | change)
        assert (reply.status_code, reply.json()["errorcode"]) == (409, 30004)
    sender.make_definition("second")
    reply = sender.call("PATCH", f"{DEFINITIONS}/second", json={"name": "Definition order"})
    assert (reply.status_code, reply.json()["errorcode"]) == (409, 30004)
    assert sender.stored()["definition"] == before["definition"] + 1


def test_an_email_that_cannot_be_compiled_is_109124_with_its_place(unit: Unit) -> None:
    unit.make_asset(html="<html>\n<body>%%[ SET @x = ]%%</body></html>")
    before = unit.stored()
    reply = unit.call("POST", DEFINITIONS, json=definition_body())
    assert (reply.status_code, reply.json()["errorcode"]) == (400, 109124)
    message = reply.json()["message"]
    assert message.startswith("MCMS_UTM_Validation_email_does_not_pass_validation: ")
    assert "html line 2 column 20" in message
    assert unit.stored() == before


def test_a_block_is_no_email(unit: Unit) -> None:
    block = {"name": "b", "customerKey": "block", "assetType": {"id": 197}, "content": "<p>x</p>"}
    assert unit.call("POST", ASSETS, json=block).status_code == 201
    reply = unit.call("POST", DEFINITIONS, json=definition_body() | {"content": {"customerKey": "block"}})
    assert reply.json()["errorcode"] == 10005


def test_a_commercial_classification_is_109123(unit: Unit) -> None:
    unit.make_asset()
    unit.api.execute(
        "insert into classification (account_id, classification_key, name, kind) values ($1, 'c', 'c', 'commercial')",
        unit.account_id,
    )
    reply = unit.call("POST", DEFINITIONS, json=definition_body() | {"classification": "c"})
    assert reply.json()["errorcode"] == 109123


def versions(unit: Unit) -> int:
    return unit.stored()["definition_version"]


def test_editing_the_asset_changes_mail_only_when_the_definition_is_refreshed(sender: Unit) -> None:
    asset = sender.call("GET", f"{ASSETS}?$filter=customerKey eq 'order-email'").json()["items"][0]
    edited = sender.call("PATCH", f"{ASSETS}/{asset['id']}", json={"views": {"subjectline": {"content": "New words"}}})
    assert edited.json()["views"]["html"] == asset["views"]["html"]
    newest = "select content->>'subject' as subject from definition_version where account_id = $1 order by version_id"

    def subjects() -> list[str]:
        return [row["subject"] for row in sender.api.rows(newest, sender.account_id)]

    assert subjects() == ["Your order"]
    sender.call("PATCH", f"{DEFINITIONS}/order", json={"description": "nothing about mail"})
    assert subjects() == ["Your order"]
    sender.call("PATCH", f"{DEFINITIONS}/order", json={"options": {"cc": ["copy@example.org"]}})
    assert subjects() == ["Your order", "Your order"]
    sender.call("PATCH", f"{DEFINITIONS}/order", json={"content": {"customerKey": "order-email"}})
    assert subjects() == ["Your order", "Your order", "New words"]


def test_deactivating_works_without_the_asset_and_activating_does_not(sender: Unit) -> None:
    asset = sender.call("GET", f"{ASSETS}?$filter=customerKey eq 'order-email'").json()["items"][0]
    deleted = sender.call("DELETE", f"{ASSETS}/{asset['id']}?isCdnDelete=1")
    assert (deleted.status_code, deleted.json()) == (200, "OK")
    assert sender.call("PATCH", f"{DEFINITIONS}/order", json={"status": "inactive"}).json()["status"] == "Inactive"
    assert versions(sender) == 1
    reply = sender.call("PATCH", f"{DEFINITIONS}/order", json={"status": "ACTIVE"})
    assert (reply.status_code, reply.json()["errorcode"]) == (400, 10005)


def test_no_way_back_to_new(sender: Unit) -> None:
    reply = sender.call("PATCH", f"{DEFINITIONS}/order", json={"status": "New"})
    assert (reply.status_code, reply.json()["errorcode"]) == (409, 30002)


def test_empty_lists_clear_the_copies(sender: Unit) -> None:
    sender.call("PATCH", f"{DEFINITIONS}/order", json={"options": {"cc": ["a@example.org"], "bcc": ["b@example.org"]}})
    cleared = sender.call("PATCH", f"{DEFINITIONS}/order", json={"options": {"cc": [], "bcc": []}}).json()
    assert cleared["options"] == {"trackLinks": True}


def test_delete_archives_and_frees_the_key(sender: Unit) -> None:
    reply = sender.call("DELETE", f"{DEFINITIONS}/order")
    assert reply.status_code == 200
    body = reply.json()
    assert set(body) == {"requestId", "message", "deletedDefinitionKey", "journey"}
    assert (body["message"], body["journey"]) == ("Success", {})
    archived = body["deletedDefinitionKey"]
    listed = sender.call("GET", DEFINITIONS).json()["definitions"]
    assert [(entry["definitionKey"], entry["status"]) for entry in listed] == [(archived, "Deleted")]
    assert sender.call("GET", f"{DEFINITIONS}?$filter=status neq deleted").json()["definitions"] == []
    for key in ("order", archived):
        for method in ("GET", "PATCH", "DELETE"):
            gone = sender.call(method, f"{DEFINITIONS}/{key}", **({"json": {}} if method == "PATCH" else {}))
            assert (gone.status_code, gone.json()["errorcode"]) == (404, 30003)
    assert sender.make_definition()["definitionKey"] == "order"


def test_the_listing_has_five_fields_and_counts_its_page(sender: Unit) -> None:
    for key in ("b", "a", "c"):
        sender.make_definition(key, status="Inactive")
    body = sender.call("GET", f"{DEFINITIONS}?$orderBy=definitionKey desc&$filter=status eq inactive").json()
    assert [entry["definitionKey"] for entry in body["definitions"]] == ["c", "b", "a"]
    assert set(body["definitions"][0]) == {"name", "definitionKey", "status", "createdDate", "modifiedDate"}
    assert (body["count"], body["page"], body["pageSize"]) == (3, 1, 50)
    second = sender.call("GET", f"{DEFINITIONS}?$pageSize=3&$page=2").json()
    assert (second["count"], second["pageSize"]) == (1, 3)


@pytest.mark.parametrize(
    "query",
    [
        "$page=0",
        "$page=x",
        "$pageSize=-1",
        "$pageSize=",
        "$filter=name eq x",
        "$filter=status gt active",
        "$filter=",
        "$orderBy=nothing",
        "$orderBy=name;drop table definition",
        "$orderBy=name sideways",
    ],
)
def test_a_bad_query_is_10005(unit: Unit, query: str) -> None:
    reply = unit.call("GET", f"{DEFINITIONS}?{query}")
    assert (reply.status_code, reply.json()["errorcode"]) == (400, 10005)
    assert f"${query[1:].split('=')[0]}".lower() in reply.json()["message"].lower()


def test_an_asset_is_given_back_as_it_came(unit: Unit) -> None:
    body = {
        "name": "Order email",
        "assetType": {"name": "templatebasedemail"},
        "category": {"id": 12},
        "data": {"email": {"options": {"characterEncoding": "utf-8"}}},
        "views": {"html": {"content": "<b>ü</b>", "slots": {}}, "text": {"content": "ü"}},
        "id": 1,
        "createdDate": "1999-01-01",
    }
    reply = unit.call("POST", ASSETS, json=body)
    assert reply.status_code == 201
    made = reply.json()
    for field in ("name", "category", "data", "views"):
        assert made[field] == body[field]
    UUID(made["customerKey"])
    UUID(made["objectID"])
    assert made["assetType"] == {"id": 207, "name": "templatebasedemail", "displayName": "Template-Based Email"}
    assert made["memberId"] == unit.account_id
    assert made["createdDate"].endswith("-06:00")
    assert unit.call("GET", f"{ASSETS}/{made['id']}").json() == made
    listed = unit.call("GET", f"{ASSETS}?$filter=name%20eq%20'Order email'").json()
    assert (listed["count"], listed["items"]) == (1, [made])


def test_put_replaces_an_asset_under_its_key(unit: Unit) -> None:
    made = unit.make_asset()
    body = {"name": "Renamed", "assetType": {"id": 209}, "views": {"text": {"content": "x"}}}
    replaced = unit.call("PUT", f"{ASSETS}/{made['id']}", json=body).json()
    assert (replaced["customerKey"], replaced["name"], replaced["views"]) == ("order-email", "Renamed", body["views"])


ASSET_ERRORS: list[tuple[dict[str, Any], int, int]] = [
    ({"name": None}, 400, 10002),
    ({"name": "n" * 201}, 400, 10005),
    ({"name": 1}, 400, 10001),
    ({"assetType": None}, 400, 10002),
    ({"assetType": {"id": 9999}}, 400, 10005),
    ({"customerKey": "k" * 37}, 400, 10005),
    ({"customerKey": "a\0b"}, 400, 10005),
    ({"views": []}, 400, 10001),
    ({"customerKey": "ORDER-email"}, 409, 30004),
]


@pytest.mark.parametrize(("change", "status", "errorcode"), ASSET_ERRORS)
def test_a_bad_asset_is_refused_and_leaves_nothing(
    unit: Unit, change: dict[str, Any], status: int, errorcode: int
) -> None:
    unit.make_asset()
    before = unit.stored()
    body = {"name": "x", "assetType": {"id": 208}, "views": {}}
    reply = unit.call("POST", ASSETS, json=body | change)
    assert (reply.status_code, reply.json()["errorcode"]) == (status, errorcode)
    assert unit.stored() == before


def test_unknown_assets(unit: Unit) -> None:
    assert unit.call("GET", f"{ASSETS}/999999").json()["errorcode"] == 30003
    assert unit.call("GET", f"{ASSETS}/x").json()["errorcode"] == 10005
    assert unit.call("GET", f"{ASSETS}?$filter=customerKey eq 'none'").json()["items"] == []
    assert unit.call("GET", f"{ASSETS}?$filter=customerKey near 'n'").json()["errorcode"] == 10005


def test_a_tenant_sees_nothing_of_another(new_unit: Callable[..., Unit], sender: Unit) -> None:
    stranger = new_unit()
    asset = sender.call("GET", ASSETS).json()["items"][0]
    person = {"contactKey": "c", "to": "a@example.org"}
    sent = {"definitionKey": "order", "recipient": person}
    assert sender.call("POST", "/messaging/v1/email/messages/secret", json=sent).status_code == 202
    for method, path in (
        ("GET", f"{DEFINITIONS}/order"),
        ("PATCH", f"{DEFINITIONS}/order"),
        ("DELETE", f"{DEFINITIONS}/order"),
        ("GET", f"{DEFINITIONS}/order/queue"),
        ("DELETE", f"{DEFINITIONS}/order/queue"),
        ("GET", f"{ASSETS}/{asset['id']}"),
        ("DELETE", f"{ASSETS}/{asset['id']}"),
        ("PATCH", f"{ASSETS}/{asset['id']}"),
        ("GET", "/messaging/v1/email/messages/secret"),
    ):
        body = {"json": {"name": "taken"}} if method == "PATCH" else {}
        reply = stranger.call(method, path, **body)
        assert (reply.status_code, reply.json()["errorcode"]) == (404, 30003), path
    assert stranger.call("GET", DEFINITIONS).json()["count"] == 0
    assert stranger.call("GET", ASSETS).json()["count"] == 0
    assert stranger.call("POST", "/messaging/v1/email/messages/x", json=sent).json()["errorcode"] == 109111
    made = stranger.call("POST", DEFINITIONS, json=definition_body())
    assert made.json()["errorcode"] == 10005
    assert not any(stranger.stored().values())
    stranger.make_asset()
    stranger.make_definition()
    assert stranger.call("POST", "/messaging/v1/email/messages/secret", json=sent).status_code == 202


ODD_VIEWS: list[dict[str, Any]] = [
    {},
    {"html": "plain"},
    {"html": {"content": 5}},
    {"html": {}},
    {"html": None, "subjectline": {"content": "x"}},
    {"subjectline": {"content": "x"}},
    {"html": {"content": "<p>x</p>"}, "subjectline": []},
    {"html": {"content": "<p>x</p>", "slots": []}},
    {"html": {"content": '<div data-type="slot" data-key="a"></div>', "slots": {"a": {"blocks": 7}}}},
    {"html": {"content": "<p>a\0b</p>"}, "subjectline": {"content": "a\0b\r\nBcc: x@example.org"}},
    {"html": {"content": ["x"]}, "text": {"content": {"x": 1}}},
]


@pytest.mark.parametrize("views", ODD_VIEWS)
def test_odd_views_never_fail_otherwise_than_with_109124(unit: Unit, views: dict[str, Any]) -> None:
    asset = {"name": "odd", "customerKey": "order-email", "assetType": {"id": 207}, "views": views}
    assert unit.call("POST", ASSETS, json=asset).status_code == 201
    reply = unit.call("POST", DEFINITIONS, json=definition_body())
    assert reply.status_code in (201, 400)
    if reply.status_code == 400:
        assert reply.json()["errorcode"] == 109124
        assert unit.stored()["definition"] == 0
