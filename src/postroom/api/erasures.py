"""Postroom's own routes to erase a person's data, and for the receipts of that."""

from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from postroom.api.definitions import number_field
from postroom.api.endpoint import Call
from postroom.api.errors import ApiError, Code
from postroom.api.reply import Reply
from postroom.api.shape import AllOf, Route
from postroom.api.shapes import erasures as shapes
from postroom.api.wire.erasures import read_erasure, shown_receipt
from postroom.privacy.erasure import begin_erasure, carry_out, find_receipt, latest_receipts
from postroom.store.database import Pool

DEFAULT_PAGE_SIZE = 50
LARGEST_PAGE_SIZE = 1000

READ = frozenset({"audiences_read", "list_and_subscribers_read"})
WRITE = frozenset({"audiences_write", "list_and_subscribers_write"})

_encode = msgspec.json.Encoder().encode


class Erasures:
    """The handlers."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def routes(self) -> list[Route]:
        """Every route with its scopes."""
        own = "/postroom/v1/erasures"
        return [
            Route("POST", own, WRITE, self.erase, shapes.ERASE),
            Route("GET", own, READ, self.latest, shapes.LIST),
            Route("GET", own + "/{id}", READ, self.get, shapes.ONE),
        ]

    async def erase(self, call: Call) -> Reply:
        """POST /erasures: 201 when it is done, 202 while a message is being sent; the receipt can be fetched again."""
        wanted = read_erasure(await call.json_body())
        async with self._pool.acquire() as connection, connection.transaction():
            erasure_id = await begin_erasure(
                connection,
                call.account_id,
                new_id=uuid7(),
                requested_by=call.access.client_id,
                contact_key=wanted.contact_key,
                address=wanted.address,
                suppress=wanted.suppress,
            )
        receipt = await carry_out(self._pool, call.account_id, erasure_id)
        return Reply(_encode(shown_receipt(receipt)), 201 if receipt.state == "finished" else 202)

    async def latest(self, call: Call) -> Reply:
        """GET /erasures: the newest receipts, newest first."""
        limit = number_field(call.query, "pagesize", default=DEFAULT_PAGE_SIZE, highest=LARGEST_PAGE_SIZE)
        items = [shown_receipt(each) for each in await latest_receipts(self._pool, call.account_id, limit)]
        return Reply(_encode(AllOf(items, len(items))))

    async def get(self, call: Call) -> Reply:
        """GET /erasures/{id}: one receipt."""
        text = call.key("id")
        try:
            found = await find_receipt(self._pool, call.account_id, UUID(text))
        except ValueError:
            found = None
        if found is None:
            raise ApiError(Code.NOT_FOUND, f"there is no erasure with id {text[:50]!r}")
        return Reply(_encode(shown_receipt(found)))
