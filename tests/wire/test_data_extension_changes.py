"""Changing data extensions: names, fields, all rows at once, cells that count, and events (contract §7.2)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.wire.live import Unit

OBJECT = "/data/v1/customobjects/key:visits"
FIELDS = "/data/v1/customobjectsasync/key:visits/fields"
EVENTS = "/hub/v1/dataevents/key:visits"
LATER = "/hub/v1/dataeventsasync/key:visits"


@pytest.fixture
def visits(unit: Unit) -> Unit:
    """A business unit with the data extension `visits` and Ann's row."""
    fields = [
        {"name": "Person", "type": "Text", "length": 10, "isPrimaryKey": True},
        {"name": "Visits", "type": "Number"},
        {"name": "Paid", "type": "Decimal", "length": 6, "scale": 2, "isNullable": False, "defaultValue": "0.5"},
    ]
    body = {"name": "Visits", "key": "visits", "categoryId": 5, "fields": fields}
    assert unit.call("POST", "/data/v1/customobjects", json=body).status_code == 201
    assert unit.call("PUT", EVENTS + "/rows/Person:ann", json={"values": {}}).status_code == 200
    return unit


def row(unit: Unit, person: str = "ann") -> dict[str, str]:
    """Its values."""
    reply = unit.call("GET", f"/data/v1/customobjectdata/key/visits/rowset?$filter=Person eq {person}").json()
    values: dict[str, str] = reply["items"][0]["values"]
    return values


def field_named(unit: Unit, name: str) -> dict[str, Any]:
    """A field as it is shown."""
    fields = unit.call("GET", OBJECT + "/fields").json()["fields"]
    found: dict[str, Any] = next(field for field in fields if field["name"] == name)
    return found


def test_a_patch_changes_what_it_names(visits: Unit) -> None:
    before = visits.call("GET", OBJECT).json()
    reply = visits.call("PATCH", OBJECT, json={"name": "Calls", "categoryId": 6, "dataRetentionProperties": {}})
    assert reply.status_code == 200
    after = reply.json()
    assert {name for name in before if before[name] != after[name]} == {"name", "categoryId", "modifiedDate"}
    assert (after["name"], after["categoryId"], after["rowCount"]) == ("Calls", 6, 1)
    assert visits.call("GET", OBJECT).json() == after
    sendable = visits.call("PATCH", OBJECT, json={"isSendable": True, "sendableCustomObjectField": "Person"}).json()
    assert (sendable["isSendable"], sendable["sendableCustomObjectField"]) == (True, "Person")
    assert visits.call("PATCH", OBJECT, json={"isSendable": False}).json()["isSendable"] is False


def test_a_patch_adds_and_changes_the_fields_it_names(visits: Unit) -> None:
    fields = [{"name": "person", "length": 20}, {"name": "City", "type": "Text", "length": 30}]
    reply = visits.call("PATCH", OBJECT, json={"fields": fields})
    assert [field["name"] for field in reply.json()["fields"]] == ["Person", "Visits", "Paid", "City"]
    assert field_named(visits, "Person")["length"] == 20


def test_those_of_a_folder_are_listed_in_order(visits: Unit) -> None:
    body = {"name": "A", "key": "a", "categoryId": 5, "fields": [{"name": "X", "type": "Text"}]}
    visits.call("POST", "/data/v1/customobjects", json=body)
    visits.call("POST", "/data/v1/customobjects", json=body | {"name": "B", "key": "b", "categoryId": 7})
    folder = "/data/v1/customobjects/category/5"
    listed = visits.call("GET", folder + "?retrievalType=1&$page=1&$pagesize=25&$orderBy=modifiedDate%20DESC").json()
    assert (listed["count"], [item["name"] for item in listed["items"]]) == (2, ["A", "Visits"])
    by_name = visits.call("GET", folder + "?$orderBy=name desc").json()["items"]
    assert [item["name"] for item in by_name] == ["Visits", "A"]
    assert visits.call("GET", "/data/v1/customobjects/category/8").json()["items"] == []
    assert visits.call("GET", folder + "?$orderBy=age").json()["errorcode"] == 10005


def test_added_fields_can_be_written_and_are_null_in_older_rows(visits: Unit) -> None:
    reply = visits.call("POST", FIELDS, json={"fields": [{"name": "City", "type": "Text", "length": 10}]})
    assert reply.status_code == 202
    status = visits.call("GET", f"/data/v1/async/{reply.json()['requestId']}/status").json()["status"]
    assert (status["requestStatus"], status["hasErrors"]) == ("Complete", False)
    assert row(visits)["city"] == ""
    visits.call("PUT", EVENTS + "/rows/Person:ann", json={"values": {"City": "Oslo"}})
    assert row(visits)["city"] == "Oslo"


