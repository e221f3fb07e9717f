"""Content Builder over HTTP: finding assets in every way the contract has, images, folders, views (contract §7.1)."""

import base64
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.wire.live import LiveApi, Unit

ASSETS = "/asset/v1/content/assets"
CATEGORIES = "/asset/v1/content/categories"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0\x01\x02" * 20


def block(unit: Unit, name: str, **more: Any) -> dict[str, Any]:
    body = {"name": name, "customerKey": name, "assetType": {"id": 197}, "content": f"<p>{name}</p>"} | more
    reply = unit.call("POST", ASSETS, json=body)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


@pytest.fixture
def stocked(unit: Unit) -> Unit:
    """Four assets of three types."""
    block(unit, "Alpha one", description="first")
    block(unit, "beta_two", assetType={"id": 220})
    block(unit, "Gamma 100%", description="third")
    unit.make_asset("delta")
    return unit


def names(reply: httpx.Response) -> list[str]:
    assert reply.status_code == 200, reply.text
    return [item["name"] for item in reply.json()["items"]]


def query(unit: Unit, condition: dict[str, Any], **more: Any) -> list[str]:
    return names(unit.call("POST", ASSETS + "/query", json={"query": condition} | more))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("name eq 'alpha ONE'", ["Alpha one"]),
        ("name neq 'delta'", ["Alpha one", "beta_two", "Gamma 100%"]),
        ("name like 'a o'", ["Alpha one"]),
        ("name like 'g%'", ["Gamma 100%"]),
        ("name like '_'", ["beta_two"]),
        ("name gt 'c'", ["Gamma 100%", "delta"]),
        ("name lte 'beta_two'", ["Alpha one", "beta_two"]),
        ("assetType.id eq 208", ["delta"]),
        ("assetType.id lt 208", ["Alpha one", "Gamma 100%"]),
        ("assetType.id gte 208", ["beta_two", "delta"]),
        ("assetType.name eq 'codesnippetblock'", ["beta_two"]),
        ("createdDate gt '2020-01-01T00:00:00'", ["Alpha one", "beta_two", "Gamma 100%", "delta"]),
        ("modifiedDate lt 2020-01-01", []),
        ("customerKey eq 'o''clock'", []),
        ("views.html.content like 'hello'", ["delta"]),
    ],
)
def test_filter(stocked: Unit, text: str, found: list[str]) -> None:
    assert names(stocked.call("GET", ASSETS, params={"$filter": text})) == found


@pytest.mark.parametrize(
    ("operator", "name", "value", "found"),
    [
        ("equal", "name", "DELTA", ["delta"]),
        ("notEqual", "description", "first", ["beta_two", "Gamma 100%", "delta"]),
        ("lessThan", "assetType.id", 208, ["Alpha one", "Gamma 100%"]),
        ("lessThanOrEqual", "assetType.id", "208", ["Alpha one", "Gamma 100%", "delta"]),
        ("greaterThan", "assetType.id", 208, ["beta_two"]),
        ("greaterThanOrEqual", "assetType.id", 208, ["beta_two", "delta"]),
        ("like", "name", "%one", ["Alpha one"]),
        ("isNull", "description", None, ["beta_two", "delta"]),
        ("isNotNull", "description", None, ["Alpha one", "Gamma 100%"]),
        ("contains", "name", "%", ["Gamma 100%"]),
        ("mustcontain", "name", "one alpha", ["Alpha one"]),
        ("startsWith", "name", "beta_", ["beta_two"]),
        ("in", "assetType.id", [208, 220], ["beta_two", "delta"]),
        ("in", "name", "delta, beta_two", ["beta_two", "delta"]),
        ("where", "assetType", {"property": "id", "simpleOperator": "equal", "value": 220}, ["beta_two"]),
    ],
)
def test_every_operator_of_query(stocked: Unit, operator: str, name: str, value: Any, found: list[str]) -> None:
    assert query(stocked, {"property": name, "simpleOperator": operator, "value": value}) == found


