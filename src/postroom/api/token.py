"""POST /v2/token: client credentials for an access token (contract §2).

The body is JSON or form-encoded. Errors have the OAuth shape; the codes without a documented status are ours:
400 `invalid_request` for what is malformed or missing, 400 `unsupported_grant_type` and `invalid_scope`, 401
`invalid_client` for credentials that are wrong and for a business unit the client does not act for.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog
from litestar import Request
from litestar.types import ASGIApp

from postroom.api.errors import ApiError, Code
from postroom.api.paths import query_fields
from postroom.api.reply import Header, Reply
from postroom.api.requests import ClientGone, Head, read_body, read_head
from postroom.api.wire.decoding import decode
from postroom.store.errors import DATABASE_AWAY
from postroom.tenancy.clients import Client, ClientUnknown, SecretHasher, SecretWrong, verify_client
from postroom.tenancy.database import Pool
from postroom.tenancy.scopes import ScopeUnknown, parse_scopes, scopes_text
from postroom.tenancy.tokens import TokenSigner

_ERROR_URI = "https://developer.salesforce.com/docs"
_LARGEST_BODY = 64 * 1024
_NO_STORE: tuple[Header, ...] = ((b"cache-control", b"no-store"),)
_CLOSE: Header = (b"connection", b"close")

_encode = msgspec.json.Encoder().encode


class TokenBody(msgspec.Struct):
    """The request; unknown fields are ignored, null is the same as absent."""

    grant_type: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    scope: str | None = None
    account_id: int | str | None = None


_decoder = msgspec.json.Decoder(TokenBody)


class OAuthError(Exception):
    """An error in the OAuth shape."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description

    def body(self) -> bytes:
        """The JSON body."""
        return _encode({"error": self.error, "error_description": self.description, "error_uri": _ERROR_URI})


class TokenRoute:
    """The handler. ``base_url`` ends with a slash: clients concatenate it with paths."""

    def __init__(self, pool: Pool, tokens: TokenSigner, hasher: SecretHasher, *, base_url: str) -> None:
        self._pool = pool
        self._tokens = tokens
        self._hasher = hasher
        self._base_url = base_url
        self._log = structlog.get_logger("api")

    def function(self) -> "Callable[[Request[Any, Any, Any]], Awaitable[ASGIApp]]":
        """The route function."""

        async def issue_token(request: Request[Any, Any, Any]) -> ASGIApp:
            return await self._answer(request)

        return issue_token

    async def _answer(self, request: Request[Any, Any, Any]) -> Reply:
        try:
            body = await self._read(request, read_head(request.scope["headers"]))
            return await self._issue(body)
        except OAuthError as error:
            closing = (_CLOSE,) if error.status == 413 else ()
            return Reply(error.body(), error.status, (*_NO_STORE, *closing))
        except DATABASE_AWAY as error:
            self._log.error("database_trouble", path="/v2/token", error=repr(error))
        except Exception:
            self._log.exception("request_failed", path="/v2/token")
        failure = OAuthError(500, "server_error", "The server could not answer; try again.")
        return Reply(failure.body(), 500, _NO_STORE)

    async def _read(self, request: Request[Any, Any, Any], head: Head) -> TokenBody:
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
        return Reply(_encode(reply), 200, _NO_STORE)

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
