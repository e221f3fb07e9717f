"""What the templates of a send know of their business unit: name, time zone, address, pages, keys and images."""

import base64
import hmac
import logging
from hashlib import sha256
from uuid import uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from tests.conformance.house import ACCOUNT, House
from tests.scenarios.fetch.sending import rendered

from postroom.content.ampscript.page_parameters import open_parameters
from postroom.content.ampscript.run import NoFetch
from postroom.delivery.account_facts import AccountFacts
from postroom.tenancy.accounts import AccountChange, change_account
from postroom.tenancy.sealing import load_seal
from postroom.tenancy.template_keys import KeyKind, KeyRejected, create_key, delete_key, list_keys, read_secret

SECRET = "a very long secret of the house"


async def keep(house: House, name: str, kind: KeyKind, text: str, account_id: int = ACCOUNT) -> None:
    """Store a key as the command does."""
    async with house.pool.acquire() as connection:
        seal = await load_seal(connection)
        await create_key(connection, account_id, name, kind, read_secret(kind, text), seal=seal)


async def printed(house: House, template: str) -> str:
    """What a template prints when it is sent, or why it is not."""
    return await rendered(house, NoFetch(), template)


@pytest.mark.parametrize("waits", ["", "%%=ContentBlockByKey('none', '', 0)=%%"], ids=["at once", "waiting"])
async def test_local_dates_are_those_of_the_business_unit(house: House, waits: str) -> None:
    await change_account(house.pool, ACCOUNT, AccountChange(time_zone="Asia/Tokyo"))
    local = await printed(house, waits + "%%=FormatDate(SystemDateToLocalDate(Now()), 'yyyy-MM-dd', 'HH')=%%")
    accepted_at = await house.pool.fetchval("select accepted_at from send_request")
    assert local == accepted_at.astimezone(ZoneInfo("Asia/Tokyo")).strftime("%Y-%m-%d %H")


async def test_name_address_and_web_analytics_are_printed(house: House) -> None:
    change = AccountChange(name="Fine Shoes", street="1 High Street", city="Oslo", web_analytics="utm_source=mail")
    await change_account(house.pool, ACCOUNT, change)
    template = "%%member_busname%%, %%member_addr%%, %%member_city%%; %%=AuthenticatedMemberName()=%% %%=WAT('x')=%%"
    assert await printed(house, template) == "Fine Shoes, 1 High Street, Oslo; Fine Shoes utm_source=mail"


async def test_keys_are_found_by_name_and_never_readable_in_the_table(house: House) -> None:
    await keep(house, "Shop Password", "symmetric", SECRET)
    await keep(house, "Shop Salt", "salt", "0011223344556677")
    await keep(house, "Token", "jwt", SECRET + "\n")
    rest = "'', '', '00112233445566770011223344556677')=%%"
    sealed = f"%%=EncryptSymmetric('text', 'aes', 'shop password', '', 'SHOP SALT', {rest}"
    plain = f"%%=EncryptSymmetric('text', 'aes', '', '{SECRET}', '', '0011223344556677', {rest[4:]}"
    both = await printed(house, f"{sealed} {plain} %%=GetJWTByKeyName('token', 'HS256', 'x')=%%")
    one, other, token = both.split()
    assert one == other
    head, body, signature = token.split(".")
    expected = hmac.new(SECRET.encode(), f"{head}.{body}".encode(), sha256).digest()
    assert base64.urlsafe_b64decode(signature + "=") == expected
    dump = str(await house.pool.fetch("select * from template_key"))
    assert SECRET not in dump
    assert SECRET.encode().hex() not in dump


async def test_pages_have_an_address_and_sealed_parameters(house: House) -> None:
    await change_account(house.pool, ACCOUNT, AccountChange(pages={"12": "https://shop.example/page"}))
    await keep(house, "pages", "page", SECRET)
    url = await printed(house, "%%=CloudPagesURL(12, 'order', 'A-17')=%%")
    address, _, sealed = url.partition("?qs=")
    assert address == "https://shop.example/page"
    assert open_parameters(SECRET.encode(), "12", sealed) == {"order": "A-17"}