def test_nested_operands_sort_page_and_fields(stocked: Unit) -> None:
    def is_type(number: int) -> dict[str, Any]:
        return {"property": "assetType.id", "simpleOperator": "equal", "value": number}

    condition = {
        "leftOperand": {"leftOperand": is_type(197), "logicalOperator": "OR", "rightOperand": is_type(220)},
        "logicalOperator": "AND",
        "rightOperand": {"property": "name", "simpleOperator": "like", "value": "a"},
    }
    sort = [{"property": "name", "direction": "DESC"}]
    assert query(stocked, condition, sort=sort) == ["Gamma 100%", "beta_two", "Alpha one"]
    body = {"query": condition, "sort": sort, "page": {"page": 2, "pageSize": 2}, "fields": ["name", "assetType.id"]}
    reply = stocked.call("POST", ASSETS + "/query", json=body).json()
    assert (reply["count"], reply["page"], reply["pageSize"]) == (3, 2, 2)
    assert [set(item) for item in reply["items"]] == [{"id", "name", "assetType"}]


def test_list_orders_pages_and_chooses_fields(stocked: Unit) -> None:
    reply = stocked.call("GET", f"{ASSETS}?$orderBy=name desc&$page=1&$pagesize=2&$fields=name,customerKey").json()
    assert [item["name"] for item in reply["items"]] == ["Gamma 100%", "delta"]
    assert set(reply["items"][0]) == {"id", "name", "customerKey"}
    assert (reply["count"], reply["pageSize"]) == (4, 2)
    assert names(stocked.call("GET", f"{ASSETS}?$orderBy=assetType.id asc, id desc"))[0] == "Gamma 100%"


@pytest.mark.parametrize(
    "text",
    ["", "name", "name is 'x'", "nothing eq 'x'", "assetType.id eq 'x'", "createdDate gt 'soon'", "name eq 'a' and"],
)
def test_a_bad_filter_is_10005(unit: Unit, text: str) -> None:
    reply = unit.call("GET", ASSETS, params={"$filter": text})
    assert (reply.status_code, reply.json()["errorcode"]) == (400, 10005)


@pytest.mark.parametrize(
    ("body", "errorcode"),
    [
        ({"query": {"property": "name"}}, 10002),
        ({"query": {"property": "name", "simpleOperator": "near", "value": "x"}}, 10005),
        ({"query": {"property": "nothing", "simpleOperator": "equal", "value": "x"}}, 10005),
        ({"query": {"property": "name", "simpleOperator": "equal", "value": {}}}, 10001),
        ({"query": {"property": "id", "simpleOperator": "equal", "value": 2**70}}, 10005),
        ({"query": {"property": "name", "simpleOperator": "equal", "value": ["x"]}}, 10005),
        ({"query": {"property": "name", "simpleOperator": "like", "value": "a\0"}}, 10005),
        ({"query": {"logicalOperator": "AND"}}, 10002),
        ({"query": []}, 10001),
        ({"page": {"page": 0}}, 10005),
        ({"sort": [{"property": "name", "direction": "up"}]}, 10005),
        ({"sort": [{"property": "password"}]}, 10005),
        ({"sort": "name"}, 10001),
    ],
)
def test_a_bad_query_names_its_part(unit: Unit, body: dict[str, Any], errorcode: int) -> None:
    reply = unit.call("POST", ASSETS + "/query", json=body)
    assert (reply.status_code, reply.json()["errorcode"]) == (400, errorcode)


def test_deep_nesting_is_refused(unit: Unit) -> None:
    condition: dict[str, Any] = {"property": "name", "simpleOperator": "equal", "value": "x"}
    for _ in range(40):
        condition = {"leftOperand": condition, "logicalOperator": "AND", "rightOperand": condition}
        if len(str(condition)) > 200_000:
            break
    reply = unit.call("POST", ASSETS + "/query", json={"query": condition})
    assert (reply.status_code, reply.json()["errorcode"]) == (400, 10005)


def test_sql_in_a_value_or_a_name_is_only_text(stocked: Unit) -> None:
    evil = "x' or '1'='1"
    assert query(stocked, {"property": "name", "simpleOperator": "equal", "value": evil}) == []
    for name in ("name) or (1=1", "asset.name", "views.html'->>'x"):
        body = {"query": {"property": name, "simpleOperator": "equal", "value": "x"}}
        assert stocked.call("POST", ASSETS + "/query", json=body).json()["errorcode"] == 10005


