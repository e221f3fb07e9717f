"""What holds for every route: authorization, paths, queries, methods, and the headers of errors (contract §0)."""

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from tests.wire.live import LiveApi, Unit

GATEWAY = "https://developer.salesforce.com/docs/atlas.en-us.mc-apis.meta/mc-apis/error-handling.htm"
DEFINITIONS = "/messaging/v1/email/definitions"

ROUTES = [
    ("POST", "/messaging/v1/email/messages", "email_send"),
    ("POST", "/messaging/v1/email/messages/k", "email_send"),
    ("GET", "/messaging/v1/email/messages/k", "email_read"),
    ("GET", "/messaging/v1/email/messages?type=notSent", "email_read"),
    ("POST", DEFINITIONS, "email_write"),
    ("GET", DEFINITIONS, "email_read"),
    ("GET", DEFINITIONS + "/k", "email_read"),
    ("PATCH", DEFINITIONS + "/k", "email_write"),
    ("DELETE", DEFINITIONS + "/k", "email_write"),
    ("GET", DEFINITIONS + "/k/queue", "email_read"),
    ("DELETE", DEFINITIONS + "/k/queue", "email_write"),
    ("POST", "/asset/v1/content/assets", "saved_content_write"),
    ("GET", "/asset/v1/content/assets", "saved_content_read"),
    ("GET", "/asset/v1/content/assets/1", "saved_content_read"),
    ("PUT", "/asset/v1/content/assets/1", "saved_content_write"),
    ("PATCH", "/asset/v1/content/assets/1", "saved_content_write"),
    ("DELETE", "/asset/v1/content/assets/1", "saved_content_write"),
    ("POST", "/asset/v1/content/assets/query", "saved_content_read"),
    ("GET", "/asset/v1/content/assets/1/channelviews/html", "saved_content_read"),
    ("GET", "/asset/v1/content/categories", "saved_content_read"),
    ("GET", "/asset/v1/content/categories/1", "saved_content_read"),
    ("POST", "/asset/v1/content/categories", "saved_content_write"),
    ("GET", "/platform/v1/tokenContext", None),
    ("GET", "/platform/v1/endpoints", None),
    ("GET", "/platform/v1/endpoints/rest", None),
]


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_without_a_token_every_route_is_401(live_api: LiveApi, method: str, path: str, scope: str | None) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic dTpw"}):
        reply = live_api.http.request(method, path, headers=headers)
        assert reply.status_code == 401
        assert reply.json() == {"message": "Not Authorized", "errorcode": 0, "documentation": GATEWAY}
        assert reply.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert reply.headers["content-type"] == "application/json; charset=utf-8"


def test_without_the_scope_every_route_is_403_before_it_looks_at_anything(
    new_unit: Callable[..., Unit],
) -> None:
    unit = new_unit()
    everything = unit.new_token().split()
    assert everything
    for method, path, scope in ROUTES:
        if scope is None:
            continue
        others = "email_read" if scope != "email_read" else "email_send"
        token = unit.new_token(scope=others)
        reply = unit.call(method, path, headers={"Authorization": f"Bearer {token}", "Content-Type": "text/plain"})
        assert reply.status_code == 403, path
        assert reply.json()["errorcode"] == 20002
        assert reply.json()["message"] == "Insufficient privileges to complete this action."


def test_a_token_with_an_empty_scope_may_ask_who_it_is_and_no_more(unit: Unit) -> None:
    headers = {"Authorization": f"Bearer {unit.new_token(scope='')}"}
    context = unit.call("GET", "/platform/v1/tokenContext", headers=headers)
    unit_id = {"id": unit.account_id}
    assert context.json() == {"enterprise": unit_id, "organization": unit_id, "user": unit_id}
    assert unit.call("GET", DEFINITIONS, headers=headers).status_code == 403


