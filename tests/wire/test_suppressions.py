"""Suppressions over HTTP: added, found, removed, imported, exported, and what they do to contacts and messages."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.wire.live import Unit

OWN = "/postroom/v1/suppressions"
NDJSON, CSV = "application/x-ndjson", "text/csv"


def add(unit: Unit, address: str, **more: Any) -> dict[str, Any]:
    reply = unit.call("POST", OWN, json={"address": address} | more)
    assert reply.status_code == 201, reply.text
    body: dict[str, Any] = reply.json()
    return body


def listed(unit: Unit, **query: Any) -> list[str | None]:
    reply = unit.call("GET", OWN, params=query)
    assert reply.status_code == 200, reply.text
    return [item["address"] for item in reply.json()["items"]]


def file(unit: Unit, **query: str) -> httpx.Response:
    """An export, which is no JSON."""
    return unit.api.http.get(OWN + "/export", params=query, headers={"Authorization": f"Bearer {unit.token}"})


def send_file(unit: Unit, text: str | bytes, kind: str = CSV, **query: str) -> httpx.Response:
    return unit.call("POST", OWN + "/import", content=text, headers={"Content-Type": kind}, params=query)


def test_one_is_added_found_and_removed(unit: Unit) -> None:
    made = add(unit, "Ann@Example.com", evidence="asked by phone", expires="2999-01-05")
    assert made == {
        "id": made["id"],
        "address": "ann@example.com",
        "cause": "manual",
        "evidence": "asked by phone",
        "created": made["created"],
        "changed": made["created"],
        "expires": "2999-01-05T00:00:00Z",
    }
    again = unit.call("POST", OWN, json={"address": "ann@example.com"})
    assert (again.status_code, again.json()["id"], again.json()["expires"]) == (200, made["id"], None)
    place = f"{OWN}/{made['id']}"
    assert unit.call("GET", place).json() == again.json()
    assert unit.call("DELETE", place).json()["address"] == "ann@example.com"
    assert (unit.call("GET", place).status_code, unit.call("DELETE", place).status_code) == (404, 404)


def test_pages_and_searches(unit: Unit) -> None:
    add(unit, "ann@example.com")
    add(unit, "ann@example.com", cause="bounce")
    add(unit, "ben@example.org", cause="complaint")
    seen = []
    query: dict[str, Any] = {"$pageSize": 2}
    while True:
        page = unit.call("GET", OWN, params=query).json()
        assert page["count"] == len(page["items"]) <= page["pageSize"] == 2
        seen += [(item["address"], item["cause"]) for item in page["items"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert seen == [("ann@example.com", "manual"), ("ann@example.com", "bounce"), ("ben@example.org", "complaint")]
    assert listed(unit, address='"Ann"@EXAMPLE.com') == ["ann@example.com"] * 2
    assert listed(unit, address="ann@example.com", cause="bounce") == ["ann@example.com"]
    assert listed(unit, containing="Example.ORG") == ["ben@example.org"]
    assert listed(unit, cause="import") == []


def test_an_address_is_removed_with_one_cause_or_all(unit: Unit) -> None:
    for cause in ("bounce", "manual", "complaint"):
        add(unit, "ann@example.com", cause=cause)
    assert unit.call("DELETE", OWN, params={"address": "ANN@example.com", "cause": "bounce"}).json() == {"removed": 1}
    assert unit.call("DELETE", OWN, params={"address": "ANN@example.com"}).json() == {"removed": 2}
    assert unit.call("DELETE", OWN, params={"address": "ANN@example.com"}).json() == {"removed": 0}


@pytest.mark.parametrize(
    ("method", "path", "body", "errorcode", "words"),
    [
        ("POST", "", {}, 10002, "address is required"),
        ("POST", "", {"address": "ann"}, 10005, "'ann' is not an email address"),
        ("POST", "", {"address": "a@example.com", "cause": "x"}, 10005, "it must be one of complaint, bounce"),
        ("POST", "", {"address": "a@example.com", "expires": "2020-01-01"}, 10005, "expires is in the past"),
        ("POST", "", {"address": "a@example.com", "expires": "x"}, 10005, "write a time such as"),
        ("POST", "", {"address": "a@example.com", "evidence": "x" * 1001}, 10005, "at most 1000"),
        ("POST", "/import", {}, 10002, "items is required"),
        ("GET", "?after=x", None, 10005, "it must be the next of a reply"),
        ("GET", "?expired=x", None, 10005, "it must be true or false"),
        ("GET", "?cause=x", None, 10005, "it must be one of"),
        ("GET", "?address=x", None, 10005, "is not an email address"),
        ("GET", "?containing=%00", None, 10005, "NUL"),
        ("DELETE", "", None, 10002, "address is required in the query"),
        ("GET", "/export?format=xml", None, 10005, "it must be csv or ndjson"),
        ("GET", "/x", None, 30003, "no suppression with id 'x'"),
    ],
)
def test_mistakes_are_named(unit: Unit, method: str, path: str, body: object, errorcode: int, words: str) -> None:
    reply = unit.call(method, OWN + path, **({} if body is None else {"json": body}))
    assert reply.json()["errorcode"] == errorcode
    assert words in reply.json()["message"]


def test_a_file_is_imported_and_its_bad_lines_are_told(unit: Unit) -> None:
    text = "address,cause,evidence\nann@example.com,bounce,550\nben\ncid@example.com\nANN@example.com,bounce,551\n"
    reply = send_file(unit, text, cause="unsubscribe")
    assert reply.json() == {
        "added": 2,
        "known": 0,
        "rejected": 1,
        "problems": [{"line": 3, "problem": "'ben' is not an email address"}],
    }
    items = unit.call("GET", OWN).json()["items"]
    found = {(item["address"], item["cause"], item["evidence"]) for item in items}
    assert found == {("ann@example.com", "bounce", "551"), ("cid@example.com", "unsubscribe", "")}
    assert send_file(unit, '{"address":"ann@example.com","cause":"bounce"}\n', NDJSON).json()["known"] == 1
    body = {"items": [{"address": "dan@example.com"}, {"address": "x"}]}
    assert unit.call("POST", OWN + "/import", json=body).json()["problems"][0]["line"] == 2


def test_an_import_of_several_thousand(unit: Unit) -> None:
    text = "\n".join(f"p{number}@example.com" for number in range(3_500))
    assert send_file(unit, text).json()["added"] == 3_500
    assert send_file(unit, text).json()["known"] == 3_500
    lines = file(unit).text.splitlines()
    assert lines[0] == "address,cause,evidence,expires,created"
    assert {line.partition(",")[0] for line in lines[1:]} == {f"p{number}@example.com" for number in range(3_500)}
    assert len(lines) == 3_501


def test_an_import_must_be_text_of_a_known_kind(unit: Unit) -> None:
    assert send_file(unit, "a@example.com", "text/plain").status_code == 415
    reply = send_file(unit, b"\xff\xfe")
    assert (reply.status_code, reply.json()["errorcode"]) == (400, 10004)
    assert send_file(unit, b"x" * (1024 * 1024 + 1)).status_code == 413


def test_an_export_is_imported_elsewhere_as_it_was(unit: Unit, new_unit: Callable[..., Unit]) -> None:
    add(unit, "=ann@example.com", cause="complaint", evidence="=1+1", expires="2999-01-05")
    add(unit, "ben@example.com")
    add(unit, "gone@example.com", cause="erasure")
    other = new_unit()
    for kind, media in (("csv", CSV), ("ndjson", NDJSON)):
        exported = file(unit, format=kind)
        assert exported.headers["content-type"] == f"{media}; charset=utf-8"
        assert exported.headers["content-disposition"] == f'attachment; filename="suppressions.{kind}"'
        assert exported.headers["x-content-type-options"] == "nosniff"
        assert "gone" not in exported.text
        assert send_file(other, exported.content, media).json()["rejected"] == 0
    columns = ("address", "cause", "evidence", "expires")
    here, there = (
        {tuple(item[name] for name in columns) for item in each.call("GET", OWN).json()["items"] if item["address"]}
        for each in (unit, other)
    )
    assert len(here) == 2
    assert here == there
    assert file(unit, cause="complaint", format="ndjson").text.count("\n") == 1


def test_csv_injection_through_an_export(unit: Unit) -> None:
    add(unit, "=cmd@example.com", evidence="@SUM(A1)")
    add(unit, "+1@example.com", evidence="-1+1")
    for line in file(unit).text.splitlines()[1:]:
        address, _, evidence = line.split(",")[:3]
        assert (address[0], evidence[0]) == ("'", "'")


def test_tenant_isolation_of_suppressions(unit: Unit, new_unit: Callable[..., Unit]) -> None:
    made = add(unit, "ann@example.com")
    other = new_unit()
    assert listed(other) == []
    assert listed(other, address="ann@example.com") == []
    assert other.call("GET", f"{OWN}/{made['id']}").status_code == 404
    assert other.call("DELETE", f"{OWN}/{made['id']}").status_code == 404
    assert other.call("DELETE", OWN, params={"address": "ann@example.com"}).json() == {"removed": 0}
    assert file(other).text.count("\n") == 1
    assert listed(unit) == ["ann@example.com"]


# -- contacts


@pytest.fixture
def ann(unit: Unit) -> Unit:
    """A business unit with the contact `ann`."""
    values = [{"name": "Email Address", "value": "Ann@example.com"}]
    body = {"contactKey": "ann", "attributeSets": [{"name": "Email Addresses", "items": [{"values": values}]}]}
    assert unit.call("POST", "/contacts/v1/contacts", json=body).status_code == 201
    return unit


def status(unit: Unit) -> str:
    found: str = unit.call("GET", "/postroom/v1/contacts/ann").json()["status"]
    (everyone,) = unit.call("GET", "/postroom/v1/lists").json()["items"]
    members = unit.call("GET", f"/postroom/v1/lists/{everyone['id']}/members").json()["items"]
    assert [member["status"] for member in members] == [found]
    return found


@pytest.mark.parametrize(("cause", "seen"), [("bounce", "Held"), ("complaint", "Held"), ("manual", "Active")])
def test_a_contact_is_held_after_bounce_and_complaint_until_its_address_is_released(
    ann: Unit, cause: str, seen: str
) -> None:
    add(ann, "ann@EXAMPLE.com", cause=cause)
    assert status(ann) == seen
    ann.call("DELETE", OWN, params={"address": "ann@example.com"})
    assert status(ann) == "Active"


def test_a_contact_is_active_again_when_its_suppression_has_expired(ann: Unit) -> None:
    add(ann, "ann@example.com", cause="bounce", expires="2999-01-05")
    assert status(ann) == "Held"
    ann.api.execute("update suppression set expires_at = now() where account_id = $1", ann.account_id)
    assert status(ann) == "Active"
    assert listed(ann) == []
    assert listed(ann, expired="true") == listed(ann, expired="true", address="ann@example.com") == ["ann@example.com"]


def test_a_held_contact_can_be_written_back_as_read_but_not_made_active(ann: Unit) -> None:
    add(ann, "ann@example.com", cause="bounce")
    place = "/postroom/v1/contacts/ann"
    assert ann.call("PATCH", place, json={"status": "Held"}).json()["status"] == "Held"
    refused = ann.call("PATCH", place, json={"status": "Active"})
    assert (refused.status_code, refused.json()["errorcode"]) == (409, 30002)
    assert "is suppressed; release the address with DELETE /postroom/v1/suppressions" in refused.json()["message"]
    moved = ann.call("PATCH", place, json={"status": "Active", "address": "ann@new.example.com"})
    assert moved.json()["status"] == "Active"
    ann.call("PATCH", place, json={"address": "ann@example.com"})
    assert status(ann) == "Held"
    ann.call("DELETE", OWN, params={"address": "ann@example.com"})
    assert status(ann) == "Active"


def test_what_somebody_decided_stays(ann: Unit) -> None:
    ann.call("PATCH", "/postroom/v1/contacts/ann", json={"status": "Unsubscribed"})
    add(ann, "ann@example.com", cause="bounce")
    assert status(ann) == "Unsubscribed"
