"""Jobs over many messages over HTTP: counted, confirmed, carried out by the API process."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from tests.wire.live import Unit, until

OWN = "/postroom/v1/jobs"
MESSAGES = "/postroom/v1/messages"


@pytest.fixture
def three(sender: Unit) -> Unit:
    """A business unit with three messages that wait."""
    for number, name in enumerate(("ann", "ben", "Ann"), 1):
        send = {"definitionKey": "order", "recipient": {"contactKey": name, "to": f"{name}@example.com"}}
        assert sender.call("POST", f"/messaging/v1/email/messages/k{number}", json=send).status_code == 202
    return sender


def counted(unit: Unit, action: str, **wanted: str) -> dict[str, Any]:
    reply = unit.call("POST", OWN, json={"action": action, "filter": wanted})
    assert reply.status_code == 201, reply.text
    job: dict[str, Any] = reply.json()
    return job


def carried_out(unit: Unit, action: str, **wanted: str) -> dict[str, Any]:
    job = counted(unit, action, **wanted)
    place = f"{OWN}/{job['id']}"
    reply = unit.call("POST", f"{place}/confirm")
    assert (reply.status_code, reply.json()["status"] in ("running", "finished")) == (202, True)
    until(lambda: unit.call("GET", place).json()["status"] == "finished")
    assert unit.call("POST", f"{place}/confirm").status_code == 202
    late = unit.call("DELETE", place)
    assert (late.status_code, late.json()["errorcode"]) == (409, 30002)
    done: dict[str, Any] = unit.call("GET", place).json()
    return done


def keys(unit: Unit, **query: str) -> list[str]:
    return [item["messageKey"] for item in unit.call("GET", MESSAGES, params=query).json()["items"]]


def test_hold_release_cancel_and_resend(three: Unit) -> None:
    held = carried_out(three, "hold", recipient="ann@example.com")
    assert held["results"] == {"done": 2, "claimed": 0, "erased": 0, "definitionGone": 0, "otherState": 0, "refused": 0}
    assert "recipient" not in held["filter"], "a job that is over names nobody"
    assert keys(three, status="held") == ["k3", "k1"]
    assert carried_out(three, "release", contactKey="ANN", status="held")["results"]["done"] == 2
    assert keys(three, status="held") == []
    assert carried_out(three, "cancel", definitionKey="order")["results"]["done"] == 3
    assert keys(three, status="notSent") == ["k3", "k2", "k1"]
    resent = carried_out(three, "resend", status="notSent")
    assert resent["results"]["done"] == 3
    pages = []
    for after in (0, 2):
        query = {"after": str(after), "pageSize": "2"}
        page = three.call("GET", f"{OWN}/{resent['id']}/resent", params=query).json()
        assert page["count"] == len(page["items"])
        pages.append([each["messageKey"] for each in page["items"]])
    assert pages == [["k3", "k2"], ["k1"]]
    assert sorted(key.split("~")[0] for key in keys(three, status="queued")) == ["k1", "k2", "k3"]
    retried = carried_out(three, "retry", status="queued")
    assert retried["results"]["otherState"] == 3


def test_what_is_counted_and_shown(three: Unit) -> None:
    job = counted(three, "cancel", contactKey="ann", **{"from": "2026-01-01"})
    assert job["filter"].pop("to") == job["counted"]
    assert job["filter"] == {"contactKey": "ann", "from": "2026-01-01T00:00:00.000Z"}
    assert job["matching"] == {"queued": 2, "held": 0, "sent": 0, "notSent": 0, "more": False}
    assert (job["action"], job["status"], job["confirmed"], job["ended"]) == ("cancel", "counted", None, None)
    assert job["requestedBy"] == three.client_id
    cancelled = three.call("DELETE", f"{OWN}/{job['id']}")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    confirmed = three.call("POST", f"{OWN}/{job['id']}/confirm")
    assert (confirmed.status_code, confirmed.json()["errorcode"]) == (409, 30002)
    assert keys(three, status="queued") == ["k3", "k2", "k1"]


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({"filter": {"status": "sent"}}, 10002, "action is required; use one of hold, release, cancel, retry, resend"),
        ({"action": "delete", "filter": {"status": "sent"}}, 10005, "action is 'delete'; it must be one of hold"),
        ({"action": "hold"}, 10002, "filter must have at least one field"),
        ({"action": "hold", "filter": {}}, 10002, "filter must have at least one field"),
        ({"action": "hold", "filter": {"recipent": "a"}}, 10005, "filter has no member 'recipent'"),
        ({"action": "hold", "filter": {"status": "lost"}}, 10005, "status is 'lost'; it must be one of queued"),
        ({"action": "hold", "filter": {"recipient": ""}}, 10005, "recipient must have a value"),
        ({"action": "hold", "filter": {"contactKey": "a\0"}}, 10005, "NUL character"),
        ({"action": "hold", "filter": {"from": "2026-02-01", "to": "2026-01-01"}}, 10005, "from must be before to"),
    ],
)
def test_mistakes_are_named(unit: Unit, body: dict[str, Any], code: int, words: str) -> None:
    reply = unit.call("POST", OWN, json=body)
    assert (reply.status_code, reply.json()["errorcode"]) == (400, code)
    assert words in reply.json()["message"]


def test_tenant_isolation_the_job_of_another_business_unit_is_none(three: Unit, new_unit: Callable[..., Unit]) -> None:
    job = counted(three, "cancel", definitionKey="order")
    stranger = new_unit()
    for place in (f"{OWN}/{job['id']}", f"{OWN}/{uuid4()}", f"{OWN}/x"):
        for method, path in (
            ("GET", place),
            ("POST", f"{place}/confirm"),
            ("DELETE", place),
            ("GET", f"{place}/resent"),
        ):
            reply = stranger.call(method, path)
            assert (reply.status_code, reply.json()["errorcode"]) == (404, 30003), path
    assert three.call("GET", f"{OWN}/{job['id']}").json()["status"] == "counted"
    assert counted(stranger, "cancel", definitionKey="order")["matching"]["queued"] == 0


def test_a_place_that_is_no_number_is_refused(three: Unit) -> None:
    job = counted(three, "resend", definitionKey="order")
    for after in ("-1", "x", "9" * 10):
        reply = three.call("GET", f"{OWN}/{job['id']}/resent", params={"after": after})
        assert (reply.status_code, reply.json()["errorcode"]) == (400, 10005), after