async def test_a_page_that_is_not_named_is_an_error_that_says_what_to_do(house: House) -> None:
    assert "there is no page '13'; name its address with postroom account change" in await printed(
        house, "%%=CloudPagesURL(13)=%%"
    )


async def test_images_are_assets_with_their_public_address(house: House) -> None:
    for key, media_type in (("logo", "image/png"), ("terms", "application/pdf")):
        await house.pool.execute(
            "with made as (insert into asset (account_id, customer_key, object_id, asset_type, name)"
            " values ($1, $2, $3, 28, $2 || ' \"1\"') returning asset_id)"
            " insert into asset_file (account_id, asset_id, name, media_type, content)"
            " select $1, asset_id, 'logo 1.png', $4, '' from made",
            ACCOUNT,
            key,
            uuid4(),
            media_type,
        )
    (row,) = await house.pool.fetch(
        "select asset_id, public_key from asset_file where account_id = $1 and media_type = 'image/png'", ACCOUNT
    )
    tag = (
        f'<img src="/files/{ACCOUNT}/{row["public_key"]}/logo%201.png" title="logo &quot;1&quot;" '
        f'alt="logo &quot;1&quot;" border="0" thid="{row["asset_id"]}">'
    )
    template = f"%%=ContentImageByKey('none', 'LOGO')=%%\n%%=ContentImageByID({row['asset_id']})=%%"
    assert (await printed(house, template)).splitlines() == [tag, tag]


async def test_a_document_is_no_image(house: House) -> None:
    assert "there is no image with the key 'terms'" in await printed(house, "%%=ContentImageByKey('terms')=%%")


class Clock:
    """Seconds that a test lets pass."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_facts_are_read_once_a_minute_however_many_claims_there_are(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[str] = []
    fetchrow = asyncpg.Pool.fetchrow

    async def counted(pool: asyncpg.Pool, statement: str, *arguments: object) -> object:
        statements.append(statement)
        return await fetchrow(pool, statement, *arguments)

    monkeypatch.setattr(asyncpg.Pool, "fetchrow", counted)
    clock = Clock()
    facts = AccountFacts(house.pool, clock=clock)
    first = await facts.of(ACCOUNT)
    clock.now = 59.0
    assert await facts.of(ACCOUNT) is first
    assert len(statements) == 1
    clock.now = 61.0
    assert await facts.of(ACCOUNT) is first, "nothing changed, so what was made from it stays"
    await change_account(house.pool, ACCOUNT, AccountChange(name="Other"))
    clock.now = 122.0
    assert (await facts.of(ACCOUNT)).name == "Other"


async def test_mix_up_of_tenants_a_key_copied_to_another_business_unit_is_not_opened(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    other = ACCOUNT + 1
    await house.open_account(other)
    await keep(house, "mine", "symmetric", SECRET)
    await house.pool.execute(
        "insert into template_key (account_id, folded_name, name, kind, sealed)"
        " select $1, folded_name, name, kind, sealed from template_key where account_id = $2",
        other,
        ACCOUNT,
    )
    facts = AccountFacts(house.pool, clock=Clock())
    with caplog.at_level(logging.DEBUG):
        assert dict((await facts.of(other)).keys) == {}
        mine = await facts.of(ACCOUNT)
    assert mine.keys["mine"].secret == SECRET.encode()
    assert SECRET not in repr(mine) + caplog.text


async def test_names_of_keys_are_taken_once_and_free_again_when_deleted(house: House) -> None:
    await keep(house, "Mine", "jwt", "x")
    with pytest.raises(KeyRejected, match="has a key 'MINE' already"):
        await keep(house, "MINE", "jwt", "y")
    await keep(house, "pages", "page", SECRET)
    with pytest.raises(KeyRejected, match="has the page key 'pages' already"):
        await keep(house, "more pages", "page", SECRET)
    with pytest.raises(KeyRejected, match="no business unit 77"):
        await keep(house, "Mine", "jwt", "x", account_id=77)
    assert [(key.name, key.kind) for key in await list_keys(house.pool, ACCOUNT)] == [
        ("Mine", "jwt"),
        ("pages", "page"),
    ]
    assert await delete_key(house.pool, ACCOUNT, "mine")
    assert not await delete_key(house.pool, ACCOUNT, "mine")
    await keep(house, "Mine", "jwt", "z")
