"""POST /v1/requestToken: the token call of clients from before OAuth (contract §2).

It takes any client of this server and gives the same token as /v2/token, for all the client's scopes. A refresh
token is not given, and one that is sent is not looked at: the credentials stand beside it every time.
"""

import msgspec

from postroom.api.errors import ApiError, Code
from postroom.api.oauth import NO_STORE, AnyRequest
from postroom.api.paths import query_fields
from postroom.api.reply import Reply, error_reply
from postroom.api.requests import ClientGone, read_body, read_head
from postroom.api.wire.decoding import decode
from postroom.store.database import Pool
from postroom.tenancy.clients import ClientUnknown, SecretHasher, SecretWrong, verify_client
from postroom.tenancy.tokens import TokenSigner

_LARGEST_BODY = 64 * 1024

_encode = msgspec.json.Encoder().encode


class RequestTokenBody(msgspec.Struct, rename="camel"):
    """The request; unknown fields are ignored."""

    client_id: str | None = None
    client_secret: str | None = None


class RequestTokenReply(msgspec.Struct, rename="camel", omit_defaults=True):
    """The reply; the legacy token is the same token, for clients that can't start without one."""

    access_token: str
    expires_in: int
    legacy_token: str = ""


_decoder = msgspec.json.Decoder(RequestTokenBody)


class LegacyTokenRoute:
    """The handler."""

    def __init__(self, pool: Pool, tokens: TokenSigner, hasher: SecretHasher) -> None:
        self._pool = pool
        self._tokens = tokens
        self._hasher = hasher

    async def answer(self, request: AnyRequest) -> Reply:
        """One request."""
        try:
            return await self._answer(request)
        except ApiError as error:
            return error_reply(error, NO_STORE)
        except ClientGone:
            return error_reply(ApiError(Code.UNPARSEABLE, "the request ended before its body"), NO_STORE)

    async def _answer(self, request: AnyRequest) -> Reply:
        head = read_head(request.scope["headers"])
        if not head.is_json:
            raise ApiError(Code.MEDIA_TYPE)
        body = decode(_decoder, await read_body(request.receive, head, _LARGEST_BODY))
        if not body.client_id or not body.client_secret:
            missing = "clientSecret" if body.client_id else "clientId"
            raise ApiError(Code.REQUIRED, f"{missing} is required")
        try:
            client = await verify_client(self._pool, body.client_id, body.client_secret, hasher=self._hasher)
        except (ClientUnknown, SecretWrong):
            raise ApiError(Code.NOT_AUTHORIZED) from None
        token = self._tokens.issue(client.account_id, client.client_id, client.scopes)
        legacy = query_fields(request.scope["query_string"]).get("legacy") == "1"
        reply = RequestTokenReply(token, self._tokens.announced_seconds, token if legacy else "")
        return Reply(_encode(reply), 200, NO_STORE)