def test_an_image_is_stored_and_served_without_a_token(unit: Unit, live_api: LiveApi) -> None:
    body = {"name": "Löwe", "assetType": {"name": "png", "id": 28}, "file": base64.b64encode(PNG).decode()}
    made = unit.call("POST", ASSETS, json=body)
    assert made.status_code == 201
    properties = made.json()["fileProperties"]
    assert (properties["fileName"], properties["extension"], properties["fileSize"]) == ("Löwe.png", "png", len(PNG))
    assert "file" not in made.json()
    path = urlsplit(properties["publishedURL"]).path
    served = live_api.http.get(path)
    assert (served.status_code, served.content) == (200, PNG)
    assert served.headers["content-type"] == "image/png"
    assert served.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in served.headers["content-security-policy"]
    head = live_api.http.head(path)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(PNG)), b"")
    assert unit.call("GET", f"{ASSETS}/{made.json()['id']}/file").json() == body["file"]
    changed = PNG + b"more"
    reply = unit.call("PATCH", f"{ASSETS}/{made.json()['id']}", json={"file": base64.b64encode(changed).decode()})
    assert reply.json()["fileProperties"]["publishedURL"] == properties["publishedURL"]
    assert live_api.http.get(path).content == changed
    assert unit.call("DELETE", f"{ASSETS}/{made.json()['id']}").json() == "OK"
    assert live_api.http.get(path).status_code == 404


def test_an_image_of_one_unit_is_not_served_as_of_another(unit: Unit, live_api: LiveApi) -> None:
    body = {"name": "x", "assetType": {"id": 28}, "file": base64.b64encode(PNG).decode()}
    url = unit.call("POST", ASSETS, json=body).json()["fileProperties"]["publishedURL"]
    path = urlsplit(url).path
    account, key = path.split("/")[2:4]
    for wrong in (f"/files/1/{key}/x.png", f"/files/{account}/x/x.png", f"/files/x/{key}/x.png", f"/files/{account}"):
        assert live_api.http.get(wrong).status_code == 404


@pytest.mark.parametrize(
    ("file", "errorcode"),
    [("***", 10003), (base64.b64encode(b"<svg onload=alert(1)>").decode(), 10005), ("", 10005)],
)
def test_what_is_no_such_image_is_refused(unit: Unit, file: str, errorcode: int) -> None:
    reply = unit.call("POST", ASSETS, json={"name": "x", "assetType": {"id": 28}, "file": file})
    assert (reply.status_code, reply.json()["errorcode"]) == (400, errorcode)
    assert unit.stored()["asset"] == 0


def test_every_unit_has_a_root_folder_and_makes_others(unit: Unit) -> None:
    (root,) = unit.call("GET", CATEGORIES).json()["items"]
    assert (root["name"], root["parentId"], root["categoryType"]) == ("Content Builder", 0, "asset")
    reply = unit.call("POST", CATEGORIES, json={"Name": "Mails", "ParentId": root["id"]})
    assert reply.status_code == 201
    folder = reply.json()
    assert (folder["name"], folder["parentId"], folder["memberId"]) == ("Mails", root["id"], unit.account_id)
    assert unit.call("GET", f"{CATEGORIES}/{folder['id']}").json() == folder
    children = unit.call("GET", f"{CATEGORIES}?$filter=parentId eq {root['id']}").json()
    assert (children["count"], children["items"]) == (1, [folder])
    made = block(unit, "in it", category={"id": folder["id"]})
    assert made["category"] == {"id": folder["id"], "name": "Mails", "parentId": root["id"]}
    assert block(unit, "outside")["category"]["id"] == root["id"]
    assert names(unit.call("GET", f"{ASSETS}?$filter=category.id eq {folder['id']}")) == ["in it"]
    moved = unit.call("PATCH", f"{ASSETS}/{made['id']}", json={"category": {"id": root["id"]}}).json()
    assert moved["category"]["name"] == "Content Builder"


@pytest.mark.parametrize(
    ("body", "status", "errorcode"),
    [
        ({"parentId": 1}, 400, 10002),
        ({"name": "x"}, 400, 10002),
        ({"name": "x", "parentId": 0}, 400, 10005),
        ({"name": "x", "parentId": 999999999}, 400, 10005),
        ({"name": 1, "parentId": 1}, 400, 10001),
        ({"name": "n" * 201, "parentId": 1}, 400, 10005),
    ],
)
def test_a_bad_folder(unit: Unit, body: dict[str, Any], status: int, errorcode: int) -> None:
    reply = unit.call("POST", CATEGORIES, json=body)
    assert (reply.status_code, reply.json()["errorcode"]) == (status, errorcode)
    assert unit.call("GET", CATEGORIES).json()["count"] == 1


