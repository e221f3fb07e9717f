"""Business units: each owns its keys, definitions, contacts and messages, and sees nothing of another.

An account is named by its MID. It begins with what the vendor gives every business unit: the list
"All Subscribers", the classification "Default Transactional", the content folder "Content Builder" and the profile
attributes of a person's name.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import asyncpg
import msgspec

from postroom.store.database import Connection, Database, Pool
from postroom.tenancy.clients import SecretHasher, random_alphanumerics, store_client
from postroom.tenancy.scopes import SCOPES
from postroom.tenancy.server_secrets import server_secret

ALL_SUBSCRIBERS = "All Subscribers"
DEFAULT_CLASSIFICATION = "Default Transactional"
ROOT_CATEGORY = "Content Builder"
PROFILE_ATTRIBUTES = ("FirstName", "LastName", "FullName")

DEFAULT_ACCOUNT_ID = 100001
DEFAULT_ACCOUNT_NAME = "Postroom"

DEFAULT_TIME_ZONE = "America/Chicago"

LANGUAGES = ("en", "de", "fr", "es")
"""What the pages of recipients can be written in; the first is the default."""

TRACKING_PRIVACY = ("server", "full", "private")
"""What opens and clicks keep of whoever made them: as the server's setting says, address and user agent, or neither."""

_LONGEST_TEXT = 200
_pages = msgspec.json.Decoder(dict[str, str]).decode
_HIGHEST_ACCOUNT_ID = 2**53 - 1  # JSON numbers beyond it lose digits in JavaScript clients

_CREATE = """
    insert into account (account_id, name, language) values ($1, $2, $3) on conflict (account_id) do nothing
    returning account_id
"""

_CREATE_LIST = "insert into list (account_id, name) values ($1, $2)"

_CREATE_CLASSIFICATION = """
    insert into classification (account_id, classification_key, name, kind) values ($1, $2, $2, 'transactional')
"""

_CREATE_ATTRIBUTES = """
    insert into profile_attribute (account_id, name) select $1, name from unnest($2::text[]) as given (name)
"""

_CREATE_CATEGORY = "insert into asset_category (account_id, parent_id, name) values ($1, 0, $2)"

_COLUMNS = """
    account_id, name, language, time_zone, street, city, state, postal_code, country, web_analytics, tracking_privacy,
    pages
"""

_LIST = f"select {_COLUMNS} from account order by account_id"  # noqa: S608

_FIND = f"select {_COLUMNS} from account where account_id = $1"  # noqa: S608

_CHANGE = f"""
    update account
       set name = coalesce($2, name), language = coalesce($3, language), time_zone = coalesce($4, time_zone),
           street = coalesce($5, street), city = coalesce($6, city), state = coalesce($7, state),
           postal_code = coalesce($8, postal_code), country = coalesce($9, country),
           web_analytics = coalesce($10, web_analytics), tracking_privacy = coalesce($11, tracking_privacy),
           pages = jsonb_strip_nulls(pages || $12::jsonb)
     where account_id = $1
    returning {_COLUMNS}
"""  # noqa: S608

_CLIENT_EXISTS = "select true from api_client where account_id = $1 and client_id = $2 and revoked_at is null"

# Server processes that start together take turns here, so that there is one ready-made client, not two.
_TAKE_TURNS = "select pg_advisory_xact_lock(hashtextextended('ensure_sandbox_account', 0))"


@dataclass(frozen=True, slots=True)
class Account:
    """A business unit: its MID and name, the language of its recipients' pages, and what its templates know of it:
    its time zone, its postal address, what WAT prints, and the addresses of CloudPagesURL by the ids of pages.

    ``tracking_privacy`` says whether its opens and clicks keep address and user agent.
    """

    account_id: int
    name: str
    language: str = LANGUAGES[0]
    time_zone: str = DEFAULT_TIME_ZONE
    street: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: str = ""
    web_analytics: str = ""
    tracking_privacy: str = TRACKING_PRIVACY[0]
    pages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AccountChange:
    """What of a business unit is to be otherwise; None leaves it as it is, and a page whose address is None goes."""

    name: str | None = None
    language: str | None = None
    time_zone: str | None = None
    street: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None
    web_analytics: str | None = None
    tracking_privacy: str | None = None
    pages: Mapping[str, str | None] = field(default_factory=dict)


class SandboxClient(msgspec.Struct, frozen=True):
    """The ready-made client of the sandbox, with its secret readable: it guards nothing but captured mail."""

    client_id: str
    client_secret: str
    account_id: int


class AccountIdInvalid(ValueError):
    """A MID is a whole number from 1 to 9007199254740991."""


