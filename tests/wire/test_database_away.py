"""Without its database the API says 503 in the vendor's shape, stores nothing by half, and comes back by itself."""

from contextlib import closing

from tests.wire.live import LiveApi, Unit, until

PERSON = {"contactKey": "c1", "to": "ann@example.org"}


def shut_out(api: LiveApi, server_dsn: str, *, away: bool) -> None:
    """Refuse all connections to the API's database and end those there are, or let them in again."""
    name = api.dsn.partition("?")[0].rpartition("/")[2]
    with closing(LiveApi(api.url, server_dsn, api.loop, api.http)) as server:
        server.execute(f'alter database "{name}" allow_connections {not away}')
        if away:
            server.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)


def test_database_away(sender: Unit, embedded_server: str) -> None:
    api = sender.api
    before = sender.stored()
    calls = (
        ("POST", "/messaging/v1/email/messages", {"definitionKey": "order", "recipients": [PERSON, PERSON]}),
        ("POST", "/messaging/v1/email/messages/k", {"definitionKey": "order", "recipient": PERSON}),
        ("GET", "/messaging/v1/email/messages/k", None),
        ("GET", "/messaging/v1/email/definitions", None),
        ("POST", "/asset/v1/content/assets", {"name": "x", "assetType": {"id": 208}}),
    )
    well = api.http.get("/health")
    assert (well.status_code, well.json(), well.headers["cache-control"]) == (200, {"status": "up"}, "no-store")
    assert api.http.head("/health").status_code == 200
    shut_out(api, embedded_server, away=True)
    try:
        until(lambda: api.http.get("/health").status_code == 503)
        ill = api.http.get("/health")
        assert (ill.json()["errorcode"], ill.headers["retry-after"]) == (50300, "5")
        for method, path, body in calls:
            reply = sender.call(method, path, json=body)
            assert (reply.status_code, reply.headers["retry-after"]) == (503, "5"), path
            problem = reply.json()
            assert set(problem) == {"message", "errorcode", "documentation"}
            assert (problem["message"], problem["errorcode"]) == ("Service Unavailable", 50300)
        token = api.http.post("/v2/token", json=sender.credentials())
        assert (token.status_code, token.json()["error"]) == (500, "server_error")
    finally:
        shut_out(api, embedded_server, away=False)
    until(lambda: api.http.get("/health").status_code == 200)
    until(lambda: sender.call("GET", "/messaging/v1/email/definitions").status_code == 200)
    assert sender.stored() == before
    sent = sender.call("POST", "/messaging/v1/email/messages/k", json=calls[1][2])
    assert sent.status_code == 202
