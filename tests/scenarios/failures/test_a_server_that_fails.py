"""What a client meets when rules are set: the API's own errors, delays, and connections that end."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
from requests.adapters import HTTPAdapter
from tests.scenarios.failures.conftest import Failing
from tests.scenarios.tracking.shop import until
from urllib3.util import Retry

MESSAGE = "/messaging/v1/email/messages/{messageKey}"
BUSY_TIMES = 2


@pytest.fixture
def client(failing: Failing) -> Iterator[requests.Session]:
    """A client as many are written: requests, with urllib3's policy of trying again."""
    retry = Retry(total=4, allowed_methods=None, status_forcelist=[429, 503], backoff_factor=0.05)
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=retry))
        session.headers["Authorization"] = f"Bearer {failing.shop.token}"
        yield session


def order(failing: Failing, key: str) -> Any:
    return {"definitionKey": failing.definition, "recipient": {"contactKey": key, "to": f"{key}@example.org"}}


def test_a_client_that_repeats_a_cut_order_with_its_key_causes_one_mail(
    failing: Failing, client: requests.Session
) -> None:
    failing.chaos({"method": "POST", "path": MESSAGE, "cut": "after", "times": 2})
    url = f"{failing.shop.access.api}/messaging/v1/email/messages/cut-order"
    reply = client.post(url, json=order(failing, "cut-order"), headers={"Idempotency-Key": "order-1"}, timeout=30)
    assert (reply.status_code, reply.headers["idempotency-replayed"]) == (202, "true")
    assert reply.json()["responses"] == [{"messageKey": "cut-order"}]
    (rule,) = failing.rules()
    assert (rule["matched"], rule["hits"]) == (2, 2)  # used up: the third call asked for nothing more
    assert failing.sandbox("GET", "wait", params={"messageKey": "cut-order"}).status_code == 200
    # A second mail of it would be in the queue, or be captured.
    queue = f"/messaging/v1/email/definitions/{failing.definition}/queue"
    until(lambda: failing.shop.call("GET", queue)["count"] == 0)
    assert len(failing.mails(messageKey="cut-order")) == 1


def test_a_client_without_a_key_learns_that_its_order_had_arrived(failing: Failing, client: requests.Session) -> None:
    failing.chaos({"method": "POST", "path": MESSAGE, "cut": "after"})
    url = f"{failing.shop.access.api}/messaging/v1/email/messages/cut-bare"
    reply = client.post(url, json=order(failing, "cut-bare"), timeout=30)
    assert (reply.status_code, reply.json()["errorcode"]) == (400, 109110)


def test_a_call_that_is_cut_before_leaves_nothing(failing: Failing) -> None:
    failing.chaos({"path": MESSAGE, "cut": "before", "method": "POST"})
    with pytest.raises(httpx.HTTPError):
        failing.send("cut-before", "a@example.org")
    failing.send("cut-before", "a@example.org")


def test_a_busy_server_is_waited_for(failing: Failing, client: requests.Session) -> None:
    failing.chaos({"path": "/messaging/**", "status": 429, "retryAfter": 1, "times": BUSY_TIMES})
    began = time.monotonic()
    url = f"{failing.shop.access.api}/messaging/v1/email/messages/patient"
    reply = client.post(url, json=order(failing, "patient"), timeout=30)
    assert reply.status_code == 202
    assert time.monotonic() - began >= BUSY_TIMES
    assert [rule["hits"] for rule in failing.rules()] == [BUSY_TIMES]


def test_errors_are_those_of_the_api(failing: Failing) -> None:
    documentation = "https://developer.salesforce.com/docs/atlas.en-us.mc-apis.meta/mc-apis/error-handling.htm"
    expected: dict[int, tuple[dict[str, object], dict[str, str]]] = {
        401: ({"message": "Not Authorized", "errorcode": 0}, {"www-authenticate": 'Bearer error="invalid_token"'}),
        403: ({"message": "Insufficient privileges to complete this action.", "errorcode": 20002}, {}),
        429: ({"message": "Rate limit exceeded", "errorcode": 50100, "retryAfter": 5}, {"retry-after": "5"}),
        500: ({"message": "Internal Server Error", "errorcode": 500}, {}),
        503: ({"message": "Service Unavailable", "errorcode": 50300}, {"retry-after": "5"}),
    }
    for status, (body, headers) in expected.items():
        (rule,) = failing.chaos({"status": status, "share": 1})
        reply = failing.shop.http.post(failing.shop.access.api + "/messaging/v1/email/messages", json={"a": "b"})
        assert (reply.status_code, reply.json()) == (status, body | {"documentation": documentation})
        assert headers.items() <= dict(reply.headers).items()
        assert reply.headers["postroom-chaos-rule"] == str(rule["id"])
        token = failing.shop.http.post(failing.shop.access.api + "/v2/token/", json={"a": "b"})
        assert token.status_code == status
        assert token.json().keys() == {"error", "error_description", "error_uri"}
        # The connection is still of use: nothing of the body was left on it.
        assert failing.sandbox("GET", "messages").status_code == 200


