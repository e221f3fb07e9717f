"""What a token says of itself, and where the APIs are: /v2/userinfo and /v2/discovery (contract §2).

There are no people behind API clients: the user of a token is its client.
"""

from typing import Any

import msgspec

from postroom.api.oauth import NO_STORE, AnyRequest, OAuthError
from postroom.api.reply import Reply
from postroom.api.requests import read_head
from postroom.store.database import Pool
from postroom.tenancy.accounts import find_account
from postroom.tenancy.clients import find_client
from postroom.tenancy.tokens import TokenSigner

# The vendor's servers live in Central Standard Time all year (contract §0), and so do our timestamps.
_TIME_ZONE = {
    "longName": "(GMT-06:00) Central Time (No Daylight Saving)",
    "shortName": "CST",
    "offset": -6.0,
    "dst": False,
}
_LOCALE = "en-US"
_ZONE = "America/Regina"

_encode = msgspec.json.Encoder().encode


class Identity:
    """The handlers. ``base_url`` ends with a slash."""

    def __init__(self, pool: Pool, tokens: TokenSigner, *, base_url: str) -> None:
        self._pool = pool
        self._tokens = tokens
        self._base_url = base_url

    async def user_info(self, request: AnyRequest) -> Reply:
        """GET /v2/userinfo."""
        authorization = read_head(request.scope["headers"]).authorization
        if not authorization:
            raise OAuthError(400, "invalid_request", "Send the access token in the Authorization header.")
        kind, _, token = authorization.partition(b" ")
        access = self._tokens.check(token.strip().decode("latin-1")) if kind.lower() == b"bearer" else None
        client = None if access is None else await find_client(self._pool, access.account_id, access.client_id)
        if access is None or client is None:
            raise OAuthError(401, "invalid_token", "The access token is invalid or expired.", refresh=True)
        account = await find_account(self._pool, access.account_id)
        assert account is not None
        body: dict[str, Any] = {
            "exp": int(access.expires_at),
            "iss": self._base_url,
            "user": {
                "sub": client.client_id,
                "name": client.name,
                "preferred_username": client.name,
                "email": "",
                "locale": _LOCALE,
                "zoneinfo": _ZONE,
                "timezone": _TIME_ZONE,
            },
            "organization": {
                "member_id": account.account_id,
                "enterprise_id": account.account_id,
                "enterprise_name": account.name,
                "account_type": "core",
                "stack_key": "POSTROOM",
                "region": "",
                "locale": _LOCALE,
                "zoneinfo": _ZONE,
                "timezone": _TIME_ZONE,
            },
            "rest": {"rest_instance_url": self._base_url, "soap_instance_url": self._base_url},
            "application": {
                "id": client.client_id,
                "name": client.name,
                "redirectUrl": [],
                "appScopes": sorted(access.scopes),
            },
            "permissions": [],
        }
        return Reply(_encode(body), 200, NO_STORE)

    async def discovery(self, _request: AnyRequest) -> Reply:
        """GET /v2/discovery: needs no token."""
        links = [{"rel": rel, "href": self._base_url} for rel in ("auth_instance_url", "rest_instance_url")]
        return Reply(_encode({"subject": self._base_url, "links": links}))
