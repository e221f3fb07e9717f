"""The bearer check of every REST route (contract §0, §1): token first, then scope, before anything else."""

from litestar.types import HTTPScope, Receive

from postroom.api.errors import ApiError, Code
from postroom.api.paths import query_fields
from postroom.api.requests import ClientGone, Head, read_body
from postroom.api.wire.decoding import has_token
from postroom.tenancy.rules import ClientRules
from postroom.tenancy.tokens import Access, TokenSigner

_SCHEME = b"bearer "
_LARGEST_SEARCHED_BODY = 64 * 1024


class Gate:
    """Admits requests by the tokens of one signer, as fast as the clients' rules allow."""

    def __init__(self, tokens: TokenSigner, rules: ClientRules) -> None:
        self._tokens = tokens
        self._rules = rules

    async def admit(self, scope: HTTPScope, head: Head, receive: Receive, needed: frozenset[str]) -> Access:
        """What the caller may do. Raises ApiError 401, 403 or 429; a token anywhere but in the header is refused.

        ``needed`` are the scopes of which one is enough; empty, any token will do.
        """
        query_string = scope["query_string"]
        if query_string and b"access_token" in query_string.lower() and _token_in_query(query_string):
            raise ApiError(Code.TOKEN_IN_URL)
        authorization = head.authorization
        if authorization[:7].lower() != _SCHEME:
            if not authorization and await _has_token_in_body(head, receive):
                raise ApiError(Code.TOKEN_IN_BODY)
            raise ApiError(Code.NOT_AUTHORIZED)
        access = self._tokens.check(authorization[7:].strip().decode("latin-1"))
        if access is None:
            raise ApiError(Code.NOT_AUTHORIZED)
        await self._rules.refresh()
        if self._rules.is_revoked(access.client_id):
            raise ApiError(Code.NOT_AUTHORIZED)
        if wait := self._rules.wait_seconds(access.client_id):
            raise ApiError(Code.RATE_LIMIT, extra={"retryAfter": wait}, retry_after=wait)
        if needed and needed.isdisjoint(access.scopes):
            raise ApiError(Code.INSUFFICIENT_PRIVILEGES)
        return access


def _token_in_query(query_string: bytes) -> bool:
    try:
        return "access_token" in query_fields(query_string)
    except ApiError:
        return False


async def _has_token_in_body(head: Head, receive: Receive) -> bool:
    # Only callers who sent no header at all get this hint, and only a small body is looked at for it.
    if not 0 < head.content_length <= _LARGEST_SEARCHED_BODY:
        return False
    try:
        body = await read_body(receive, head, _LARGEST_SEARCHED_BODY)
        if head.is_form:
            return "access_token" in query_fields(body.strip())
        return has_token(body)
    except (ApiError, ClientGone):
        return False