def test_rules_are_about_the_calls_they_name(failing: Failing) -> None:
    mine, definitions = failing.account_id, "/messaging/v1/email/definitions"
    url = failing.shop.access.api + definitions
    token = {"authorization": f"Bearer {failing.shop.token}"}
    failing.chaos(
        {"method": "POST", "status": 500, "share": 1},
        {"path": "/Messaging/V1//email/Definitions/", "accountId": mine + 1, "status": 500, "share": 1},
        {"path": "/Messaging/V1//email/Definitions/", "accountId": mine, "status": 503},
    )
    assert failing.shop.http.get(url, headers=token).status_code == 503
    assert failing.shop.http.get(url, headers=token).status_code == 200
    assert failing.shop.http.get(url).status_code == 401
    assert [(rule["matched"], rule["hits"]) for rule in failing.rules()] == [(0, 0), (0, 0), (1, 1)]
    # Each unit's rules are its own.
    failing.chaos({"delayMs": 1}, accountId=mine)
    assert [(rule.get("accountId"), rule.get("times")) for rule in failing.rules()] == [
        (None, None),
        (mine + 1, None),
        (mine, 1),
    ]
    assert failing.sandbox("DELETE", "chaos", params={"accountId": str(mine + 1)}).json() == {"deleted": 1}
    assert failing.sandbox("DELETE", "chaos").json() == {"deleted": 2}
    assert failing.rules() == []


def test_a_share_hits_the_same_calls_each_time_and_a_delay_only_delays(failing: Failing) -> None:
    def run() -> list[int]:
        failing.chaos({"status": 500, "share": 0.5, "seed": 3})
        return [failing.shop.http.get(failing.shop.access.api + "/v2/discovery").status_code for _ in range(12)]

    first = run()
    assert first == run()
    assert 0 < first.count(500) < 12
    failing.chaos({"delayMs": 300})
    began = time.monotonic()
    failing.shop.call("GET", "/messaging/v1/email/definitions")
    assert time.monotonic() - began >= 0.3


def test_bad_rules_are_refused_and_change_nothing(failing: Failing) -> None:
    kept = failing.chaos({"delayMs": 1})
    for body, text in (
        (b"[", "the body is no JSON"),
        (b"[]", "the body must be an object with a list of rules"),
        (b'{"rules": [{"status": 404}]}', "rules[0].status is 404; give 401, 403, 429, 500 or 503"),
    ):
        reply = failing.sandbox("PUT", "chaos", content=body)
        assert (reply.status_code, reply.json()["errorcode"]) == (400, 10005)
        assert text in reply.json()["message"]
    assert failing.rules() == kept


def test_cross_site_request_sets_no_rule(failing: Failing) -> None:
    body = {"rules": [{"status": 500, "share": 1}]}
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        for method in ("PUT", "DELETE"):
            assert failing.sandbox(method, "chaos", json=body, headers=headers).status_code == 403
        assert failing.sandbox("POST", "retry", headers=headers).status_code == 403
    assert failing.sandbox("PUT", "chaos", json=body, headers={"host": "evil.example"}).status_code == 403
    assert failing.rules() == []


def test_units_see_and_delete_only_their_own_mails(failing: Failing) -> None:
    failing.send("filtered", "filtered@example.org")
    mine = failing.account_id
    found = failing.sandbox("GET", "wait", params={"messageKey": "filtered", "accountId": str(mine)})
    assert found.json()["accountId"] == mine
    other = failing.sandbox("GET", "wait", params={"accountId": str(mine + 1), "timeout": "0"})
    assert other.status_code == 404
    assert f"accountId={mine + 1}" in other.json()["message"]
    assert failing.mails(accountId=mine + 1) == []
    everything = failing.sandbox("GET", "messages").json()["total"]
    assert failing.sandbox("DELETE", "messages", params={"accountId": str(mine + 1)}).json() == {"deleted": 0}
    assert failing.sandbox("DELETE", "messages", params={"accountId": ""}).status_code == 400
    assert failing.sandbox("DELETE", "messages", params={"accountId": str(mine)}).json() == {"deleted": everything}
    assert failing.sandbox("GET", "messages").json()["total"] == 0
