"""What an attacker would try at the API, each named after the attack."""

import socket
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable

import msgspec
import pytest
from tests.wire.live import LiveApi, Unit

from postroom.tenancy.tokens import TokenSigner

MESSAGES = "/messaging/v1/email/messages"
JSON = {"Content-Type": "application/json"}


def exchange(api: LiveApi, request: bytes) -> bytes:
    """Everything the server says to these bytes until it closes."""
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request)
        said = b""
        while part := connection.recv(65536):
            said += part
    return said


def test_token_forgery_by_another_key(unit: Unit) -> None:
    forger = TokenSigner(b"x" * 32, lifetime_seconds=1200, clock=lambda: 4e9)
    forged = forger.issue(unit.account_id, unit.client_id, frozenset({"email_send"}))
    assert unit.call("GET", MESSAGES + "/k", headers={"Authorization": f"Bearer {forged}"}).status_code == 401


def test_token_forgery_by_changing_the_account(new_unit: Callable[..., Unit]) -> None:
    victim, attacker = new_unit(), new_unit()
    body, dot, signature = attacker.token.partition(".")
    fields = msgspec.msgpack.decode(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert fields[0] == attacker.account_id
    fields[0] = victim.account_id
    changed = urlsafe_b64encode(msgspec.msgpack.encode(fields)).rstrip(b"=").decode()
    headers = {"Authorization": f"Bearer {changed}{dot}{signature}"}
    assert attacker.call("GET", "/platform/v1/tokenContext", headers=headers).status_code == 401


@pytest.mark.parametrize("mangle", [str.upper, lambda t: t + "A", lambda t: t[:-1], lambda t: "." + t, lambda t: t * 9])
def test_token_forgery_by_damage(unit: Unit, mangle: Callable[[str], str]) -> None:
    headers = {"Authorization": f"Bearer {mangle(unit.token)}"}
    assert unit.call("GET", "/platform/v1/tokenContext", headers=headers).status_code == 401


def test_request_smuggling_by_two_lengths(live_api: LiveApi) -> None:
    smuggled = b"GET /platform/v1/tokenContext HTTP/1.1\r\nHost: x\r\n\r\n"
    said = exchange(
        live_api,
        b"POST /v2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 6\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
    )
    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.count(b"HTTP/1.1 ") == 1
    assert b"content-type: application/json; charset=utf-8\r\n" in said


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, x\r\n\r\n",
    ],
)
def test_request_smuggling_by_malformed_http(live_api: LiveApi, request_bytes: bytes) -> None:
    said = exchange(live_api, request_bytes)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.count(b"HTTP/1.1 ") == 1
    assert b"content-type: application/json; charset=utf-8\r\n" in said


def test_oversized_body_announced(sender: Unit) -> None:
    before = sender.stored()
    reply = sender.call("POST", MESSAGES, content=b" " * (1024 * 1024 + 1), headers=JSON)
    assert reply.status_code == 413
    assert reply.json()["errorcode"] == 413
    assert reply.headers["connection"] == "close"
    assert sender.stored() == before


def test_oversized_body_in_chunks(sender: Unit) -> None:
    before = sender.stored()
    reply = sender.call("POST", MESSAGES, content=iter([b" " * 300_000] * 4), headers=JSON)
    assert reply.status_code == 413
    assert sender.stored() == before


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("levels", [600, 900, 990, 1000, 5000, 100_000])
def test_json_bomb_of_nesting(sender: Unit, opening: bytes, levels: int) -> None:
    closing = (b"]" if opening == b"[" else b"}") * levels
    bomb = opening * levels + b"1" + closing
    before = sender.stored()
    for path, body in (
        (MESSAGES, b'{"definitionKey":"nobody","recipients":[{"contactKey":"c","to":"a@example.org"}],"x":%s}'),
        ("/messaging/v1/email/definitions", b'{"definitionKey":"d","x":%s}'),
        ("/asset/v1/content/assets", b'{"name":"d","assetType":{"id":208},"views":{"html":%s}}'),
    ):
        reply = sender.call("POST", path, content=body % bomb, headers=JSON)
        assert reply.status_code == 400, path
    assert sender.stored() == before


def test_huge_numbers_are_no_trouble(sender: Unit) -> None:
    for path in (
        "/messaging/v1/email/definitions?$page=" + "9" * 400,
        "/asset/v1/content/assets?$pageSize=" + "9" * 40,
    ):
        assert sender.call("GET", path).status_code == 200
    assert sender.call("GET", "/asset/v1/content/assets/" + "9" * 300).status_code == 400
    body = b'{"name":"x","assetType":{"id":' + b"9" * 5000 + b"}}"
    assert sender.call("POST", "/asset/v1/content/assets", content=body, headers=JSON).status_code == 400


