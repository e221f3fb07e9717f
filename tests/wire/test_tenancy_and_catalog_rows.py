"""What tenancy and catalogue keep in the database, below HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
from tests.wire.live import Unit
from typer.testing import CliRunner
from uuid_utils.compat import uuid7

from postroom.catalog.assets import AssetDraft, create_asset
from postroom.catalog.lists import find_list
from postroom.catalog.publishing import (
    DefinitionChange,
    DefinitionDraft,
    DefinitionKeyTaken,
    Publisher,
    SendingOptionInvalid,
    WeeklyLimitReached,
)
from postroom.catalog.sending_options import SendingOptions
from postroom.catalog.versions import VersionUnknown, load_version
from postroom.cli.client import client_app
from postroom.cli.database import running_dsn
from postroom.content.ampscript.engine import Engine
from postroom.store.errors import ServerFailed
from postroom.store.pool import Pool, open_pool
from postroom.tenancy.accounts import (
    AccountIdInvalid,
    ensure_account,
    ensure_sandbox_account,
    find_account,
)
from postroom.tenancy.clients import ClientUnknown, SecretHasher, SecretWrong, verify_client
from postroom.tenancy.scopes import SCOPES
from postroom.tenancy.tokens import token_signing_key

EMAIL = AssetDraft(
    customer_key="email",
    asset_type=208,
    name="email",
    description="",
    content=None,
    views=json.dumps({"html": {"content": "<p>\u00fc %%Name%%</p>"}, "subjectline": {"content": "Hi"}}),
    document="{}",
)
DRAFT = DefinitionDraft(definition_key="d", name="d", content_key="EMAIL", list_key="all subscribers")


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    opened = await open_pool(database, max_size=4, application_name="test")
    yield opened
    await opened.close()


@pytest.fixture
async def stocked(pool: Pool) -> Pool:
    """A pool on a database with account 1 and the asset `email`."""
    async with pool.acquire() as connection, connection.transaction():
        assert await ensure_account(connection, 1, "One")
    await create_asset(pool, 1, uuid7(), EMAIL)
    return pool


def publisher(pool: Pool, weekly_limit: int | None = None) -> Publisher:
    return Publisher(
        pool,
        from_name="Shop",
        from_address="shop@example.org",
        new_status="New",
        engine=Engine(),
        new_id=uuid7,
        weekly_limit=weekly_limit,
    )


async def test_an_account_begins_with_its_defaults_once(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        assert await ensure_account(connection, 5, "Five")
        assert not await ensure_account(connection, 5, "Another name")
        with pytest.raises(AccountIdInvalid):
            await ensure_account(connection, 0, "None")
    account = await find_account(pool, 5)
    assert account is not None
    assert account.name == "Five"
    names = await pool.fetch("select name from profile_attribute where account_id = 5 order by name")
    assert [row["name"] for row in names] == ["FirstName", "FullName", "LastName"]
    found = await find_list(pool, 5, "All Subscribers")
    assert found is not None
    assert await find_list(pool, 5, found.key) == found
    assert await find_list(pool, 5, found.key.upper()) == found
    # Definitions that come from another account name its number.
    assert await find_list(pool, 5, f"All Subscribers - {found.list_id + 1}") == found
    assert await find_list(pool, 5, f"Orders - {found.list_id}") is None
    assert await find_list(pool, 6, "All Subscribers") is None


async def test_servers_that_start_together_agree_on_one_sandbox_client_and_one_key(pool: Pool) -> None:
    hasher = SecretHasher()
    clients = await asyncio.gather(*(ensure_sandbox_account(pool, hasher=hasher) for _ in range(4)))
    assert len(set(clients)) == 1
    client = await verify_client(pool, clients[0].client_id, clients[0].client_secret, hasher=hasher)
    assert client.scopes == frozenset(SCOPES)
    assert await pool.fetchval("select count(*) from api_client") == 1
    assert len(set(await asyncio.gather(*(token_signing_key(pool) for _ in range(4))))) == 1


async def test_wrong_revoked_and_unknown_clients_are_told_apart(pool: Pool) -> None:
    hasher = SecretHasher()
    client = await ensure_sandbox_account(pool, hasher=hasher)
    with pytest.raises(SecretWrong):
        await verify_client(pool, client.client_id, "wrong", hasher=hasher)
    await pool.execute("update api_client set revoked_at = now()")
    for client_id in (client.client_id, "unknown", "a\0b"):
        with pytest.raises(ClientUnknown):
            await verify_client(pool, client_id, client.client_secret, hasher=hasher)


async def test_a_version_holds_a_copy_of_the_content(stocked: Pool) -> None:
    made, _ = await publisher(stocked).create(1, replace(DRAFT, cc=("a@example.org",), auto_add_subscriber=False))
    await stocked.execute("delete from asset")
    version = await load_version(stocked, 1, made.version_id)
    assert version.definition_id == made.definition_id
    assert version.list_id == made.list_id
    assert (version.auto_add_subscriber, version.update_subscriber, version.track_links) == (False, True, True)
    assert version.content.html == "<p>\u00fc %%Name%%</p>"
    assert version.content.subject == "Hi"
    assert (version.content.from_name, version.content.from_address) == ("Shop", "shop@example.org")
    assert version.content.cc == ("a@example.org",)
    for account_id, version_id in ((2, made.version_id), (1, made.version_id + 1)):
        with pytest.raises(VersionUnknown):
            await load_version(stocked, account_id, version_id)


async def test_the_classification_names_the_sender(stocked: Pool) -> None:
    await stocked.execute("update classification set from_name = 'Post', from_address = 'post@example.org'")
    made, _ = await publisher(stocked).create(1, DRAFT)
    version = await load_version(stocked, 1, made.version_id)
    assert (version.content.from_name, version.content.from_address) == ("Post", "post@example.org")


async def test_of_two_that_create_one_key_at_once_one_loses_and_leaves_nothing(stocked: Pool) -> None:
    outcomes = await asyncio.gather(
        *(publisher(stocked).create(1, replace(DRAFT, name=f"name {n}")) for n in range(4)), return_exceptions=True
    )
    lost = [outcome for outcome in outcomes if isinstance(outcome, DefinitionKeyTaken)]
    assert len(lost) == 3
    assert await stocked.fetchval("select count(*) from definition") == 1
    assert await stocked.fetchval("select count(*) from definition_version") == 1


async def test_the_weekly_limit_counts_deleted_definitions_too(stocked: Pool) -> None:
    limited = publisher(stocked, weekly_limit=2)
    for key in ("a", "b"):
        await limited.create(1, replace(DRAFT, definition_key=key, name=key))
    await stocked.execute("update definition set status = 'Deleted' where definition_key = 'a'")
    with pytest.raises(WeeklyLimitReached, match="the limit is 2"):
        await limited.create(1, DRAFT)
    await stocked.execute("update definition set created_at = now() - interval '8 days'")
    assert (await limited.create(1, DRAFT)).definition.definition_key == "d"


def test_a_client_made_on_the_command_line_gets_tokens(unit: Unit) -> None:
    api = unit.api
    words = ["create", "--name", "CLI", "--mid", str(unit.account_id), "--scope", "email_read Email_Send"]
    done = CliRunner().invoke(
        client_app, [*words, "--database-url", api.dsn, "--public-url", "https://mail.example.org"]
    )
    assert done.exit_code == 0, done.output
    shown = json.loads(done.stdout)
    assert set(shown) == {"client_id", "client_secret", "account_id", "auth_base_url", "rest_base_url"}
    assert shown["rest_base_url"] == shown["auth_base_url"] == "https://mail.example.org/"
    made = Unit(api, shown["account_id"], shown["client_id"], shown["client_secret"])
    reply = api.http.post("/v2/token", json=made.credentials())
    assert reply.json()["scope"] == "email_read email_send"


def test_the_command_names_what_is_wrong() -> None:
    done = CliRunner().invoke(client_app, ["create", "--name", "x", "--scope", "fly"])
    assert done.exit_code == 2
    assert "--scope" in done.output


def test_a_running_server_is_found_by_its_pid_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("data")
    with pytest.raises(ServerFailed, match="try again"):
        running_dsn(folder)
    (folder / "postgresql").mkdir()
    pid_file = folder / "postgresql" / "postmaster.pid"
    lines = ["77", str(folder), "1800000000", "5432", "/run/some where", "", "  1 2", "starting"]
    pid_file.write_text("\n".join(lines))
    with pytest.raises(ServerFailed, match="starting or stopping"):
        running_dsn(folder)
    pid_file.write_text("\n".join([*lines[:7], "ready   "]))
    assert running_dsn(folder) == "postgresql://postroom@/postroom?host=/run/some%20where"


async def test_the_found_server_answers(database: str) -> None:
    folder = database.partition("?host=")[2].removesuffix("/run")
    dsn = running_dsn(Path(folder))
    connection = await asyncpg.connect(dsn)
    assert await connection.fetchval("select 1") == 1
    await connection.close()


async def test_a_definition_names_a_route_that_there_is(stocked: Pool) -> None:
    routed = Publisher(
        stocked,
        from_name="Shop",
        from_address="shop@example.org",
        new_status="New",
        engine=Engine(),
        new_id=uuid7,
        routes=frozenset({"codes", "internet"}),
    )
    with pytest.raises(SendingOptionInvalid, match=r"^route: there is no route 'fast'; it must be one of codes, inter"):
        await routed.create(1, replace(DRAFT, sending=SendingOptions(route="fast")))
    made = await routed.create(1, replace(DRAFT, sending=SendingOptions(route="codes")))
    assert made.definition.sending == SendingOptions(route="codes")
    with pytest.raises(SendingOptionInvalid, match=r"^route: there is no route 'Codes'"):
        await routed.change(1, "d", DefinitionChange(sending=SendingOptions(route="Codes")))
    anywhere = await publisher(stocked).change(1, "d", DefinitionChange(sending=SendingOptions(route="Codes")))
    assert anywhere is not None, "where there is no table, a name says nothing"