class AccountRejected(ValueError):
    """Something about a business unit can't be as it is given; ``field`` names it, the text says what to write."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field = field


class LanguageUnknown(AccountRejected):
    """There are no pages in this language."""


def checked_language(language: str) -> str:
    """The language in lower case. Raises LanguageUnknown."""
    if language.lower() not in LANGUAGES:
        raise LanguageUnknown(
            "language", f"language {language[:20]!r} is unknown; it must be one of {', '.join(LANGUAGES)}"
        )
    return language.lower()


def checked_change(change: AccountChange) -> AccountChange:
    """The change as it is stored. Raises AccountRejected."""
    for what in ("name", "street", "city", "state", "postal_code", "country"):
        text = getattr(change, what)
        if text is not None and (len(text) > _LONGEST_TEXT or not text.isprintable()):
            raise AccountRejected(what, f"{what} must be one line of at most {_LONGEST_TEXT} printable characters")
    if change.time_zone is not None:
        try:
            ZoneInfo(change.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise AccountRejected(
                "time_zone",
                f"time zone {change.time_zone[:60]!r} is unknown; write an IANA name, such as Europe/Berlin",
            ) from None
    if change.web_analytics is not None and re.fullmatch(r"[!#-;=?-~]{0,1000}", change.web_analytics) is None:
        raise AccountRejected(
            "web_analytics",
            "web_analytics must be what can stand in an address behind ?; write utm_source=mail&utm_medium=email",
        )
    privacy = None if change.tracking_privacy is None else change.tracking_privacy.lower()
    if privacy is not None and privacy not in TRACKING_PRIVACY:
        raise AccountRejected(
            "tracking_privacy",
            f"tracking privacy is {privacy[:20]!r}; it must be one of {', '.join(TRACKING_PRIVACY)}",
        )
    for page, address in change.pages.items():
        if not page.strip() or len(page) > _LONGEST_TEXT or not page.isprintable():
            raise AccountRejected("pages", f"page {page[:40]!r} is no id; write the number that templates give")
        if address is not None and re.fullmatch(r"https?://[!#-;=?-~]{1,1990}", address) is None:
            raise AccountRejected("pages", f"page {page!r}: {address[:60]!r} is no address; write https://…")
    language = None if change.language is None else checked_language(change.language)
    pages = {page.strip(): to for page, to in change.pages.items()}
    return replace(change, language=language, tracking_privacy=privacy, pages=pages)


async def ensure_account(connection: Connection, account_id: int, name: str, language: str = LANGUAGES[0]) -> bool:
    """Create the business unit with its defaults unless it exists; True when it was created.

    Call it in a transaction: without its defaults an account is of no use.
    """
    if not 0 < account_id <= _HIGHEST_ACCOUNT_ID:
        raise AccountIdInvalid(f"MID {account_id}: give a whole number from 1 to {_HIGHEST_ACCOUNT_ID}")
    if await connection.fetchval(_CREATE, account_id, name, checked_language(language)) is None:
        return False
    await connection.execute(_CREATE_LIST, account_id, ALL_SUBSCRIBERS)
    await connection.execute(_CREATE_CATEGORY, account_id, ROOT_CATEGORY)
    await connection.execute(_CREATE_CLASSIFICATION, account_id, DEFAULT_CLASSIFICATION)
    await connection.execute(_CREATE_ATTRIBUTES, account_id, PROFILE_ATTRIBUTES)
    return True


async def find_account(connection: Database, account_id: int) -> Account | None:
    """The business unit of this MID, if there is one."""
    row = await connection.fetchrow(_FIND, account_id)
    return None if row is None else _account(row)


async def list_accounts(connection: Database) -> list[Account]:
    """All business units, by their MIDs."""
    return [_account(row) for row in await connection.fetch(_LIST)]


async def change_account(connection: Database, account_id: int, change: AccountChange) -> Account | None:
    """Change what is given; None when there is no such business unit. Raises AccountRejected."""
    wanted = checked_change(change)
    row = await connection.fetchrow(
        _CHANGE,
        account_id,
        wanted.name,
        wanted.language,
        wanted.time_zone,
        wanted.street,
        wanted.city,
        wanted.state,
        wanted.postal_code,
        wanted.country,
        wanted.web_analytics,
        wanted.tracking_privacy,
        msgspec.json.encode(wanted.pages).decode(),
    )
    return None if row is None else _account(row)


class _Facts(Protocol):
    """An Account's fields by name, or a row with its columns."""

    def __getitem__(self, name: str, /) -> Any: ...


def member_names(account_id: int, facts: _Facts) -> dict[str, str]:
    """What the personalization strings of a business unit's name and postal address print (ampscript.md §10)."""
    return {
        "memberid": str(account_id),
        "member_busname": facts["name"],
        "member_addr": facts["street"],
        "member_city": facts["city"],
        "member_state": facts["state"],
        "member_postalcode": facts["postal_code"],
        "member_country": facts["country"],
    }


def _account(row: asyncpg.Record) -> Account:
    *columns, pages = row
    return replace(Account(*columns), pages=_pages(pages))


async def ensure_sandbox_account(
    pool: Pool,
    *,
    account_id: int = DEFAULT_ACCOUNT_ID,
    name: str = DEFAULT_ACCOUNT_NAME,
    hasher: SecretHasher,
    random_text: Callable[[int], str] | None = None,
) -> SandboxClient:
    """The sandbox's business unit and its ready-made client with all scopes, made at the first call.

    The secret is random and stored readable in `server_secret`, so that `serve` can print it at every start.
    Never call it for a server that sends real mail.
    """
    make_text = random_text or random_alphanumerics
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_TAKE_TURNS)
        await ensure_account(connection, account_id, name)

        def make() -> bytes:
            return msgspec.json.encode(SandboxClient(make_text(24), make_text(24), account_id))

        stored = await server_secret(connection, "sandbox_client", make)
        client = msgspec.json.decode(stored, type=SandboxClient)
        if await connection.fetchval(_CLIENT_EXISTS, client.account_id, client.client_id) is None:
            secret_hash = await hasher.hash(client.client_secret)
            await store_client(
                connection, client.client_id, client.account_id, "Sandbox", secret_hash, frozenset(SCOPES)
            )
        return client
