"""The HTTP application: the route table, and the ASGI wrapper that brings paths to the form the routes have."""

import asyncio
import time
from collections.abc import Callable, MutableMapping, Sequence
from datetime import timedelta
from typing import Any, Literal, cast

import structlog
from litestar import Litestar, Request, Response, Router
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.types import Receive, Scope, Send
from uuid_utils.compat import uuid7

from postroom.api.account import OwnAccount
from postroom.api.address_check import AddressCheck
from postroom.api.asset_categories import AssetCategories
from postroom.api.assets import Assets
from postroom.api.audience import Audience
from postroom.api.auth import Gate
from postroom.api.contact_deletions import ContactDeletions
from postroom.api.data_extensions import DataExtensions
from postroom.api.data_rows import DataRows
from postroom.api.definitions import Definitions
from postroom.api.endpoint import RouteFunction, endpoint
from postroom.api.ens import EventNotifications
from postroom.api.erasures import Erasures
from postroom.api.errors import ApiError, Code, error_body
from postroom.api.extension_names import ExtensionNames
from postroom.api.files import Files
from postroom.api.health import HEALTH, Health
from postroom.api.identity import Identity
from postroom.api.legacy_sends import LegacySends
from postroom.api.legacy_token import LegacyTokenRoute
from postroom.api.message_jobs import MessageJobs
from postroom.api.message_search import MessageSearch
from postroom.api.messages import Accepting, Messages
from postroom.api.metrics import METRICS, Metrics
from postroom.api.oauth import oauth_route
from postroom.api.paths import RouteTable, keep_match, raw_path_of
from postroom.api.platform import Platform
from postroom.api.queue_report import QueueReports
from postroom.api.queues import Queues
from postroom.api.recipients import PREFIX, Recipients
from postroom.api.reply import error_reply
from postroom.api.schema import OpenRoute, build_document
from postroom.api.schema_page import SCHEMA, SCHEMA_PAGE, Schema
from postroom.api.shape import Method, Route
from postroom.api.shapes import assets as asset_shapes
from postroom.api.shapes import definitions as definition_shapes
from postroom.api.shapes import messages as message_shapes
from postroom.api.shapes import platform as platform_shapes
from postroom.api.suppressions import Suppressions
from postroom.api.templates import Templates
from postroom.api.timelines import Timelines
from postroom.api.token import TokenRoute
from postroom.audience.address_check import TakesMail
from postroom.catalog.assets import FILES
from postroom.catalog.publishing import Publisher
from postroom.content.ampscript.engine import Engine
from postroom.delivery.account_facts import AccountFacts
from postroom.settings import Settings
from postroom.store.database import Pool
from postroom.tenancy.clients import SecretHasher
from postroom.tenancy.rules import ClientRules
from postroom.tenancy.tokens import TokenSigner, token_signing_key

MESSAGES = "/messaging/v1/email/messages"
DEFINITIONS = "/messaging/v1/email/definitions"
ASSETS = "/asset/v1/content/assets"
CATEGORIES = "/asset/v1/content/categories"
PUBLIC_FILE = f"/{FILES}/{{mid}}/{{key}}/{{name}}"
TOKEN = "/v2/token"  # noqa: S105
USER_INFO = "/v2/userinfo"
DISCOVERY = "/v2/discovery"
REQUEST_TOKEN = "/v1/requestToken"  # noqa: S105
AUTH_PATHS = (TOKEN, USER_INFO, DISCOVERY, REQUEST_TOKEN)

SEND = frozenset({"email_send"})
READ = frozenset({"email_read"})
WRITE = frozenset({"email_write"})
ASSET_READ = frozenset({"saved_content_read", "documents_and_images_read"})
ASSET_WRITE = frozenset({"saved_content_write", "documents_and_images_write"})
ANY_TOKEN: frozenset[str] = frozenset()