def test_token_in_the_url_is_refused(live_api: LiveApi, unit: Unit) -> None:
    reply = live_api.http.get(DEFINITIONS, params={"access_token": unit.token})
    assert reply.status_code == 403
    assert reply.json()["errorcode"] == 40003
    assert unit.call("GET", f"{DEFINITIONS}?ACCESS_TOKEN={unit.token}").json()["errorcode"] == 40003


def test_token_in_the_body_is_refused(live_api: LiveApi, unit: Unit) -> None:
    body = {"access_token": unit.token, "definitionKey": "x"}
    for path in (DEFINITIONS, "/messaging/v1/email/messages", "/asset/v1/content/assets"):
        bare = live_api.http.post(path, json=body)
        assert (bare.status_code, bare.json()["errorcode"]) == (401, 40004)
        assert "www-authenticate" in bare.headers
        assert unit.call("POST", path, json=body).json()["errorcode"] == 40004


@pytest.mark.parametrize("path", ["/", "/nowhere", "/messaging/v1/email/nowhere", DEFINITIONS + "/k/queue/more"])
def test_an_unknown_route_is_404_404(live_api: LiveApi, path: str) -> None:
    with_sandbox_page = path == "/"
    if with_sandbox_page:
        path = "/messaging"
    reply = live_api.http.get(path)
    assert reply.status_code == 404
    assert reply.json() == {"message": "Not Found", "errorcode": 404, "documentation": GATEWAY}
    assert reply.headers["content-type"] == "application/json; charset=utf-8"


def test_a_wrong_method_is_405_and_says_which_are_right(live_api: LiveApi) -> None:
    reply = live_api.http.put("/messaging/v1/email/messages")
    assert reply.status_code == 405
    assert reply.json()["errorcode"] == 405
    assert "POST" in reply.headers["allow"]
    assert reply.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        "/messaging/v1/email/definitions/Order",
        "/messaging/v1/email/definitions/order/",
        "//messaging//v1/email/definitions///order",
        "/Messaging/V1/EMAIL/Definitions/ORDER",
        "/messaging/v1/email/definitions/o%72der",
        "/m%65ssaging/v1/email/definitions/order",
    ],
)
def test_paths_as_clients_write_them(sender: Unit, path: str) -> None:
    reply = sender.call("GET", path)
    assert reply.status_code == 200
    assert reply.json()["definitionKey"] == "order"


@pytest.mark.parametrize(
    "query",
    [
        "$page=2&$pageSize=1",
        "%24page=2&%24pageSize=1",
        "$PAGE=2&$pagesize=1",
        "page=2&pageSize=1",
        "$page=2&$pageSize=1&$filter=status+neq+deleted",
        "$page=2&$pageSize=1&%24filter=status%20eq%20active",
        "$page=2&$pageSize=1&$orderby=definitionkey+asc",
    ],
)
def test_queries_as_clients_write_them(sender: Unit, query: str) -> None:
    sender.make_definition("zebra")
    body = sender.call("GET", f"{DEFINITIONS}?{query}").json()
    assert (body["page"], body["pageSize"], body["count"]) == (2, 1, 1)
    assert [definition["definitionKey"] for definition in body["definitions"]] == ["zebra"]


def test_the_token_reply_has_all_six_fields(unit: Unit) -> None:
    reply = unit.api.http.post("/v2/token", json=unit.credentials() | {"scope": "email_write email_read"})
    body: dict[str, Any] = reply.json()
    assert set(body) == {
        "access_token",
        "token_type",
        "expires_in",
        "scope",
        "soap_instance_url",
        "rest_instance_url",
    }
    assert len(body["access_token"]) <= 512
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 1079
    assert body["scope"] == "email_read email_write"
    assert body["rest_instance_url"].startswith("http://")
    assert body["rest_instance_url"].endswith("/")
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    "path", ["/v2/token/", "//V2/Token", "/https://mc123.auth.marketingcloudapis.com/v2/token", "/a/b/v2/token"]
)
def test_the_token_route_answers_under_any_prefix(unit: Unit, path: str) -> None:
    for arguments in ({"json": unit.credentials()}, {"data": unit.credentials()}):
        reply = unit.api.http.post(unit.api.url + path, **arguments)  # type: ignore[arg-type]
        assert reply.status_code == 200