def test_a_changed_field_is_named_by_its_id_or_name(visits: Unit) -> None:
    person = field_named(visits, "Person")
    assert visits.call("PATCH", FIELDS, json={"fields": [{"id": person["id"], "length": 15}]}).status_code == 202
    changes = [{"name": "PAID", "isNullable": True, "defaultValue": 2}]
    assert visits.call("PATCH", FIELDS, json={"fields": changes}).status_code == 202
    assert field_named(visits, "Person") == person | {"length": 15}
    assert (field_named(visits, "Paid")["isNullable"], field_named(visits, "Paid")["defaultValue"]) == (True, "2.00")
    visits.call("PUT", EVENTS + "/rows/Person:bob", json={"values": {}})
    assert row(visits, "bob")["paid"] == "2.00"


@pytest.mark.parametrize(
    ("field", "errorcode", "words"),
    [
        ({"name": "Person", "length": 5}, 10005, "may only become longer or nullable"),
        ({"name": "Visits", "isNullable": False}, 10005, "may only become longer or nullable"),
        ({"name": "Visits", "isPrimaryKey": True}, 10005, "may only become longer or nullable"),
        ({"name": "Visits", "type": "Text"}, 10005, "is Number and stays so"),
        ({"name": "Visits", "defaultValue": "x"}, 10005, "fields[1].defaultValue"),
        ({"name": "Nobody"}, 30003, "there is no field 'Nobody'"),
        ({"id": "x"}, 30003, "there is no field 'x'"),
    ],
)
def test_a_field_that_can_not_become_so_stays_as_it_is(
    visits: Unit, field: dict[str, Any], errorcode: int, words: str
) -> None:
    before = visits.call("GET", OBJECT).json()
    reply = visits.call("PATCH", FIELDS, json={"fields": [field]})
    assert (reply.status_code, reply.json()["errorcode"]) == (404 if errorcode == 30003 else 400, errorcode)
    assert words in reply.json()["message"]
    assert visits.call("GET", OBJECT).json() == before


def test_a_field_is_not_renamed(visits: Unit) -> None:
    person = field_named(visits, "Person")
    reply = visits.call("PATCH", FIELDS, json={"fields": [{"id": person["id"], "name": "Human"}]})
    assert (reply.status_code, reply.json()["errorcode"]) == (400, 10005)


def test_fields_added_at_the_same_moment_are_all_there(visits: Unit) -> None:
    def add(number: int) -> int:
        body = {"fields": [{"name": f"F{number}", "type": "Number"}]}
        return visits.call("POST", FIELDS, json=body).status_code

    with ThreadPoolExecutor(6) as threads:
        assert set(threads.map(add, range(12))) == {202}
    assert len(visits.call("GET", OBJECT + "/fields").json()["fields"]) == 15


def test_cleared_data_leaves_the_fields(visits: Unit) -> None:
    reply = visits.call("POST", OBJECT + "/cleardata")
    assert (reply.status_code, reply.json()) == (200, "OK")
    shown = visits.call("GET", OBJECT).json()
    assert (shown["rowCount"], shown["fieldCount"]) == (0, 3)


def test_a_cell_is_counted_up_and_down(visits: Unit) -> None:
    counted = visits.call("PUT", EVENTS + "/rows/Person:ANN/column/visits/increment?step=10")
    assert (counted.status_code, counted.json()) == (200, {"keys": {"Person": "ANN"}, "values": {"visits": "10"}})
    visits.call("PUT", EVENTS + "/rows/Person:ann/column/Visits/increment")
    visits.call("PUT", EVENTS + "/rows/Person:ann/column/Paid/increment?step=-2")
    assert row(visits) == {"visits": "11", "paid": "-1.50"}
    for column, step, words in (("Visits", "9999999999", "is not between"), ("Paid", "99999", "digits before")):
        refused = visits.call("PUT", f"{EVENTS}/rows/Person:ann/column/{column}/increment?step={step}")
        assert (refused.status_code, refused.json()["errorcode"]) == (400, 10005)
        assert words in refused.json()["message"]


def test_counting_at_the_same_moment_counts_each(visits: Unit) -> None:
    path = EVENTS + "/rows/Person:ann/column/Visits/increment"
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: visits.call("PUT", path), range(40)))
    assert row(visits)["visits"] == "40"


def results(unit: Unit, method: str, path: str, body: Any) -> list[str]:
    """The codes of the rows of an event."""
    reply = unit.call(method, LATER + path, json=body)
    assert (reply.status_code, reply.json()) == (202, "")
    found = unit.call("GET", f"/data/v1/async/{reply.headers['Postroom-Request-Id']}/results").json()
    return [item["errorCode"] for item in found["items"]]


def test_an_event_stores_the_good_rows_and_its_request_tells_of_each(visits: Unit) -> None:
    body = [
        {"keys": {"Person": "bob"}, "values": {"Visits": 3}},
        {"keys": {"Person": "cid"}, "values": {"Visits": "many"}},
    ]
    assert results(visits, "POST", "/rowset", body) == ["", "InvalidFieldValue"]
    assert row(visits, "bob")["visits"] == "3"
    assert results(visits, "PUT", "/rows/Person:bob", {"values": {"Visits": 4}}) == [""]
    assert results(visits, "PUT", "/rows/Person:bob/column/Visits/increment?step=2", None) == [""]
    assert row(visits, "bob")["visits"] == "6"
    assert results(visits, "PUT", "/rows/Person:nobody/column/Visits/increment", None) == ["RowNotFound"]
