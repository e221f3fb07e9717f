"""Business units: each owns its keys, definitions, contacts and messages, and sees nothing of another.

An account is named by its MID. It begins with what the vendor gives every business unit: the list
"All Subscribers", the classification "Default Transactional", the content folder "Content Builder" and the profile
attributes of a person's name.
"""

from collections.abc import Callable
from dataclasses import dataclass

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

LANGUAGES = ("en", "de", "fr", "es")
"""What the pages of recipients can be written in; the first is the default."""

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

_LIST = "select account_id, name, language from account order by account_id"

_FIND = "select account_id, name, language from account where account_id = $1"

_CHANGE = """
    update account set name = coalesce($2, name), language = coalesce($3, language) where account_id = $1
    returning account_id, name, language
"""

_CLIENT_EXISTS = "select true from api_client where account_id = $1 and client_id = $2 and revoked_at is null"

# Server processes that start together take turns here, so that there is one ready-made client, not two.
_TAKE_TURNS = "select pg_advisory_xact_lock(hashtextextended('ensure_sandbox_account', 0))"


@dataclass(frozen=True, slots=True)
class Account:
    """A business unit: its MID, its name, and the language of its recipients' pages."""

    account_id: int
    name: str
    language: str = LANGUAGES[0]


class SandboxClient(msgspec.Struct, frozen=True):
    """The ready-made client of the sandbox, with its secret readable: it guards nothing but captured mail."""

    client_id: str
    client_secret: str
    account_id: int


class AccountIdInvalid(ValueError):
    """A MID is a whole number from 1 to 9007199254740991."""


class LanguageUnknown(ValueError):
    """There are no pages in this language."""


def checked_language(language: str) -> str:
    """The language in lower case. Raises LanguageUnknown."""
    if language.lower() not in LANGUAGES:
        raise LanguageUnknown(f"language {language[:20]!r} is unknown; it must be one of {', '.join(LANGUAGES)}")
    return language.lower()


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
    return None if row is None else Account(*row)


async def list_accounts(connection: Database) -> list[Account]:
    """All business units, by their MIDs."""
    return [Account(*row) for row in await connection.fetch(_LIST)]


async def change_account(
    connection: Database, account_id: int, *, name: str | None = None, language: str | None = None
) -> Account | None:
    """Change what is given; None when there is no such business unit. Raises LanguageUnknown."""
    wanted = None if language is None else checked_language(language)
    row = await connection.fetchrow(_CHANGE, account_id, name, wanted)
    return None if row is None else Account(*row)


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
