"""Rate limits and revoked clients, as API processes learn of them."""

import asyncio
import json

from tests.wire.live import Unit, until
from typer.testing import CliRunner

from postroom.cli.main import app

CONTEXT = "/platform/v1/tokenContext"


def command(unit: Unit, *words: str) -> str:
    result = CliRunner().invoke(app, [*words, "--database-url", unit.api.dsn], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


async def test_a_limited_client_is_answered_429_with_retry_after(unit: Unit) -> None:
    await asyncio.to_thread(command, unit, "client", "limit", unit.client_id, "60")
    await asyncio.to_thread(until, lambda: unit.call("GET", CONTEXT).status_code == 429)
    reply = unit.call("GET", CONTEXT)
    assert reply.status_code == 429
    wait = int(reply.headers["retry-after"])
    body = reply.json()
    assert (body["message"], body["errorcode"], body["retryAfter"]) == ("Rate limit exceeded", 50100, wait)
    assert body["documentation"].startswith("https://")
    assert wait == 1
    await asyncio.sleep(wait)
    assert unit.call("GET", CONTEXT).status_code == 200


async def test_tokens_of_a_revoked_client_are_refused_within_seconds(unit: Unit) -> None:
    assert unit.call("GET", CONTEXT).status_code == 200
    await asyncio.to_thread(command, unit, "client", "revoke", unit.client_id)
    await asyncio.to_thread(until, lambda: unit.call("GET", CONTEXT).status_code == 401)
    reply = unit.api.http.post("/v2/token", json=unit.credentials())
    assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")


async def test_a_new_secret_ends_the_old_one(unit: Unit) -> None:
    shown = json.loads(await asyncio.to_thread(command, unit, "client", "rotate", unit.client_id))
    assert unit.api.http.post("/v2/token", json=unit.credentials()).status_code == 401
    unit.client_secret = shown["client_secret"]
    assert unit.new_token()


async def test_scopes_change_with_the_next_token(unit: Unit) -> None:
    await asyncio.to_thread(command, unit, "client", "scopes", unit.client_id, "email_read")
    token = unit.new_token()
    reply = unit.call("POST", "/messaging/v1/email/messages", headers={"Authorization": f"Bearer {token}"}, json={})
    assert reply.status_code == 403


async def test_lists_show_what_there_is(unit: Unit) -> None:
    await asyncio.to_thread(command, unit, "client", "limit", unit.client_id, "90")
    words = ("client", "list", "--json", "--mid", str(unit.account_id))
    (client,) = json.loads(await asyncio.to_thread(command, unit, *words))
    assert (client["client_id"], client["rate_per_minute"], client["revoked_at"]) == (unit.client_id, 90, None)
    assert "email_send" in client["scope"].split()
    assert "secret" not in json.dumps(client)
    head, line = (await asyncio.to_thread(command, unit, "client", "list", "--mid", str(unit.account_id))).splitlines()
    assert head.split()[:3] == ["CLIENT_ID", "MID", "NAME"]
    assert line.split()[:2] == [unit.client_id, str(unit.account_id)]


async def test_a_business_unit_is_made_once(unit: Unit) -> None:
    mid = str(unit.account_id + 1_000_000)
    words = ["account", "create", "--mid", mid, "--name", "Läden"]
    made = json.loads(await asyncio.to_thread(command, unit, *words, "--json"))
    assert (made["account_id"], made["name"]) == (int(mid), "Läden")
    assert made in json.loads(await asyncio.to_thread(command, unit, "account", "list", "--json"))
    again = await asyncio.to_thread(CliRunner().invoke, app, [*words, "--database-url", unit.api.dsn])
    assert again.exit_code == 2
    assert f"--mid: there is already a business unit {mid}; postroom account change" in again.stderr
    told = await asyncio.to_thread(command, unit, "account", "change", "--mid", mid, "--page", "7=https://x.example/")
    assert [line.split(maxsplit=1) for line in told.splitlines()][:2] == [["mid", mid], ["name", "Läden"]]
    assert told.splitlines()[-1].split() == ["page", "7", "https://x.example/"]


async def test_commands_name_the_client_they_do_not_know(unit: Unit) -> None:
    for words in (["revoke", "nobody"], ["rotate", "nobody"], ["limit", "nobody", "5"], ["scopes", "nobody", ""]):
        result = await asyncio.to_thread(CliRunner().invoke, app, ["client", *words, "--database-url", unit.api.dsn])
        assert result.exit_code == 2
        assert "nobody" in result.output
