"""Callbacks and subscriptions on the wire (contract §6)."""

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from tests.wire.live import Unit

CALLBACKS = "/platform/v1/ens-callbacks"
SUBSCRIPTIONS = "/platform/v1/ens-subscriptions"


class Endpoint:
    """An endpoint that keeps what it is told, and answers ``status``."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.status = 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                outer.headers.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(outer.status)
                self.send_header("Location", "http://127.0.0.1:1/")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Not to stderr."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hooks"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hook() -> Iterator[Endpoint]:
    """An endpoint that answers."""
    endpoint = Endpoint()
    yield endpoint
    endpoint.server.shutdown()
    endpoint.server.server_close()


def register(unit: Unit, hook: Endpoint, **more: object) -> dict[str, Any]:
    """A new callback, not verified yet."""
    reply = unit.call("POST", CALLBACKS, json=[{"callbackName": "Orders", "url": hook.url} | more])
    assert reply.status_code == 201, reply.text
    (made,) = reply.json()
    return dict(made)


def verified(unit: Unit, hook: Endpoint) -> str:
    """The id of a new, verified callback."""
    callback_id: str = register(unit, hook)["callbackId"]
    assert unit.call("POST", "/platform/v1/ens-verify", json=hook.told[-1]).status_code == 200
    return callback_id


def subscription(callback_id: str, **more: object) -> list[dict[str, Any]]:
    """The body of a subscription."""
    types = ["TransactionalSendEvents.EmailSent"]
    return [{"callbackId": callback_id, "subscriptionName": "Sent", "eventCategoryTypes": types} | more]


def test_a_callback_is_made_verified_and_shown(unit: Unit, hook: Endpoint) -> None:
    made = register(unit, hook, maxBatchSize=500)
    assert set(made) == {"callbackName", "callbackId", "url", "signatureKey", "maxBatchSize"}
    assert (made["callbackName"], made["url"], made["maxBatchSize"]) == ("Orders", hook.url, 500)
    assert len(made["signatureKey"]) == 44
    (told,) = hook.told
    assert set(told) == {"callbackId", "verificationKey"}
    assert told["callbackId"] == made["callbackId"]
    assert "x-sfmc-ens-signature" not in hook.headers[0]

    one = CALLBACKS + "/" + made["callbackId"]
    shown = {
        "callbackId": made["callbackId"],
        "callbackName": "Orders",
        "url": hook.url,
        "maxBatchSize": 500,
        "status": "unverified",
        "statusReason": "none",
    }
    assert unit.call("GET", one).json() == shown
    wrong = unit.call("POST", "/platform/v1/ens-verify", json=told | {"verificationKey": "another"})
    assert (wrong.status_code, wrong.json()["errorcode"]) == (404, 30003)
    assert unit.call("POST", "/platform/v1/ens-verify", json=told).status_code == 200
    assert unit.call("GET", CALLBACKS).json() == [shown | {"status": "verified"}]
    # The key is good for one use.
    assert unit.call("POST", "/platform/v1/ens-verify", json=told).status_code == 404


def test_a_verification_key_is_dead_after_four_hours(unit: Unit, hook: Endpoint) -> None:
    register(unit, hook)
    unit.api.execute(
        "update callback set verify_until = now() - interval '1 second' where account_id = $1", unit.account_id
    )
    assert unit.call("POST", "/platform/v1/ens-verify", json=hook.told[-1]).status_code == 404


def test_the_same_url_again_is_not_modified(unit: Unit, hook: Endpoint) -> None:
    register(unit, hook)
    again = unit.call("POST", CALLBACKS, json=[{"callbackName": "Again", "url": hook.url}])
    assert (again.status_code, again.content) == (304, b"")
    assert len(hook.told) == 1


@pytest.mark.parametrize("status", [201, 302, 500])
def test_an_endpoint_that_does_not_answer_200_is_kept_unverified(unit: Unit, hook: Endpoint, status: int) -> None:
    hook.status = status
    reply = unit.call("POST", CALLBACKS, json=[{"callbackName": "Orders", "url": hook.url}])
    assert reply.status_code == 400
    message = reply.json()["message"]
    (kept,) = unit.call("GET", CALLBACKS).json()
    assert message.startswith(
        f"MCMS_UWH_Runtime_GeneralFailure_probeCallbackLiveness: CallbackId is {kept['callbackId']}. "
        f"Could not verify callback url {hook.url}: it answered {status}"
    )
    assert len(hook.told) == 1
    assert kept["status"] == "unverified"
    # As the vendor has it: it must be deleted before it can be tried again.
    assert unit.call("POST", CALLBACKS, json=[{"callbackName": "Orders", "url": hook.url}]).status_code == 304
    assert unit.call("DELETE", CALLBACKS + "/" + kept["callbackId"]).status_code == 200
    hook.status = 200
    register(unit, hook)


def test_an_endpoint_nobody_listens_on_is_told(unit: Unit, hook: Endpoint) -> None:
    url = "http://127.0.0.1:1/hooks"
    reply = unit.call("POST", CALLBACKS, json=[{"callbackName": "Orders", "url": url}])
    assert reply.status_code == 400
    assert "the connection failed" in reply.json()["message"]


def test_a_callback_is_changed_and_its_key_regenerated(unit: Unit, hook: Endpoint) -> None:
    made = register(unit, hook)
    changes = [{"callbackId": made["callbackId"], "callbackName": "Renamed", "maxBatchSize": 100}]
    (changed,) = unit.call("PUT", CALLBACKS, json=changes).json()
    assert (changed["callbackName"], changed["maxBatchSize"], changed["url"]) == ("Renamed", 100, hook.url)
    (anew,) = unit.call("PUT", "/platform/v1/ens-regenerate", json=[{"callbackId": made["callbackId"]}]).json()
    assert set(anew) == {"callbackName", "callbackId", "url", "signatureKey"}
    assert anew["signatureKey"] != made["signatureKey"]
    for path in (CALLBACKS, "/platform/v1/ens-regenerate"):
        assert unit.call("PUT", path, json=[{"callbackId": str(uuid4())}]).status_code == 404


def test_a_subscription_is_made_changed_paused_and_removed(unit: Unit, hook: Endpoint) -> None:
    callback_id = verified(unit, hook)
    reply = unit.call("POST", SUBSCRIPTIONS, json=subscription(callback_id, filters=["definitionKey=order"]))
    assert reply.status_code == 201, reply.text
    (made,) = reply.json()
    assert made == {
        "callbackId": callback_id,
        "callbackName": "Orders",
        "subscriptionName": "Sent",
        "eventCategoryTypes": ["TransactionalSendEvents.EmailSent"],
        "subscriptionId": made["subscriptionId"],
        "filters": ["definitionKey=order"],
        "status": "active",
    }
    assert unit.call("POST", SUBSCRIPTIONS, json=subscription(callback_id)).status_code == 304
    one = SUBSCRIPTIONS + "/" + made["subscriptionId"]
    more = {"url": hook.url, "maxBatchSize": 1000, "statusReason": "none"}
    assert unit.call("GET", one).json() == made | more
    assert unit.call("GET", f"/platform/v1/ens-subscriptions-by-cb/{callback_id}").json() == [made | more]
    changes = {
        "subscriptionId": made["subscriptionId"],
        "eventCategoryTypes": ["TransactionalSendEvents.EmailNotSent"],
        "filters": [],
        "status": "paused",
        "statusReason": "holiday",
    }
    (changed,) = unit.call("PUT", SUBSCRIPTIONS, json=[changes]).json()
    assert (changed["status"], changed["statusReason"], changed["filters"]) == ("paused", "holiday", [])
    assert changed["eventCategoryTypes"] == ["TransactionalSendEvents.EmailNotSent"]

    in_use = unit.call("DELETE", f"{CALLBACKS}/{callback_id}")
    assert in_use.status_code == 409
    assert "still has subscriptions" in in_use.json()["message"]
    assert unit.call("DELETE", one).status_code == 200
    assert unit.call("DELETE", one).status_code == 404
    assert unit.call("DELETE", f"{CALLBACKS}/{callback_id}").status_code == 200
    assert unit.call("GET", f"{CALLBACKS}/{callback_id}").status_code == 404


def test_an_unverified_callback_takes_no_subscription(unit: Unit, hook: Endpoint) -> None:
    made = register(unit, hook)
    reply = unit.call("POST", SUBSCRIPTIONS, json=subscription(made["callbackId"]))
    assert (reply.status_code, reply.json()["errorcode"]) == (400, 30001)
    assert "is not verified" in reply.json()["message"]
    assert unit.call("POST", SUBSCRIPTIONS, json=subscription(str(uuid4()))).status_code == 404


def test_a_callback_has_at_most_two_hundred_subscriptions(unit: Unit, hook: Endpoint) -> None:
    callback_id = verified(unit, hook)
    unit.api.execute(
        """insert into subscription (account_id, subscription_id, callback_id, name, event_types)
           select $1, gen_random_uuid(), $2::text::uuid, 'n' || n, '{}' from generate_series(1, 200) n""",
        unit.account_id,
        callback_id,
    )
    reply = unit.call("POST", SUBSCRIPTIONS, json=subscription(callback_id))
    assert reply.status_code == 400
    assert "has 200 subscriptions" in reply.json()["message"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"callbackName": "A"}, "must be array"),
        ([], "an array of one object, not of 0"),
        ([{"callbackName": "A", "url": "http://h/"}] * 2, "an array of one object, not of 2"),
        ([{"url": "http://127.0.0.1/"}], "callbackName is required"),
        ([{"callbackName": "A"}], "url is required"),
        ([{"callbackName": "A", "url": "ftp://h/"}], "of the form https://host/path"),
        ([{"callbackName": "A", "url": "https://h/?a=1"}], "a query"),
        ([{"callbackName": "A", "url": "https://h/", "maxBatchSize": 99}], "maxBatchSize is 99; use 100 to 1000"),
        ([{"callbackName": "A", "url": "https://h/", "maxBatchSize": 1001}], "maxBatchSize is 1001"),
    ],
)
def test_a_wrong_callback_is_refused_by_field(unit: Unit, body: object, words: str) -> None:
    reply = unit.call("POST", CALLBACKS, json=body)
    assert reply.status_code == 400
    assert words in reply.json()["message"]
    assert unit.call("GET", CALLBACKS).json() == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"subscriptionName": ""}, "subscriptionName is required"),
        ({"eventCategoryTypes": []}, "eventCategoryTypes is required"),
        ({"eventCategoryTypes": ["TransactionalSendEvents.EmailQueued"]}, "EmailQueued"),
        ({"filters": ["definitionKey"]}, "must be of the form name=value"),
        ({"filters": ["statusCode=24"]}, "EmailSent has no such filter; use definitionKey"),
    ],
)
def test_a_wrong_subscription_is_refused_by_field(
    unit: Unit, hook: Endpoint, more: dict[str, object], words: str
) -> None:
    callback_id = verified(unit, hook)
    reply = unit.call("POST", SUBSCRIPTIONS, json=subscription(callback_id, **more))
    assert reply.status_code == 400
    assert words in reply.json()["message"]


def test_another_unit_sees_and_changes_nothing(unit: Unit, new_unit: Any, hook: Endpoint) -> None:
    callback_id = verified(unit, hook)
    (made,) = unit.call("POST", SUBSCRIPTIONS, json=subscription(callback_id)).json()
    other = new_unit()
    assert other.call("GET", CALLBACKS).json() == []
    assert other.call("GET", f"{CALLBACKS}/{callback_id}").status_code == 404
    assert other.call("DELETE", f"{SUBSCRIPTIONS}/{made['subscriptionId']}").status_code == 404
    assert other.call("POST", SUBSCRIPTIONS, json=subscription(callback_id)).status_code == 404
    assert other.call("PUT", "/platform/v1/ens-regenerate", json=[{"callbackId": callback_id}]).status_code == 404
    replay = f"/postroom/v1/ens-callbacks/{callback_id}/replay"
    assert other.call("POST", replay, json={"from": "2026-01-01"}).status_code == 404


def test_each_route_needs_its_scope(new_unit: Any) -> None:
    reader = new_unit(frozenset({"event_notification_callback_read"}))
    assert reader.call("GET", CALLBACKS).status_code == 200
    for method, path in (
        ("POST", CALLBACKS),
        ("PUT", CALLBACKS),
        ("POST", "/platform/v1/ens-verify"),
        ("PUT", "/platform/v1/ens-regenerate"),
        ("POST", SUBSCRIPTIONS),
        ("POST", f"/postroom/v1/ens-callbacks/{uuid4()}/replay"),
    ):
        assert reader.call(method, path, json=[]).status_code == 403
    assert reader.call("GET", f"{SUBSCRIPTIONS}/{uuid4()}").status_code == 403


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (None, "from is required"),
        ("yesterday", "write a time such as"),
        ("2026-01-05T09:00:00", "end it with the offset"),
        ("2999-01-01", "must be in the past"),
    ],
)
def test_a_replay_needs_a_moment_in_the_past(unit: Unit, hook: Endpoint, moment: str | None, words: str) -> None:
    callback_id = verified(unit, hook)
    replay = f"/postroom/v1/ens-callbacks/{callback_id}/replay"
    reply = unit.call("POST", replay, json={} if moment is None else {"from": moment})
    assert reply.status_code == 400
    assert words in reply.json()["message"]
    good = unit.call("POST", replay, json={"from": "2026-11-01T00:00:00Z"})
    assert (good.status_code, good.json()) == (202, {"callbackId": callback_id, "from": "2026-11-01T00:00:00+00:00"})
