"""What a token and the installation say of themselves: userinfo, discovery, endpoints, requestToken (contract §2)."""

import pytest
from tests.wire.live import LiveApi, Unit

CENTRAL = -6.0


def test_userinfo_tells_client_unit_and_scopes(unit: Unit) -> None:
    token = unit.new_token(scope="email_read")
    reply = unit.call("GET", "/v2/userinfo", headers={"Authorization": f"Bearer {token}"})
    assert reply.status_code == 200
    body = reply.json()
    assert set(body) == {"exp", "iss", "user", "organization", "rest", "application", "permissions"}
    assert body["organization"]["member_id"] == unit.account_id
    assert body["organization"]["enterprise_id"] == unit.account_id
    assert body["organization"]["account_type"] == "core"
    assert body["user"]["timezone"]["offset"] == CENTRAL
    assert body["application"] == {
        "id": unit.client_id,
        "name": "Test",
        "redirectUrl": [],
        "appScopes": ["email_read"],
    }
    assert body["rest"]["rest_instance_url"].endswith("/")


@pytest.mark.parametrize(
    ("authorization", "status", "error"),
    [(None, 400, "invalid_request"), ("Bearer x", 401, "invalid_token"), ("Basic x", 401, "invalid_token")],
)
def test_userinfo_without_a_token_has_the_oauth_shape(
    live_api: LiveApi, authorization: str | None, status: int, error: str
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    reply = live_api.http.get("/v2/userinfo", headers=headers)
    assert (reply.status_code, reply.json()["error"]) == (status, error)
    assert set(reply.json()) == {"error", "error_description", "error_uri"}
    assert ("www-authenticate" in reply.headers) == (status == 401)


def test_discovery_links_the_instances_under_any_prefix(live_api: LiveApi) -> None:
    for path in ("/v2/discovery", "/prefix/V2/Discovery/"):
        body = live_api.http.get(path).json()
        assert [link["rel"] for link in body["links"]] == ["auth_instance_url", "rest_instance_url"]
        assert {link["href"] for link in body["links"]} == {body["subject"]}


@pytest.mark.parametrize(("query", "legacy"), [("", False), ("?legacy=1", True), ("?legacy=0", False)])
def test_request_token_gives_a_token_that_works(unit: Unit, query: str, legacy: bool) -> None:
    body = {"clientId": unit.client_id, "clientSecret": unit.client_secret, "accessType": "offline"}
    reply = unit.api.http.post("/v1/requestToken" + query, json=body)
    assert reply.status_code == 200
    given = reply.json()
    assert set(given) == {"accessToken", "expiresIn"} | ({"legacyToken"} if legacy else set())
    headers = {"Authorization": f"Bearer {given['accessToken']}"}
    assert unit.call("GET", "/platform/v1/tokenContext", headers=headers).json()["user"] == {"id": unit.account_id}


@pytest.mark.parametrize(
    ("body", "status", "errorcode"),
    [
        (b"{}", 400, 10002),
        (b'{"clientId":"x"}', 400, 10002),
        (b'{"clientId":"x","clientSecret":"y"}', 401, 0),
        (b'{"clientId":1}', 400, 10001),
        (b"{", 400, 10004),
        (b"x" * 70_000, 413, 413),
    ],
)
def test_a_bad_request_token_call(live_api: LiveApi, body: bytes, status: int, errorcode: int) -> None:
    reply = live_api.http.post("/v1/requestToken", content=body, headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()["errorcode"]) == (status, errorcode)


def test_a_wrong_secret_is_401(unit: Unit) -> None:
    reply = unit.api.http.post("/v1/requestToken", json={"clientId": unit.client_id, "clientSecret": "wrong"})
    assert reply.status_code == 401


def test_endpoints_are_rest_and_soap_and_no_ftp(unit: Unit) -> None:
    listed = unit.call("GET", "/platform/v1/endpoints").json()
    rest = unit.call("GET", "/platform/v1/endpoints/REST").json()
    assert (rest["type"], rest["url"][-1]) == ("rest", "/")
    assert [item["type"] for item in listed["items"]] == ["rest", "soap"]
    assert (listed["count"], listed["page"], listed["pageSize"]) == (2, 1, 50)
    assert unit.call("GET", "/platform/v1/endpoints/soap").json()["url"].endswith("/Service.asmx")
    ftp = unit.call("GET", "/platform/v1/endpoints/ftp")
    assert (ftp.status_code, ftp.json()["errorcode"]) == (404, 30003)
    assert "rest and soap" in ftp.json()["message"]