@pytest.mark.parametrize("key", ["%00", "a%00", "%ff%fe", "%ed%a0%80"])
def test_nul_and_broken_utf8_in_every_key_of_a_path(sender: Unit, key: str) -> None:
    for method, path in (
        ("GET", f"{MESSAGES}/{key}"),
        ("GET", f"/messaging/v1/email/definitions/{key}"),
        ("PATCH", f"/messaging/v1/email/definitions/{key}"),
        ("DELETE", f"/messaging/v1/email/definitions/{key}"),
        ("GET", f"/messaging/v1/email/definitions/{key}/queue"),
    ):
        reply = sender.call(method, path, json={} if method == "PATCH" else None)
        assert (reply.status_code, reply.json()["errorcode"]) == (400, 10005)


def test_nul_in_a_query(unit: Unit) -> None:
    for query in ("$filter=customerKey eq 'a%00'", "$filter=name eq 'a%00'"):
        assert unit.call("GET", f"/asset/v1/content/assets?{query}").json()["errorcode"] == 10005


@pytest.mark.parametrize("text", ["\\ud800", "\\udc00", "\\ud800x", "\\udc00\\ud800"])
def test_lone_surrogates_are_no_text(sender: Unit, text: str) -> None:
    before = sender.stored()
    bodies = {
        MESSAGES: '{"definitionKey":"order","recipients":[{"contactKey":"c","to":"a@example.org","attributes":'
        '{"FirstName":"%s"}}]}',
        "/messaging/v1/email/definitions": '{"definitionKey":"%s"}',
        "/asset/v1/content/assets": '{"name":"x","assetType":{"id":208},"views":{},"data":"%s"}',
    }
    for path, body in bodies.items():
        reply = sender.call("POST", path, content=(body % text).encode(), headers=JSON)
        assert (reply.status_code, reply.json()["errorcode"]) == (400, 10004), path
    assert sender.stored() == before


def test_invalid_utf8_inside_parts_that_are_kept_unread(sender: Unit) -> None:
    before = sender.stored()
    bodies = {
        MESSAGES: b'{"definitionKey":"order","recipients":[{"contactKey":"c","to":"a@example.org","attributes":'
        b'{"FirstName":"\xff"}}]}',
        "/asset/v1/content/assets": b'{"name":"x","assetType":{"id":208},"views":{},"data":"\xff"}',
    }
    for path, body in bodies.items():
        assert sender.call("POST", path, content=body, headers=JSON).status_code == 400, path
    assert sender.stored() == before


def test_sql_injection_in_keys(sender: Unit) -> None:
    key = "x'; drop table definition; --"
    body = {"definitionKey": key, "recipients": [{"contactKey": "c", "to": "a@example.org"}]}
    assert sender.call("POST", MESSAGES, json=body).json()["errorcode"] == 109111
    assert sender.call("GET", f"/messaging/v1/email/definitions/{key}").status_code == 404
    assert sender.call("GET", "/messaging/v1/email/definitions/order").status_code == 200


def test_path_traversal_is_a_key_like_any_other(sender: Unit) -> None:
    for path in (f"{MESSAGES}/..%2f..%2fplatform%2fv1%2ftokenContext", f"{MESSAGES}/%2e%2e"):
        assert sender.call("GET", path).json()["errorcode"] == 30003


def test_query_bomb(unit: Unit) -> None:
    query = "&".join(f"a{n}=1" for n in range(500))
    reply = unit.call("GET", f"/messaging/v1/email/definitions?{query}")
    assert (reply.status_code, reply.json()["errorcode"]) == (400, 10003)


@pytest.mark.parametrize(
    "path", ["/messaging/v1/email/messages%2Fk", "/messaging/v1/email%2fmessages/k", "/platform%2Fv1%2FtokenContext"]
)
def test_encoded_slashes_between_segments_make_no_route(sender: Unit, path: str) -> None:
    reply = sender.call("GET", path)
    assert (reply.status_code, reply.json()["errorcode"]) == (404, 404)


def test_every_strange_path_is_answered_below_500(sender: Unit) -> None:
    for path in (
        "/%00",
        "/%ff",
        "/..",
        "/./..",
        "/%2e%2e/%2e%2e",
        "/messaging/%",
        "/messaging/%zz",
        "/;x=1",
        "/\\",
        "/%25",
    ):
        for method in ("GET", "POST", "OPTIONS", "HEAD"):
            reply = sender.api.http.request(method, sender.api.url + path)
            assert reply.status_code < 500, (method, path)