async def build_api(
    *,
    settings: Settings,
    pool: Pool,
    accepter: Accepting,
    engine: Engine,
    clock: Callable[[], float],
    recipients: Recipients,
    takes_mail: TakesMail,
    extra_routes: Sequence[Router] = (),
    delivery_routes: frozenset[str] | None = None,
) -> "Api":
    """The API as an ASGI application. ``engine`` compiles templates; ``clock`` gives seconds since the epoch.
    ``recipients`` answers what links in mails lead to, ``takes_mail`` says of a domain whether its mail has
    somewhere to go.

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
        routes=delivery_routes,
    )
    queues = Queues(pool)
    routes = rest_routes(
        Messages(pool, accepter, status_hours=settings.status_hours, clock=clock),
        Definitions(pool, publisher),
        queues,
        Assets(pool, engine, base_url=base_url),
        Platform(base_url=base_url),
    )
    names = ExtensionNames(pool)
    routes += DataExtensions(pool, names, clock=clock).routes()
    routes += DataRows(pool, names, clock=clock).routes()
    routes += Audience(pool, clock=clock).routes()
    routes += Suppressions(pool, clock=clock).routes()
    routes += AddressCheck(pool, takes_mail).routes()
    routes += Erasures(pool).routes()
    routes += ContactDeletions(pool, clock=clock).routes()
    routes += Timelines(pool, tried_for=timedelta(days=settings.ens_retry_days)).routes()
    routes += MessageSearch(pool, clock=clock).routes()
    routes += QueueReports(pool).routes()
    routes += MessageJobs(pool).routes()
    routes += OwnAccount(pool).routes()
    legacy = LegacySends(pool, accepter, status_hours=settings.status_hours, clock=clock)
    routes += legacy.routes()
    ens = EventNotifications(pool, private=bool(settings.ens_allow_private), clock=clock)
    routes += ens.routes()
    accounts = AccountFacts(pool, clock=time.monotonic, public_url=settings.public_url.rstrip("/"))
    templates = Templates(
        pool, engine, accounts, from_name=settings.from_name, from_address=settings.from_address, clock=clock
    )
    routes += templates.routes()
    rules = ClientRules(pool, clock=asyncio.get_running_loop().time)
    categories = AssetCategories(pool)
    routes += [
        Route("GET", CATEGORIES, ASSET_READ, categories.page, asset_shapes.CATEGORIES),
        Route("POST", CATEGORIES, ASSET_WRITE, categories.create, asset_shapes.CREATE_CATEGORY),
        Route("GET", CATEGORIES + "/{id}", ASSET_READ, categories.get, asset_shapes.CATEGORY),
        Route("PUT", CATEGORIES + "/{id}", ASSET_WRITE, categories.change, asset_shapes.CHANGE_CATEGORY),
        Route("DELETE", CATEGORIES + "/{id}", ASSET_WRITE, categories.delete, asset_shapes.DELETE_CATEGORY),
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
    handlers += [_handler(route.method, route.template, oauth_route(route.template, route.handler)) for route in auth]
    handlers += [
        _handler("GET", path, oauth_route(path, answer))
        for path, answer in ((SCHEMA, schema.document), (SCHEMA_PAGE, schema.page))
    ]
    handlers.append(_handler("GET", PUBLIC_FILE, oauth_route(PUBLIC_FILE, Files(pool).answer), more=("HEAD",)))
    metrics = Metrics(pool, settings.metrics_token)
    handlers.append(_handler("GET", METRICS, oauth_route(METRICS, metrics.answer)))
    handlers.append(_handler("GET", HEALTH, oauth_route(HEALTH, Health(pool).answer), more=("HEAD",)))
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
        RouteTable(
            [*(route.template for route in routes), PUBLIC_FILE, METRICS, HEALTH, SCHEMA, SCHEMA_PAGE],
            any_prefix=AUTH_PATHS,
        ),
        recipients,
    )


def rest_routes(
    messages: Messages, definitions: Definitions, queues: Queues, assets: Assets, platform: Platform
) -> list[Route]:
    """Every REST route with the scopes of contract §1."""
    message, definition, asset = MESSAGES + "/{messageKey}", DEFINITIONS + "/{definitionKey}", ASSETS + "/{id}"
    return [
        Route("POST", MESSAGES, SEND, messages.send_many, message_shapes.SEND_MANY),
        Route("GET", MESSAGES, READ, messages.not_sent, message_shapes.NOT_SENT),
        Route("POST", message, SEND, messages.send_one, message_shapes.SEND_ONE),
        Route("GET", message, READ, messages.status, message_shapes.STATUS),
        Route("POST", DEFINITIONS, WRITE, definitions.create, definition_shapes.CREATE),
        Route("GET", DEFINITIONS, READ, definitions.page, definition_shapes.LIST),
        Route("GET", definition, READ, definitions.get, definition_shapes.GET),
        Route("PATCH", definition, WRITE, definitions.change, definition_shapes.CHANGE),
        Route("DELETE", definition, WRITE, definitions.delete, definition_shapes.DELETE),
        Route("GET", definition + "/queue", READ, queues.depth, definition_shapes.QUEUE),
        Route("DELETE", definition + "/queue", WRITE, queues.clear, definition_shapes.CLEAR_QUEUE),
        Route("POST", ASSETS, ASSET_WRITE, assets.create, asset_shapes.CREATE),
        Route("POST", ASSETS + "/query", ASSET_READ, assets.query, asset_shapes.QUERY),
        Route("GET", ASSETS, ASSET_READ, assets.page, asset_shapes.LIST),
        Route("GET", asset, ASSET_READ, assets.get, asset_shapes.GET),
        Route("PUT", asset, ASSET_WRITE, assets.replace, asset_shapes.REPLACE),
        Route("PATCH", asset, ASSET_WRITE, assets.change, asset_shapes.CHANGE),
        Route("DELETE", asset, ASSET_WRITE, assets.delete, asset_shapes.DELETE),
        Route("GET", asset + "/channelviews/{view}", ASSET_READ, assets.channel_view, asset_shapes.CHANNEL_VIEW),
        Route("GET", asset + "/file", ASSET_READ, assets.file, asset_shapes.FILE),
        Route("GET", "/platform/v1/tokenContext", ANY_TOKEN, platform.token_context, platform_shapes.TOKEN_CONTEXT),
        Route("GET", "/platform/v1/endpoints", ANY_TOKEN, platform.endpoints, platform_shapes.ENDPOINTS),
        Route("GET", "/platform/v1/endpoints/{type}", ANY_TOKEN, platform.endpoint, platform_shapes.ENDPOINT),
    ]


def auth_routes(token: TokenRoute, legacy: LegacyTokenRoute, identity: Identity) -> list[OpenRoute]:
    """The routes of the authentication host, which look after tokens themselves (contract §2)."""
    return [
        OpenRoute("POST", TOKEN, token.answer, platform_shapes.TOKEN),
        OpenRoute("GET", USER_INFO, identity.user_info, platform_shapes.USER_INFO),
        OpenRoute("GET", DISCOVERY, identity.discovery, platform_shapes.DISCOVERY),
        OpenRoute("POST", REQUEST_TOKEN, legacy.answer, platform_shapes.REQUEST_TOKEN),
    ]


class Api:
    """The ASGI application. ``litestar`` is the router inside."""

    def __init__(self, litestar: Litestar, table: RouteTable, recipients: Recipients) -> None:
        self.litestar = litestar
        self._recipients = recipients
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            raw_path = raw_path_of(scope)
            if raw_path.startswith(PREFIX):
                await self._recipients(scope, receive, send)
                return
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