def test_a_folder_name_is_taken_once_under_its_parent(unit: Unit) -> None:
    root = unit.call("GET", CATEGORIES).json()["items"][0]["id"]
    first = unit.call("POST", CATEGORIES, json={"name": "A", "parentId": root}).json()
    again = unit.call("POST", CATEGORIES, json={"name": "a", "parentId": root})
    assert (again.status_code, again.json()["errorcode"]) == (409, 30004)
    assert unit.call("POST", CATEGORIES, json={"name": "A", "parentId": first["id"]}).status_code == 201
    assert unit.call("GET", f"{CATEGORIES}/999999999").json()["errorcode"] == 30003


def test_folders_are_renamed_moved_ordered_and_deleted_when_empty(unit: Unit) -> None:
    root = unit.call("GET", CATEGORIES).json()["items"][0]["id"]
    mails, news = (
        unit.call("POST", CATEGORIES, json={"name": name, "parentId": root}).json()["id"] for name in ("Mails", "News")
    )
    moved = unit.call("PUT", f"{CATEGORIES}/{news}", json={"Name": "Archive", "ParentId": mails})
    assert moved.status_code == 200
    assert (moved.json()["name"], moved.json()["parentId"]) == ("Archive", mails)
    assert unit.call("GET", f"{CATEGORIES}/{news}").json() == moved.json()
    assert unit.call("PUT", f"{CATEGORIES}/{news}", json={"description": "old"}).json()["name"] == "Archive"
    assert names(unit.call("GET", f"{CATEGORIES}?$orderBy=name desc")) == ["Mails", "Content Builder", "Archive"]
    assert names(unit.call("GET", f"{CATEGORIES}?$orderBy=parentId&$pageSize=2")) == ["Content Builder", "Mails"]
    made = block(unit, "in it", category={"id": news})
    for folder in (mails, news, root):
        assert unit.call("DELETE", f"{CATEGORIES}/{folder}").json()["errorcode"] == 30001
    assert unit.call("DELETE", f"{ASSETS}/{made['id']}").status_code == 200
    for folder in (news, mails):
        reply = unit.call("DELETE", f"{CATEGORIES}/{folder}")
        assert (reply.status_code, reply.json()) == (200, "OK")
        assert unit.call("DELETE", f"{CATEGORIES}/{folder}").json()["errorcode"] == 30003
    assert names(unit.call("GET", CATEGORIES)) == ["Content Builder"]


def test_a_channel_view_has_its_slots_filled(unit: Unit) -> None:
    slots = {
        "main": {"content": '<div data-type="block" data-key="b"></div>', "blocks": {"b": {"content": "<b>hi</b>"}}}
    }
    view = {"content": '<p><span data-type="slot" data-key="main"></span></p>', "slots": slots}
    body = {"name": "m", "assetType": {"id": 207}, "views": {"html": view, "subjectline": {"content": "S"}}}
    number = unit.call("POST", ASSETS, json=body).json()["id"]
    for name in ("html", "email", "HTML"):
        assert unit.call("GET", f"{ASSETS}/{number}/channelviews/{name}").json() == {"compiled": "<p><b>hi</b></p>"}
    assert unit.call("GET", f"{ASSETS}/{number}/channelviews/subjectline").json() == {"compiled": "S"}
    missing = unit.call("GET", f"{ASSETS}/{number}/channelviews/sms")
    assert (missing.status_code, missing.json()["errorcode"]) == (404, 30003)
    assert unit.call("GET", f"{ASSETS}/{block(unit, 'bl')['id']}/channelviews/html").json() == {"compiled": "<p>bl</p>"}


@pytest.mark.parametrize("number", [4, 5, 196, 197, 207, 208, 209, 214, 220, 230])
def test_every_type_can_be_made_by_number(unit: Unit, number: int) -> None:
    made = block(unit, f"type {number}", assetType={"id": number})
    assert made["assetType"]["id"] == number
    assert made["assetType"]["displayName"]


def test_another_unit_sees_no_asset_and_no_folder(stocked: Unit, live_api: LiveApi, account_ids: Any) -> None:
    other = live_api.unit(next(account_ids))
    number = stocked.call("GET", ASSETS).json()["items"][0]["id"]
    assert names(other.call("GET", ASSETS)) == []
    assert query(other, {"property": "id", "simpleOperator": "equal", "value": number}) == []
    assert query(other, {"property": "memberId", "simpleOperator": "equal", "value": stocked.account_id}) == []
    assert other.call("GET", f"{ASSETS}/{number}/channelviews/html").status_code == 404
    root = stocked.call("GET", CATEGORIES).json()["items"][0]["id"]
    assert other.call("POST", CATEGORIES, json={"name": "x", "parentId": root}).json()["errorcode"] == 10005