def test_the_account_id_may_be_a_number_or_a_string(unit: Unit) -> None:
    for account_id in (unit.account_id, str(unit.account_id)):
        assert unit.new_token(account_id=account_id)


TOKEN_ERRORS = [
    ({"grant_type": None}, 400, "invalid_request", "grant_type"),
    ({"grant_type": "password"}, 400, "unsupported_grant_type", "grant_type"),
    ({"client_id": None}, 400, "invalid_request", "client_id"),
    ({"client_secret": 5}, 400, "invalid_request", "client_secret"),
    ({"client_id": "unknown"}, 401, "invalid_client", "Invalid client ID."),
    ({"client_id": "a\0b"}, 401, "invalid_client", "Invalid client ID."),
    ({"client_secret": "wrong"}, 401, "invalid_client", "Client authentication failed."),
    ({"account_id": 1}, 401, "invalid_client", "Client authentication failed."),
    ({"account_id": "x"}, 401, "invalid_client", "Client authentication failed."),
    ({"scope": "fly"}, 400, "invalid_scope", "scope 'fly'"),
]


@pytest.mark.parametrize(("change", "status", "error", "description"), TOKEN_ERRORS)
def test_token_errors_have_the_oauth_shape(
    unit: Unit, change: dict[str, Any], status: int, error: str, description: str
) -> None:
    reply = unit.api.http.post("/v2/token", json=unit.credentials() | change)
    assert reply.status_code == status
    body = reply.json()
    assert set(body) == {"error", "error_description", "error_uri"}
    assert body["error"] == error
    assert body["error_description"].startswith(description)


def test_a_scope_the_client_does_not_hold_is_not_granted(new_unit: Callable[..., Unit]) -> None:
    unit = new_unit(frozenset({"email_read"}))
    reply = unit.api.http.post("/v2/token", json=unit.credentials() | {"scope": "email_read email_send"})
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_scope")


def test_malformed_token_requests(live_api: LiveApi) -> None:
    broken = live_api.http.post("/v2/token", content=b"{", headers={"Content-Type": "application/json"})
    assert (broken.status_code, broken.json()["error"]) == (400, "invalid_request")
    typed = live_api.http.post("/v2/token", content=b"{}", headers={"Content-Type": "text/plain"})
    assert (typed.status_code, typed.json()["error"]) == (415, "invalid_request")
    large = live_api.http.post("/v2/token", content=b" " * 70_000, headers={"Content-Type": "application/json"})
    assert (large.status_code, large.json()["error"]) == (413, "invalid_request")


def test_an_idle_connection_is_closed_after_five_seconds(live_api: LiveApi) -> None:
    host, port = live_api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"GET /platform/v1/tokenContext HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")
        answered = time.monotonic()
        while connection.recv(65536):
            pass
        assert 4 < time.monotonic() - answered < 10


def test_patches_of_one_asset_at_once_all_hold(unit: Unit) -> None:
    asset = unit.make_asset()
    path = f"{unit.api.url}/asset/v1/content/assets/{asset['id']}"

    def patch(number: int) -> int:
        body = {"views": {f"view{number}": {"content": "x"}}}
        return httpx.patch(path, json=body, headers={"Authorization": f"Bearer {unit.token}"}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(patch, range(16))) == {200}
    assert len(unit.call("GET", path.removeprefix(unit.api.url)).json()["views"]) == 2 + 16


def test_there_are_no_metrics_without_a_token_in_the_settings(live_api: LiveApi) -> None:
    for headers in ({}, {"Authorization": "Bearer None"}, {"Authorization": "Bearer x"}):
        assert live_api.http.get("/metrics", headers=headers).status_code == 404
