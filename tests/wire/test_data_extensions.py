"""Data extensions and their rows, at once and asynchronously (contract §7.2)."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.wire.live import Unit

OBJECTS = "/data/v1/customobjects"
ORDERS = "/hub/v1/dataevents/key:orders"
ASYNC = "/data/v1/async/dataextensions/key:orders/rows"
ROWSET = "/data/v1/customobjectdata/key/orders/rowset"


def orders(**more: Any) -> dict[str, Any]:
    """The body of a create."""
    return {
        "name": "Orders",
        "key": "orders",
        "categoryId": 17,
        "fields": [
            {"name": "OrderId", "type": "Text", "length": 20, "isPrimaryKey": True, "isNullable": False},
            {"name": "Total", "type": "Decimal", "length": 10, "scale": 2, "isNullable": False},
            {"name": "City", "type": "Text", "length": 50, "defaultValue": "Oslo"},
            {"name": "Items", "type": "Number"},
            {"name": "Paid", "type": "Boolean", "defaultValue": False},
            {"name": "Due", "type": "Date"},
        ],
    } | more


@pytest.fixture
def shop(unit: Unit) -> Unit:
    """A business unit with the data extension `orders`."""
    reply = unit.call("POST", OBJECTS, json=orders())
    assert reply.status_code == 201, reply.text
    return unit


def items(unit: Unit, query: str = "") -> list[dict[str, str]]:
    """The rows, keys and values together."""
    reply = unit.call("GET", ROWSET + query)
    assert reply.status_code == 200, reply.text
    return [row["keys"] | row["values"] for row in reply.json()["items"]]


def upsert(unit: Unit, *rows: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """A rowset that must succeed."""
    body = [{"keys": keys, "values": values} for keys, values in rows]
    reply = unit.call("POST", ORDERS + "/rowset", json=body)
    assert reply.status_code == 200, reply.text
    assert reply.json() == body


def test_a_created_extension_is_shown_listed_and_deleted(unit: Unit) -> None:
    made = unit.call("POST", OBJECTS, json=orders(isSendable=True, sendableCustomObjectField="OrderId")).json()
    assert (made["name"], made["key"], made["categoryId"], made["isSendable"]) == ("Orders", "orders", 17, True)
    shown = unit.call("GET", f"{OBJECTS}/{made['id']}").json()
    assert shown == made
    fields = unit.call("GET", f"{OBJECTS}/{made['id']}/fields").json()["fields"]
    assert [field["name"] for field in fields] == ["OrderId", "Total", "City", "Items", "Paid", "Due"]
    assert fields[1] | {"id": ""} == {
        "id": "",
        "name": "Total",
        "type": "Decimal",
        "ordinal": 1,
        "isPrimaryKey": False,
        "isNullable": False,
        "length": 10,
        "scale": 2,
    }
    assert fields[4]["defaultValue"] == "False"
    listed = unit.call("GET", OBJECTS + "?$search=RDER").json()
    assert (listed["count"], listed["items"][0]["id"], listed["items"][0]["rowCount"]) == (1, made["id"], 0)
    assert unit.call("GET", OBJECTS + "?$search=nothing").json()["items"] == []
    assert unit.call("GET", "/postroom/v1/data-extensions/ORDERS").json() == made
    assert unit.call("DELETE", f"{OBJECTS}/{made['id']}").json() == "OK"
    assert unit.call("GET", f"{OBJECTS}/{made['id']}").status_code == 404


def test_without_a_key_one_is_made(unit: Unit) -> None:
    body = orders()
    del body["key"]
    made = unit.call("POST", OBJECTS, json=body).json()
    assert unit.call("GET", f"/data/v1/customobjectdata/key/{made['key']}/rowset").json()["count"] == 0


def bad_field(**field: Any) -> dict[str, Any]:
    return orders(fields=[{"name": "A", "type": "Text", "length": 5} | field])


@pytest.mark.parametrize(
    ("body", "status", "errorcode", "words"),
    [
        (orders(name=""), 400, 10002, "name is required"),
        (orders(name=5), 400, 10001, "name must be string"),
        (orders(name="n" * 101), 400, 10005, "name"),
        (orders(key="k" * 73), 400, 10005, "key"),
        (orders(key="a\0"), 400, 10005, "key"),
        (orders(fields=[]), 400, 10002, "fields is required"),
        (orders(fields={}), 400, 10001, "fields must be"),
        (orders(categoryId=-1), 400, 10005, "categoryId"),
        (orders(isSendable=True, sendableCustomObjectField="None"), 400, 10005, "sendableCustomObjectField"),
        (orders(isSendable=True), 400, 10002, "sendableCustomObjectField"),
        (bad_field(type="Blob"), 400, 10005, "fields[0].type is 'Blob'"),
        (bad_field(type=None), 400, 10002, "fields[0].type is required"),
        (bad_field(name=" "), 400, 10002, "fields[0].name"),
        (bad_field(name="a\nb"), 400, 10005, "fields[0].name"),
        (bad_field(length=4001), 400, 10005, "fields[0].length"),
        (bad_field(length=None, isPrimaryKey=True), 400, 10005, "fields[0].length"),
        (bad_field(length=901, isPrimaryKey=True), 400, 10005, "primary key"),
        (bad_field(type="Decimal", length=39), 400, 10005, "fields[0].length"),
        (bad_field(type="Decimal", length=3, scale=4), 400, 10005, "fields[0].scale"),
        (bad_field(type="Number", defaultValue="x"), 400, 10005, "fields[0].defaultValue"),
        (orders(fields=[{"name": "A", "type": "Date"}, {"name": "a ", "type": "Date"}]), 400, 10005, "there twice"),
    ],
)
def test_a_create_that_can_not_be_is_refused(
    unit: Unit, body: dict[str, Any], status: int, errorcode: int, words: str
) -> None:
    reply = unit.call("POST", OBJECTS, json=body)
    assert (reply.status_code, reply.json()["errorcode"]) == (status, errorcode), reply.text
    assert words in reply.json()["message"]
    assert unit.call("GET", OBJECTS).json()["count"] == 0


def test_key_and_name_are_taken_once(shop: Unit) -> None:
    for body in (orders(name="Other", key="ORDERS"), orders(name="ORDERS", key="other")):
        reply = shop.call("POST", OBJECTS, json=body)
        assert (reply.status_code, reply.json()["errorcode"]) == (409, 30004)


def test_an_upsert_inserts_with_defaults_and_changes_what_it_names(shop: Unit) -> None:
    upsert(shop, ({"OrderId": "A1"}, {"Total": "12.5", "Items": 3, "due": "2026-01-05T08:00:00"}))
    first = {"orderid": "A1", "total": "12.50", "city": "Oslo", "items": "3", "paid": "False"}
    assert items(shop) == [first | {"due": "1/5/2026 8:00:00 AM"}]
    upsert(shop, ({"ORDERID": "a1"}, {"Paid": True, "City": None}))
    assert items(shop) == [first | {"due": "1/5/2026 8:00:00 AM", "paid": "True", "city": ""}]


def test_a_rowset_is_stored_in_the_order_given(shop: Unit) -> None:
    upsert(shop, ({"OrderId": "A1"}, {"Total": 1}), ({"OrderId": "a1"}, {"Items": 7}))
    assert [(row["total"], row["items"]) for row in items(shop)] == [("1.00", "7")]


@pytest.mark.parametrize(
    ("keys", "values", "status", "errorcode", "words"),
    [
        ({}, {"Total": 1}, 400, 10002, "OrderId"),
        ({"OrderId": "B"}, {}, 400, 10002, "Total"),
        ({"OrderId": "B"}, {"Total": None}, 400, 10002, "Total"),
        ({"OrderId": "B"}, {"Total": "much"}, 400, 10005, "column Total is Decimal"),
        ({"OrderId": "B" * 21}, {"Total": 1}, 400, 10005, "column OrderId is Text"),
        ({"OrderId": "B"}, {"Total": 1, "Nope": 1}, 400, 10005, "'Nope'"),
        ({"OrderId": "B"}, {"Total": 1, "City": "a\0"}, 400, 10005, "NUL"),
        ({"OrderId": "B"}, {"Total": 1, "Due": "soon"}, 400, 10005, "column Due is Date"),
    ],
)
def test_one_bad_row_keeps_the_whole_rowset_out(
    shop: Unit, keys: dict[str, Any], values: dict[str, Any], status: int, errorcode: int, words: str
) -> None:
    body = [{"keys": {"OrderId": "good"}, "values": {"Total": 1}}, {"keys": keys, "values": values}]
    reply = shop.call("POST", ORDERS + "/rowset", json=body)
    assert (reply.status_code, reply.json()["errorcode"]) == (status, errorcode), reply.text
    assert "row 1: " in reply.json()["message"]
    assert words in reply.json()["message"]
    assert items(shop) == []


@pytest.mark.parametrize(
    ("body", "errorcode"), [(b"[{", 10004), (b"{}", 10001), (b"[]", 10002), (b'[{"keys":[]}]', 10001), (b"[5]", 10001)]
)
def test_bodies_that_are_no_rowset(shop: Unit, body: bytes, errorcode: int) -> None:
    reply = shop.call("POST", ORDERS + "/rowset", content=body, headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()["errorcode"]) == (400, errorcode)


def test_several_bad_rows_are_all_told(shop: Unit) -> None:
    body = [{"keys": {}, "values": {}}, {"keys": {"OrderId": "B"}, "values": {"Total": "x"}}]
    reply = shop.call("POST", ORDERS + "/rowset", json=body).json()
    assert [error["errorcode"] for error in reply["additionalErrors"]] == [10002, 10005]


def test_one_row_by_its_key_in_the_path(shop: Unit) -> None:
    reply = shop.call("PUT", ORDERS + "/rows/OrderId:A1", json={"values": {"Total": 5}})
    assert reply.json() == {"keys": {"OrderId": "A1"}, "values": {"Total": 5}}
    shop.call("PUT", ORDERS + "/rows/orderid:a1", json={"values": {"City": "Bergen"}})
    assert [(row["orderid"], row["city"]) for row in items(shop)] == [("A1", "Bergen")]
    assert shop.call("DELETE", ORDERS + "/rows/OrderId:A1").status_code == 200
    assert items(shop) == []
    gone = shop.call("DELETE", ORDERS + "/rows/OrderId:A1")
    assert (gone.status_code, gone.json()["errorcode"]) == (404, 30003)
    assert shop.call("PUT", ORDERS + "/rows/A1", json={"values": {}}).json()["errorcode"] == 10005
    assert shop.call("PUT", ORDERS + "/rows/OrderId:A1", json={}).json()["errorcode"] == 10002


def test_a_table_without_a_primary_key_takes_inserts_only(unit: Unit) -> None:
    unit.call("POST", OBJECTS, json={"name": "Log", "key": "orders", "fields": [{"name": "Line", "type": "Text"}]})
    reply = unit.call("POST", ORDERS + "/rowset", json=[{"keys": {}, "values": {"Line": "a"}}])
    assert (reply.status_code, reply.json()["errorcode"]) == (400, 30001)
    unit.call("POST", ASYNC, json={"items": [{"Line": "a"}, {"Line": "a"}]})
    assert [row["line"] for row in items(unit)] == ["a", "a"]


def job(unit: Unit, method: str, rows: list[dict[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """An asynchronous call, its status and its results."""
    reply = unit.call(method, ASYNC, json={"items": rows})
    assert reply.status_code == 202, reply.text
    request_id = reply.json()["requestId"]
    status = unit.call("GET", f"/data/v1/async/{request_id}/status").json()
    assert status["requestId"] == status["status"]["requestId"] == request_id
    results = unit.call("GET", f"/data/v1/async/{request_id}/results").json()
    assert results["count"] == len(rows)
    return status["status"], results["items"]


def test_an_asynchronous_insert_stores_the_good_rows_and_says_what_was_wrong_with_the_others(shop: Unit) -> None:
    rows: list[dict[str, Any]] = [
        {"OrderId": "A1", "Total": 1},
        {"OrderId": "A2"},
        {"OrderId": "A3", "Total": "x"},
        {"OrderId": "a1", "Total": 2},
        {"Nope": 1},
    ]
    status, results = job(shop, "POST", rows)
    assert (status["requestStatus"], status["hasErrors"], status["resultStatus"]) == ("Complete", True, "Error")
    codes = ["", "MissingRequiredField", "InvalidFieldValue", "PrimaryKeyViolation", "InvalidColumnName"]
    assert [result["errorCode"] for result in results] == codes
    assert [result["status"] for result in results] == ["OK", "Error", "Error", "Error", "Error"]
    assert [row["orderid"] for row in items(shop)] == ["A1"]
    _, again = job(shop, "POST", rows[:1])
    assert again[0]["errorCode"] == "PrimaryKeyViolation"


def test_asynchronous_upsert_and_delete(shop: Unit) -> None:
    status, _ = job(shop, "PUT", [{"OrderId": "A1", "Total": 1}, {"OrderId": "A2", "Total": 1}])
    assert (status["hasErrors"], status["resultStatus"]) == (False, "OK")
    job(shop, "PUT", [{"OrderId": "A1", "Items": 4}])
    assert [(row["orderid"], row["items"]) for row in items(shop)] == [("A1", "4"), ("A2", "")]
    _, results = job(shop, "DELETE", [{"OrderId": "A1"}, {"OrderId": "A9"}])
    assert [result["errorCode"] for result in results] == ["", "RowNotFound"]
    assert [row["orderid"] for row in items(shop)] == ["A2"]


@pytest.mark.parametrize("body", [{}, {"items": []}, {"items": [5]}, {"items": "x"}, []])
def test_bodies_that_are_no_items(shop: Unit, body: Any) -> None:
    assert shop.call("POST", ASYNC, json=body).status_code == 400


def test_an_unknown_extension(unit: Unit) -> None:
    reply = unit.call("POST", ASYNC, json={"items": [{"a": 1}]})
    assert reply.status_code == 200
    assert reply.json()["resultMessages"][0]["resultCode"] == "CustomObjectNotFound"
    for method, path, body in [
        ("POST", ORDERS + "/rowset", [{"keys": {"a": 1}, "values": {}}]),
        ("PUT", ORDERS + "/rows/a:1", {"values": {}}),
        ("DELETE", ORDERS + "/rows/a:1", None),
        ("POST", "/hub/v1/dataevents/not-an-id/rowset", [{"keys": {"a": 1}, "values": {}}]),
        ("GET", ROWSET, None),
        ("GET", "/data/v1/customobjectdata/5/rowset", None),
        ("GET", "/data/v1/async/5/status", None),
        ("GET", "/data/v1/async/01890a5d-ac96-774b-bcce-b302099a8057/results", None),
    ]:
        found = unit.call(method, path, json=body) if body is not None else unit.call(method, path)
        assert (found.status_code, found.json()["errorcode"]) == (404, 30003), path


@pytest.fixture
def stocked(shop: Unit) -> Unit:
    """Seven orders."""
    cities = ["Oslo", "Bergen", "oslo", "Ålesund", "Bodø", "O'Hare", "Oslo"]
    rows = [({"OrderId": f"A{n}"}, {"Total": n * 10, "City": city, "Items": n}) for n, city in enumerate(cities, 1)]
    upsert(shop, *rows)
    shop.call("PUT", ORDERS + "/rows/OrderId:A2", json={"values": {"Items": None}})
    return shop


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("City eq 'OSLO'", "137"),
        ("City+eq+'Ålesund'", "4"),
        ("City eq 'O''Hare'", "6"),
        ("City like 'O%25'", "1367"),
        ("City neq Oslo", "2456"),
        ("Total gt 50", "67"),
        ("Total gte 50.00 and City eq 'oslo'", "7"),
        ("Total lt 20 or Total eq 60", "16"),
        ("Items eq null", "2"),
        ("Items neq null and Total lte 30", "13"),
        ("Items lt 10 and Items gt 5", "67"),
        ("[OrderId] eq A5", "5"),
        ("OrderId eq 'A5' and OrderId eq 'A6'", ""),
        ("Paid eq false and OrderId eq a5", "5"),
        ("(City%20eq%20'Oslo'%20AND%20(Total%20gt%20'20'%20OR%20Items%20eq%20'1'))", "137"),
        ("(Total lt 20 or Total eq 60) and City neq 'Oslo'", "6"),
        ("Items IS NULL", "2"),
        ("Items%20IS%20NOT%20NULL and Total lte 30", "13"),
        ("City in ('bergen','Ålesund','O''Hare')", "246"),
        ("Total in (10, 20.0,30) and City in (Oslo)", "13"),
    ],
)
def test_filters(stocked: Unit, query: str, found: str) -> None:
    assert "".join(row["orderid"][1:] for row in items(stocked, f"?$filter={query}")) == found


@pytest.mark.parametrize(
    "query",
    [
        "$filter=Nope eq 1",
        "$filter=City is 'x'",
        "$filter=City eq",
        "$filter=City eq 'x' nor Total eq 1",
        "$filter=City eq 'x",
        "$filter=Total eq much",
        "$filter=Items gt null",
        "$filter=City eq '%00'",
        "$filter=" + "%20and%20".join(["Total eq 1"] * 21),
        "$filter=(City eq 'x'",
        "$filter=City eq 'x')",
        "$filter=City in 'x'",
        "$filter=City in ('x'",
        "$filter=City is 'null'",
        "$fields=OrderId,Nope",
        "$orderBy=Nope",
        "$page=0",
        "$pageSize=x",
    ],
)
def test_queries_that_can_not_be_understood(stocked: Unit, query: str) -> None:
    reply = stocked.call("GET", f"{ROWSET}?{query}")
    assert (reply.status_code, reply.json()["errorcode"]) == (400, 10005), reply.text


def test_order_and_pages(stocked: Unit) -> None:
    ordered = items(stocked, "?$orderBy=City asc,Total desc")
    assert [row["orderid"] for row in ordered] == ["A2", "A5", "A6", "A7", "A3", "A1", "A4"]
    assert [row["items"] for row in items(stocked, "?$orderBy=Items")][:3] == ["", "1", "3"]
    page = stocked.call("GET", ROWSET + "?$pageSize=3&$orderBy=Total desc&$filter=Total lt 70").json()
    assert (page["count"], page["page"], page["pageSize"], page["customObjectKey"]) == (6, 1, 3, "orders")
    assert [row["keys"]["orderid"] for row in page["items"]] == ["A6", "A5", "A4"]
    following = stocked.call("GET", "/data" + page["links"]["next"]).json()
    assert [row["keys"]["orderid"] for row in following["items"]] == ["A3", "A2", "A1"]
    assert "next" not in following["links"]
    by_token = stocked.call("GET", f"/data/v1/customobjectdata/token/{page['requestToken']}/rowset?$page=2&$pageSize=3")
    assert by_token.json()["items"] == following["items"]
    assert stocked.call("GET", "/data/v1/customobjectdata/token/bm90aGluZw/rowset").json()["errorcode"] == 10005


def test_only_the_fields_asked_for_are_shown_on_every_page(stocked: Unit) -> None:
    page = stocked.call("GET", ROWSET + "?$fields=total,City&$pageSize=1").json()
    assert page["items"] == [{"keys": {"orderid": "A1"}, "values": {"total": "10.00", "city": "Oslo"}}]
    following = stocked.call("GET", "/data" + page["links"]["next"]).json()
    assert following["items"] == [{"keys": {"orderid": "A2"}, "values": {"total": "20.00", "city": "Bergen"}}]


def test_numbers_are_compared_as_numbers_though_another_table_has_text_there(stocked: Unit) -> None:
    fields = [{"name": "Total", "type": "Text", "length": 10, "isPrimaryKey": True}]
    stocked.call("POST", OBJECTS, json={"name": "Words", "key": "words", "fields": fields})
    reply = stocked.call("POST", "/hub/v1/dataevents/key:words/rowset", json=[{"keys": {"Total": "ten"}, "values": {}}])
    assert reply.status_code == 200
    assert len(items(stocked, "?$filter=Total gt 9")) == 7


def test_another_business_unit_sees_nothing_of_it(stocked: Unit, new_unit: Callable[..., Unit]) -> None:
    other = new_unit()
    listed = stocked.call("GET", OBJECTS).json()["items"][0]
    token = stocked.call("GET", ROWSET).json()["requestToken"]
    request_id = stocked.call("PUT", ASYNC, json={"items": [{"OrderId": "A1"}]}).json()["requestId"]
    for method, path in [
        ("GET", f"{OBJECTS}/{listed['id']}"),
        ("GET", f"{OBJECTS}/{listed['id']}/fields"),
        ("DELETE", f"{OBJECTS}/{listed['id']}"),
        ("GET", "/postroom/v1/data-extensions/orders"),
        ("DELETE", "/postroom/v1/data-extensions/orders"),
        ("GET", ROWSET),
        ("GET", f"/data/v1/customobjectdata/{listed['id']}/rowset"),
        ("GET", f"/data/v1/customobjectdata/token/{token}/rowset"),
        ("GET", f"/data/v1/async/{request_id}/status"),
        ("GET", f"/data/v1/async/{request_id}/results"),
        ("DELETE", ORDERS + "/rows/OrderId:A1"),
    ]:
        assert other.call(method, path).status_code == 404, path
    assert other.call("GET", OBJECTS).json()["items"] == []
    other.call("POST", OBJECTS, json=orders())
    upsert(other, ({"OrderId": "A1"}, {"Total": 99}))
    assert [row["total"] for row in items(other)] == ["99.00"]
    assert items(stocked, "?$filter=OrderId eq A1")[0]["total"] == "10.00"


def test_reading_and_writing_are_different_rights(new_unit: Callable[..., Unit]) -> None:
    reader, writer = new_unit(frozenset({"data_extensions_read"})), new_unit(frozenset({"data_extensions_write"}))
    assert reader.call("POST", OBJECTS, json=orders()).json()["errorcode"] == 20002
    assert reader.call("GET", OBJECTS).status_code == 200
    assert writer.call("POST", OBJECTS, json=orders()).status_code == 201
    assert writer.call("GET", ROWSET).json()["errorcode"] == 20002


def test_fifty_rows_are_upserted_in_under_twenty_milliseconds(shop: Unit) -> None:
    took = []
    for number in range(15):
        rows = [
            {"keys": {"OrderId": f"B{place}"}, "values": {"Total": place, "City": "Oslo", "Items": number}}
            for place in range(50)
        ]
        started = time.perf_counter()
        assert shop.call("POST", ORDERS + "/rowset", json=rows).status_code == 200
        took.append(time.perf_counter() - started)
    # The goal is 20 ms on a machine of its own; this one is shared with every other test.
    print(f"median {statistics.median(took) * 1000:.1f} ms")
    assert statistics.median(took) < 0.06, took
