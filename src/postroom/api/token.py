"""POST /v2/token: client credentials for an access token (contract §2).

The body is JSON or form-encoded. Errors have the OAuth shape; the codes without a documented status are ours:
400 `invalid_request` for what is malformed or missing, 400 `unsupported_grant_type` and `invalid_scope`, 401
`invalid_client` for credentials that are wrong and for a business unit the client does not act for.
"""

import msgspec

from postroom.api.errors import ApiError, Code
from postroom.api.oauth import NO_STORE, AnyRequest, OAuthError
from postroom.api.paths import query_fields
from postroom.api.reply import Reply
from postroom.api.requests import ClientGone, Head, read_body, read_head
from postroom.api.wire.decoding import decode
from postroom.store.database import Pool
from postroom.tenancy.clients import Client, ClientUnknown, SecretHasher, SecretWrong, verify_client
from postroom.tenancy.scopes import ScopeUnknown, parse_scopes, scopes_text
from postroom.tenancy.tokens import TokenSigner

_LARGEST_BODY = 64 * 1024

_encode = msgspec.json.Encoder().encode


class TokenBody(msgspec.Struct):
    """The request; unknown fields are ignored, null is the same as absent."""

    grant_type: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    scope: str | None = None
    account_id: int | str | None = None


_decoder = msgspec.json.Decoder(TokenBody)


class TokenRoute:
    """The handler. ``base_url`` ends with a slash: clients concatenate it with paths."""

    def __init__(self, pool: Pool, tokens: TokenSigner, hasher: SecretHasher, *, base_url: str) -> None:
        self._pool = pool
        self._tokens = tokens
        self._hasher = hasher
        self._base_url = base_url

    async def answer(self, request: AnyRequest) -> Reply:
        """One request."""
        return await self._issue(await self._read(request, read_head(request.scope["headers"])))

    async def _read(self, request: AnyRequest, head: Head) -> TokenBody:
        if not head.is_json and not head.is_form:
            raise OAuthError(415, "invalid_request", "Content-Type must be application/json or a form's media type.")
        try:
            body = await read_body(request.receive, head, _LARGEST_BODY)
            if head.is_form:
                return _from_form(query_fields(body.strip()))
            return decode(_decoder, body)
        except ClientGone:
            raise OAuthError(400, "invalid_request", "The request ended before its body.") from None
        except ApiError as error:
            if error.code is Code.BODY_TOO_LARGE:
                text = f"The body exceeds {_LARGEST_BODY} bytes."
                raise OAuthError(413, "invalid_request", text) from None
            raise OAuthError(400, "invalid_request", error.text) from None

    async def _issue(self, body: TokenBody) -> Reply:
        if not body.grant_type:
            raise OAuthError(400, "invalid_request", "grant_type is required; send client_credentials.")
        if body.grant_type != "client_credentials":
            raise OAuthError(
                400, "unsupported_grant_type", "grant_type must be client_credentials; no other is offered."
            )
        for field, value in (("client_id", body.client_id), ("client_secret", body.client_secret)):
            if not value:
                raise OAuthError(400, "invalid_request", f"{field} is required.")
        client = await self._client(body.client_id or "", body.client_secret or "")
        account_id = _account_id(body.account_id, client)
        scopes = _granted(body.scope, client)
        reply = {
            "access_token": self._tokens.issue(account_id, client.client_id, scopes),
            "token_type": "Bearer",
            "expires_in": self._tokens.announced_seconds,
            "scope": scopes_text(scopes),
            "soap_instance_url": self._base_url,
            "rest_instance_url": self._base_url,
        }
        return Reply(_encode(reply), 200, NO_STORE)

    async def _client(self, client_id: str, secret: str) -> Client:
        try:
            return await verify_client(self._pool, client_id, secret, hasher=self._hasher)
        except ClientUnknown:
            raise OAuthError(
                401, "invalid_client", "Invalid client ID. Use the client ID in Installed Packages."
            ) from None
        except SecretWrong:
            raise OAuthError(
                401,
                "invalid_client",
                "Client authentication failed. Check the client_id and the client_secret.",
            ) from None


def _from_form(fields: dict[str, str]) -> TokenBody:
    return TokenBody(
        grant_type=fields.get("grant_type"),
        client_id=fields.get("client_id"),
        client_secret=fields.get("client_secret"),
        scope=fields.get("scope"),
        account_id=fields.get("account_id"),
    )


def _account_id(given: int | str | None, client: Client) -> int:
    if given is None or given == "":
        return client.account_id
    if str(given).strip() != str(client.account_id):
        # The same words whether that business unit exists or not.
        raise OAuthError(
            401, "invalid_client", f"Client authentication failed. account_id {str(given)[:50]} is not enabled."
        )
    return client.account_id


def _granted(requested: str | None, client: Client) -> frozenset[str]:
    if requested is None:
        return client.scopes
    try:
        scopes = parse_scopes(requested)
    except ScopeUnknown as unknown:
        raise OAuthError(400, "invalid_scope", f"scope {unknown.name[:50]!r} does not exist.") from None
    if missing := scopes - client.scopes:
        raise OAuthError(
            400, "invalid_scope", f"The client does not hold {scopes_text(missing)}; leave it out of scope."
        )
    return scopes
