"""The HTTP application: the route table, and the ASGI wrapper that brings paths to the form the routes have."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, cast

import structlog
from litestar import Litestar, Request, Response, Router
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.types import Receive, Scope, Send
from uuid_utils.compat import uuid7

from postroom.api.asset_categories import AssetCategories
from postroom.api.assets import Assets
from postroom.api.audience import Audience
from postroom.api.auth import Gate
from postroom.api.data_extensions import DataExtensions
from postroom.api.definitions import Definitions
from postroom.api.endpoint import Handler, RouteFunction, endpoint
from postroom.api.ens import EventNotifications
from postroom.api.errors import ApiError, Code, error_body
from postroom.api.files import Files
from postroom.api.identity import Identity
from postroom.api.legacy_sends import LegacySends
from postroom.api.legacy_token import LegacyTokenRoute
from postroom.api.messages import Accepting, Messages
from postroom.api.oauth import AnyRequest, oauth_route
from postroom.api.paths import RouteTable, keep_match, raw_path_of
from postroom.api.platform import Platform
from postroom.api.queues import Queues
from postroom.api.reply import Reply, error_reply
from postroom.api.schema import build_document
from postroom.api.schema_page import SCHEMA, SCHEMA_PAGE, Schema
from postroom.api.token import TokenRoute
from postroom.api.wire.asset_files import FILES
from postroom.catalog.publishing import Publisher
from postroom.content.ampscript.engine import Engine
from postroom.settings import Settings
from postroom.store.database import Pool
from postroom.tenancy.clients import SecretHasher
from postroom.tenancy.rules import ClientRules
from postroom.tenancy.tokens import TokenSigner, token_signing_key

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

MESSAGES = "/messaging/v1/email/messages"
DEFINITIONS = "/messaging/v1/email/definitions"
ASSETS = "/asset/v1/content/assets"
CATEGORIES = "/asset/v1/content/categories"
PUBLIC_FILE = f"/{FILES}/{{mid}}/{{key}}/{{name}}"
TOKEN = "/v2/token"  # noqa: S105
USER_INFO = "/v2/userinfo"
DISCOVERY = "/v2/discovery"
REQUEST_TOKEN = "/v1/requestToken"  # noqa: S105
OpenRoute: TypeAlias = "tuple[Method, str, Callable[[AnyRequest], Awaitable[Reply]]]"

AUTH_PATHS = (TOKEN, USER_INFO, DISCOVERY, REQUEST_TOKEN)

SEND = frozenset({"email_send"})
READ = frozenset({"email_read"})
WRITE = frozenset({"email_write"})
ASSET_READ = frozenset({"saved_content_read", "documents_and_images_read"})
ASSET_WRITE = frozenset({"saved_content_write", "documents_and_images_write"})
ANY_TOKEN: frozenset[str] = frozenset()


class Route(NamedTuple):
    """One route: any one of ``scopes`` admits."""

    method: Method
    template: str
    scopes: frozenset[str]
    handler: Handler


async def build_api(
    *,
    settings: Settings,
    pool: Pool,
    accepter: Accepting,
    engine: Engine,
    clock: Callable[[], float],
    extra_routes: Sequence[Router] = (),
) -> "Api":
    """The API as an ASGI application. ``engine`` compiles templates; ``clock`` gives seconds since the epoch.

    Reads the token signing key from the database, making it at the first start. ``extra_routes`` are served
    beside the API's own, without its authorization.
    """
    tokens = TokenSigner(await token_signing_key(pool), lifetime_seconds=settings.token_seconds, clock=clock)
    base_url = settings.public_url.rstrip("/") + "/"
    publisher = Publisher(
        pool,
        from_name=settings.from_name,
        from_address=settings.from_address,
        new_status=settings.new_definition_status,
        engine=engine,
        new_id=uuid7,
    )
    queues = Queues(pool)
    routes = rest_routes(
        Messages(pool, accepter, status_hours=settings.status_hours, clock=clock),
        Definitions(pool, publisher),
        queues,
        Assets(pool, base_url=base_url),
        Platform(base_url=base_url),
    )
    routes += [Route(*route) for route in DataExtensions(pool, clock=clock).routes()]
    routes += [Route(*route) for route in Audience(pool, clock=clock).routes()]
    legacy = LegacySends(pool, accepter, status_hours=settings.status_hours, clock=clock)
    routes += [Route(*route) for route in legacy.routes()]
    ens = EventNotifications(pool, private=bool(settings.ens_allow_private), clock=clock)
    routes += [Route(*route) for route in ens.routes()]
    rules = ClientRules(pool, clock=asyncio.get_running_loop().time)
    categories = AssetCategories(pool)
    routes += [
        Route("GET", CATEGORIES, ASSET_READ, categories.page),
        Route("POST", CATEGORIES, ASSET_WRITE, categories.create),
        Route("GET", CATEGORIES + "/{id}", ASSET_READ, categories.get),
    ]
    gate = Gate(tokens, rules)
    handlers = [
        _handler(
            route.method,
            route.template,
            endpoint(gate, route.scopes, route.handler, body_limit=settings.max_request_bytes),
        )
        for route in routes
    ]
    hasher = SecretHasher()
    identity = Identity(pool, tokens, base_url=base_url)
    auth = auth_routes(
        TokenRoute(pool, tokens, hasher, base_url=base_url), LegacyTokenRoute(pool, tokens, hasher), identity
    )
    schema = Schema(build_document(routes, auth, base_url))
    open_routes: list[OpenRoute] = [*auth, ("GET", SCHEMA, schema.document), ("GET", SCHEMA_PAGE, schema.page)]
    handlers += [_handler(method, path, oauth_route(path, answer)) for method, path, answer in open_routes]
    handlers.append(_handler("GET", PUBLIC_FILE, oauth_route(PUBLIC_FILE, Files(pool).answer), more=("HEAD",)))
    litestar = Litestar(
        route_handlers=[*handlers, *extra_routes],
        exception_handlers={HTTPException: _refuse, Exception: _fail},
        on_shutdown=[queues.finish, rules.close],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=settings.max_request_bytes,
    )
    return Api(
        litestar,
        RouteTable([*(route.template for route in routes), PUBLIC_FILE, SCHEMA, SCHEMA_PAGE], any_prefix=AUTH_PATHS),
    )


def rest_routes(
    messages: Messages, definitions: Definitions, queues: Queues, assets: Assets, platform: Platform
) -> list[Route]:
    """Every REST route with the scopes of contract §1."""
    message, definition, asset = MESSAGES + "/{messageKey}", DEFINITIONS + "/{definitionKey}", ASSETS + "/{id}"
    return [
        Route("POST", MESSAGES, SEND, messages.send_many),
        Route("GET", MESSAGES, READ, messages.not_sent),
        Route("POST", message, SEND, messages.send_one),
        Route("GET", message, READ, messages.status),
        Route("POST", DEFINITIONS, WRITE, definitions.create),
        Route("GET", DEFINITIONS, READ, definitions.page),
        Route("GET", definition, READ, definitions.get),
        Route("PATCH", definition, WRITE, definitions.change),
        Route("DELETE", definition, WRITE, definitions.delete),
        Route("GET", definition + "/queue", READ, queues.depth),
        Route("DELETE", definition + "/queue", WRITE, queues.clear),
        Route("POST", ASSETS, ASSET_WRITE, assets.create),
        Route("POST", ASSETS + "/query", ASSET_READ, assets.query),
        Route("GET", ASSETS, ASSET_READ, assets.page),
        Route("GET", asset, ASSET_READ, assets.get),
        Route("PUT", asset, ASSET_WRITE, assets.replace),
        Route("PATCH", asset, ASSET_WRITE, assets.change),
        Route("DELETE", asset, ASSET_WRITE, assets.delete),
        Route("GET", asset + "/channelviews/{view}", ASSET_READ, assets.channel_view),
        Route("GET", "/platform/v1/tokenContext", ANY_TOKEN, platform.token_context),
        Route("GET", "/platform/v1/endpoints", ANY_TOKEN, platform.endpoints),
        Route("GET", "/platform/v1/endpoints/{type}", ANY_TOKEN, platform.endpoint),
    ]


def auth_routes(token: TokenRoute, legacy: LegacyTokenRoute, identity: Identity) -> list[OpenRoute]:
    """The routes of the authentication host, which look after tokens themselves (contract §2)."""
    return [
        ("POST", TOKEN, token.answer),
        ("GET", USER_INFO, identity.user_info),
        ("GET", DISCOVERY, identity.discovery),
        ("POST", REQUEST_TOKEN, legacy.answer),
    ]


class Api:
    """The ASGI application. ``litestar`` is the router inside."""

    def __init__(self, litestar: Litestar, table: RouteTable) -> None:
        self.litestar = litestar
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            raw_path = raw_path_of(scope)
            match = self._table.match(raw_path)
            if match is not None:
                keep_match(cast("MutableMapping[str, Any]", scope), match)
            elif b"%2f" in raw_path.lower():
                # Decoded, an encoded slash would make a route's path of what is none.
                scope["path"] = raw_path.decode("latin-1")
        await self.litestar(scope, receive, send)


def _handler(
    method: Method, template: str, function: RouteFunction, *, more: "Sequence[Literal['HEAD']]" = ()
) -> HTTPRouteHandler:
    # Keys reach handlers through the scope, so the path's parameters only need to be there, not to be typed.
    path = template.replace("}", ":str}")
    return HTTPRouteHandler(path, http_method=[method, *more], status_code=200)(function)


def _refuse(request: Request[Any, Any, Any], refusal: HTTPException) -> Response[bytes]:
    """What Litestar refuses before a route is reached, in the vendor's words."""
    codes = {404: Code.ROUTE_UNKNOWN, 405: Code.METHOD_NOT_ALLOWED, 413: Code.BODY_TOO_LARGE}
    code = codes.get(refusal.status_code)
    if code is not None:
        return _response(ApiError(code), refusal.headers or {})
    if refusal.status_code < 500:
        return _response(ApiError(Code.GENERIC, refusal.detail), {})
    return _fail(request, refusal)


def _fail(request: Request[Any, Any, Any], failure: Exception) -> Response[bytes]:
    structlog.get_logger("api").error("request_failed", path=request.scope["path"], error=repr(failure))
    return _response(ApiError(Code.INTERNAL), {})


def _response(error: ApiError, headers: dict[str, str]) -> Response[bytes]:
    reply = error_reply(error)
    decoded = {name.decode("ascii"): value.decode("ascii") for name, value in reply.headers}
    return Response(
        content=error_body(error.code, error.text),
        status_code=error.status,
        media_type="application/json; charset=utf-8",
        headers=headers | decoded,
    )
