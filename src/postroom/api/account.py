"""Postroom's own routes for the business unit that a token is of."""

import msgspec

from postroom.api.endpoint import Call
from postroom.api.reply import Reply
from postroom.api.shape import Route
from postroom.api.shapes import account as shapes
from postroom.api.wire.account import read_account, shown_account
from postroom.store.database import Pool
from postroom.tenancy.accounts import Account, change_account, find_account

READ = frozenset({"email_read"})
WRITE = frozenset({"email_write"})

_encode = msgspec.json.Encoder().encode


class OwnAccount:
    """The handlers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def routes(self) -> list[Route]:
        """Every route with its scopes."""
        own = "/postroom/v1/account"
        return [
            Route("GET", own, READ, self.get, shapes.GET),
            Route("PATCH", own, WRITE, self.change, shapes.CHANGE),
        ]

    async def get(self, call: Call) -> Reply:
        """GET /account."""
        return _reply(await find_account(self._pool, call.account_id))

    async def change(self, call: Call) -> Reply:
        """PATCH /account: what is given; the business unit as it is then."""
        return _reply(await change_account(self._pool, call.account_id, read_account(await call.json_body())))


def _reply(account: Account | None) -> Reply:
    # Business units are never deleted: that of a token is there.
    assert account is not None
    return Reply(_encode(shown_account(account)))
