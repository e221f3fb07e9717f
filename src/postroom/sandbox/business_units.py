"""`POST /sandbox/business-units`: a business unit with a client of its own, so that tests that run side by side do not
see each other's definitions, contacts and message keys.

No log-in, like everything of the sandbox: whoever reaches it may have one.
"""

from typing import Any

import msgspec
from litestar import Request, Response, post
from litestar.di import NamedDependency

from postroom.sandbox.query import INVALID_VALUE, Query, RequestRejected
from postroom.store.pool import Pool
from postroom.tenancy.accounts import AccountChange, AccountRejected, checked_change, ensure_account
from postroom.tenancy.clients import SecretHasher, create_client
from postroom.tenancy.scopes import SCOPES

LONGEST_BODY = 10_000

# Those who ask together get different numbers.
_TAKE_TURNS = "select pg_advisory_xact_lock(hashtextextended('sandbox_business_unit', 0))"

_NEXT = "select max(account_id) + 1 from account"


class Wish(msgspec.Struct, forbid_unknown_fields=True):
    """What may be said about a business unit; an empty body says nothing."""

    name: str = ""


class BusinessUnits:
    """Makes them."""

    def __init__(self, pool: Pool, hasher: SecretHasher) -> None:
        self._pool = pool
        self._hasher = hasher

    async def make(self, name: str) -> dict[str, object]:
        """One more, with a client that has all scopes, as the call answers it. Raises AccountRejected."""
        checked_change(AccountChange(name=name))
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_TAKE_TURNS)
            account_id: int = await connection.fetchval(_NEXT)
            shown = name or f"Business unit {account_id}"
            await ensure_account(connection, account_id, shown)
            client = await create_client(connection, account_id, "Sandbox", frozenset(SCOPES), hasher=self._hasher)
        return {
            "accountId": account_id,
            "name": shown,
            "clientId": client.client_id,
            "clientSecret": client.client_secret,
        }


@post("/sandbox/business-units", status_code=201)
async def make_business_unit(request: Request[Any, Any, Any], units: NamedDependency[BusinessUnits]) -> Response[bytes]:
    """A new business unit: `accountId`, `name`, `clientId`, `clientSecret`."""
    Query(request.query_params.multi_items(), ())
    body = await request.body()
    if len(body) > LONGEST_BODY:
        raise RequestRejected(400, INVALID_VALUE, "InvalidValue", f"the body has {len(body)} bytes; leave it empty")
    try:
        wish = msgspec.json.decode(body, type=Wish) if body.strip() else Wish()
        made = await units.make(wish.name.strip())
    except msgspec.DecodeError as wrong:
        text = f'{wrong}; leave the body empty or write {{"name": "Shop"}}'
        raise RequestRejected(400, INVALID_VALUE, "InvalidValue", text) from None
    except AccountRejected as wrong:
        raise RequestRejected(400, INVALID_VALUE, "InvalidValue", str(wrong)) from None
    return Response(
        msgspec.json.encode(made),
        status_code=201,
        media_type="application/json; charset=utf-8",
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
    )
