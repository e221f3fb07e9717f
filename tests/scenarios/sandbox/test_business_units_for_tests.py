"""Tests that run side by side get a business unit each."""

import asyncio
from typing import Any

import pytest
from tests.scenarios.sandbox.conftest import Sandbox

from postroom.store.pool import Pool
from postroom.tenancy.accounts import ensure_account, find_account
from postroom.tenancy.clients import SecretHasher, verify_client
from postroom.tenancy.scopes import SCOPES

UNITS = "/sandbox/business-units"


@pytest.fixture(autouse=True)
async def ready_made(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await ensure_account(connection, 100001, "Postroom")


async def test_those_who_ask_together_get_one_each_with_a_client_that_may_do_all(sandbox: Sandbox, pool: Pool) -> None:
    answers = await asyncio.gather(*(sandbox.http.post(UNITS) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {201}
    made: list[dict[str, Any]] = [answer.json() for answer in answers]
    assert sorted(each["accountId"] for each in made) == [100002, 100003, 100004, 100005, 100006]
    for each in made:
        account = await find_account(pool, each["accountId"])
        assert account is not None
        assert account.name == each["name"] == f"Business unit {each['accountId']}"
        client = await verify_client(pool, each["clientId"], each["clientSecret"], hasher=SecretHasher())
        assert (client.account_id, client.scopes) == (each["accountId"], frozenset(SCOPES))


async def test_it_is_called_as_asked(sandbox: Sandbox) -> None:
    answer = await sandbox.http.post(UNITS, json={"name": " Checkout tests "})
    assert answer.json()["name"] == "Checkout tests"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"[]", 'write {"name": "Shop"}'),
        (b'{"nam": "Shop"}', "unknown field `nam`"),
        (b'{"name": 5}', "Expected `str`, got `int`"),
        (b'{"name": "a\\u0000b"}', "name must be one line"),
        (b'{"name": "' + b"x" * 300 + b'"}', "at most 200"),
        (b" " * 10_001, "10001 bytes"),
    ],
)
async def test_a_bad_body_is_told_what_to_write(sandbox: Sandbox, pool: Pool, body: bytes, text: str) -> None:
    answer = await sandbox.http.post(UNITS, content=body)
    assert (answer.status_code, answer.json()["errorcode"]) == (400, 10005)
    assert text in answer.json()["message"]
    assert await pool.fetchval("select count(*) from account") == 1


async def test_a_page_of_another_site_gets_none(sandbox: Sandbox) -> None:
    answer = await sandbox.http.post(UNITS, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert (await sandbox.http.post(f"{UNITS}?name=x")).status_code == 400
