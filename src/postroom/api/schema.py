"""The OpenAPI 3.1 document, made from the route table with its shapes, the wire structs and the error table."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

from postroom import __version__
from postroom.api.errors import Code
from postroom.api.shape import NOTHING, AnyOf, Method, Route, Shape, TextOf, object_of
from postroom.api.wire.diagnostics import MEMBER
from postroom.api.wire.messages import WireResponse
from postroom.audience.suppression import CAUSES
from postroom.events.search import STATUSES
from postroom.intake.request import RecipientError

_ANY: dict[str, Any] = {}
_BEARER: list[dict[str, list[str]]] = [{"bearer": []}]
_HEADERS = {
    "Idempotency-Key": "Repetitions within 72 hours get the first reply byte for byte (not the vendor's).",
    "Postroom-Definition-Version": "The version of the definition to send with (not the vendor's).",
}
_QUERY: Mapping[str, tuple[dict[str, Any], str]] = {
    "$page": ({"type": "integer", "minimum": 1, "default": 1}, "The page, from 1."),
    "$pageSize": ({"type": "integer", "minimum": 1}, "The items of a page; more than the most count as the most."),
    "$filter": ({"type": "string"}, "A condition, such as status neq deleted."),
    "$orderBy": ({"type": "string"}, "What to order by, then asc or desc."),
    "$fields": ({"type": "string"}, "The fields to show, separated by commas."),
    "$search": ({"type": "string"}, "A part of the name."),
    "type": ({"const": "notSent"}, "Always notSent."),
    "lastEventId": ({"type": "integer", "minimum": 0, "maximum": 10**18 - 1}, "The lastEventID of the page before."),
    "after": ({"type": "integer", "minimum": 0, "maximum": 10**18 - 1}, "The next of the page before."),
    "address": ({"type": "string"}, "An email address."),
    "containing": ({"type": "string"}, "A part of the address."),
    "cause": ({"enum": list(CAUSES)}, "Why the address is suppressed."),
    "expired": ({"type": "boolean"}, "Whether those that are over are shown, too."),
    "format": ({"enum": ["csv", "ndjson"]}, "What kind of file."),
    "legacy": ({"const": "1"}, "Whether a legacyToken is wanted as well."),
    "recipient": ({"type": "string", "minLength": 1}, "The address that messages went to."),
    "contactKey": ({"type": "string", "minLength": 1}, "The contact that messages went to."),
    "definitionKey": ({"type": "string", "minLength": 1}, "The definition of messages."),
    "status": ({"enum": list(STATUSES)}, "What became of messages; queued has those that are held, too."),
    "from": ({"type": "string"}, "Accepted at this time or later: a date, or a time with its offset."),
    "to": ({"type": "string"}, "Accepted before this time."),
    "operationID": ({"type": "integer", "minimum": 0}, "The operationID of the call that deletes."),
    "step": ({"type": "integer", "default": 1}, "How much to add; less than 0 to take away."),
    "cursor": ({"type": "string"}, "The cursor of the page before."),
}
# Examples of keys by name, or by name and the beginning of the path, for the same objects as the requests' examples.
_KEYS: Mapping[str, str] = {
    "definitionKey": "order",
    "messageKey": "order-1",
    "recipientSendId": "order-1",
    "view": "html",
    "type": "rest",
    "keys": "SubscriberKey:ann",
    "name": "FirstName",
    "callbackId": "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d19",
    "subscriptionId": "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d1a",
    "requestId": "019b2f5e-6d4c-7b1a-9a55-0f6f1c9f2d16",
    "/asset/v1/content/assets {id}": "12",
    "/asset/v1/content/categories {id}": "1",
    "/messaging/v1/messageDefinitionSends {id}": "key:order",
    "/hub/v1/dataevents {id}": "key:orders",
    "/hub/v1/dataeventsasync {id}": "key:orders",
    "column": "Total",
    "categoryId": "0",
    "/data/v1/customobjectsasync {id}": "key:orders",
    "/data/v1/async/dataextensions {id}": "key:orders",
    "/data/v1/customobjects {id}": "key:orders",
    "/data/v1/customobjectdata {id}": "key:orders",
    "/data/v1/customobjectdata/key {key}": "orders",
    "/postroom/v1/data-extensions {key}": "orders",
    "/postroom/v1/contacts {key}": "ann",
    "/postroom/v1/lists {id}": "2",
    "/postroom/v1/lists {key}": "ann",
    "/postroom/v1/classifications {key}": "shop",
}
_REQUIRED_QUERY = frozenset({"type"})
_OAUTH_ERROR = {
    "type": "object",
    "required": ["error", "error_description", "error_uri"],
    "properties": {name: {"type": "string"} for name in ("error", "error_description", "error_uri")},
}
_OAUTH_ERRORS = {
    400: ("invalid_request", "Something is missing or malformed, or a scope is not granted."),
    401: ("invalid_client", "The credentials or the token are wrong."),
    413: ("invalid_request", "The body exceeds its limit."),
    415: ("invalid_request", "Neither JSON nor a form."),
    500: ("server_error", "The server failed; try again."),
}
_ERROR_HEADERS = {
    401: {"WWW-Authenticate": ({"type": "string"}, "Bearer, so that clients ask for a new token.")},
    429: {"Retry-After": ({"type": "integer"}, "Seconds until the next call is free.")},
    503: {"Retry-After": ({"type": "integer"}, "Seconds to wait.")},
}

_ON_EVERY_ROUTE = (
    *(Code.NOT_AUTHORIZED, Code.TOKEN_IN_URL, Code.TOKEN_IN_BODY),
    *(Code.METHOD_NOT_ALLOWED, Code.RATE_LIMIT, Code.INTERNAL, Code.UNAVAILABLE),
)
_WITH_A_PATH_KEY = (Code.ROUTE_UNKNOWN, Code.INVALID_VALUE)
_WITH_A_QUERY = (Code.BAD_FORMAT, Code.INVALID_VALUE)
_WITH_A_BODY = (Code.MEDIA_TYPE, Code.BODY_TOO_LARGE, Code.UNPARSEABLE, Code.WRONG_TYPE, Code.INVALID_VALUE)


class OpenRoute(NamedTuple):
    """A route of the authentication host, which looks after tokens itself (contract §2)."""

    method: Method
    template: str
    handler: Any
    shape: Shape


class _Problem(NamedTuple):
    """A row of the document's errors."""

    status: int
    errorcode: int
    name: str
    message: str
    documentation: str
    when: str


class _Schemas:
    """The kinds of all shapes, and their schemas; kinds that have a name stand among the components."""

    def __init__(self, shapes: Iterable[Shape]) -> None:
        kinds: list[Any] = [WireResponse]
        for shape in shapes:
            kinds += _msgspec_kinds(shape.request)
            for reply in shape.replies.values():
                kinds += _msgspec_kinds(reply)
        schemas, self.components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
        self._found = dict(zip(map(repr, kinds), schemas, strict=True))

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of a kind."""
        match kind:
            case None:
                return _ANY
            case AnyOf():
                return {"anyOf": [self.of(each) for each in kind.kinds]}
            case Mapping():
                return dict(kind)
            case _:
                return self._found[repr(kind)]

    def request(self, shape: Shape) -> dict[str, Any]:
        """The schema of a request, with the fields it must have."""
        schema = self.of(shape.request)
        if not shape.required:
            return schema
        required = {"type": "object", "required": list(shape.required)}
        if "items" in schema:
            return {"type": "array", "minItems": 1, "items": {"allOf": [schema["items"], required]}}
        return {"allOf": [schema, required]}


def build_document(routes: Iterable[Route], auth_routes: Iterable[OpenRoute], base_url: str) -> dict[str, Any]:
    """The document."""
    routes, auth_routes = list(routes), list(auth_routes)
    shapes = [route.shape for route in routes if route.shape is not None]
    schemas = _Schemas([*shapes, *(route.shape for route in auth_routes)])
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        shape = route.shape or Shape({}, dict.fromkeys((200, 201, 202)), None)
        operation = _operation(route.method, route.template, route.handler, shape, schemas)
        operation["security"] = _BEARER
        problems = _every_problem() if shape.errors is None else _problems(route, shape)
        operation["responses"] |= _error_responses(problems)
        if route.scopes:
            operation["description"] = f"Any one of these scopes admits: {', '.join(sorted(route.scopes))}."
        paths.setdefault(route.template, {})[route.method.lower()] = operation
    for open_route in auth_routes:
        operation = _operation(*open_route, schemas)
        operation["responses"] |= _open_errors(open_route)
        paths.setdefault(open_route.template, {})[open_route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Postroom",
            "version": __version__,
            "description": "The Marketing Cloud Transactional Messaging API for email and its neighbours.",
        },
        "servers": [{"url": base_url.rstrip("/")}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "responses": {
                f"Error{status}": reply for status, reply in _error_responses(_every_problem(), exact=False).items()
            },
            "schemas": {**schemas.components, "Error": _error_schema(), "OAuthError": _OAUTH_ERROR},
        },
    }


def _operation(method: str, path: str, handler: Any, shape: Shape, schemas: _Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": " ".join((handler.__doc__ or "").split()),
        "operationId": "_".join([method.lower(), *path.replace("{", "").replace("}", "").split("/")[1:]]),
        "tags": [_tag(path)],
        "parameters": [_path_parameter(path, name) for name in _path_keys(path)]
        + [_query_parameter(name) for name in shape.query]
        + [
            {"name": name, "in": "header", "description": _HEADERS[name], "schema": {"type": "string"}}
            for name in shape.headers
        ],
        "responses": {
            str(status): _reply(status, kind, shape, schemas, first=place == 0)
            for place, (status, kind) in enumerate(shape.replies.items())
        },
    }
    if shape.request is not None:
        content = _json(schemas.request(shape))
        if shape.example is not None:
            content["application/json"]["example"] = shape.example
        content |= _texts(shape.texts)
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _reply(status: int, kind: Any, shape: Shape, schemas: _Schemas, *, first: bool) -> dict[str, Any]:
    reply: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if isinstance(kind, TextOf):
        reply["content"] = _texts(kind.examples)
    elif kind is not NOTHING:
        reply["content"] = _json(schemas.of(kind))
        if first and shape.answer is not None:
            reply["content"]["application/json"]["example"] = shape.answer
    return reply


def _query_parameter(name: str) -> dict[str, Any]:
    schema, description = _QUERY[name]
    parameter = {"name": name, "in": "query", "description": description, "schema": schema}
    return parameter | {"required": True} if name in _REQUIRED_QUERY else parameter


def _path_parameter(path: str, name: str) -> dict[str, Any]:
    parameter = {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    example = _KEYS.get(name) or _KEYS.get(f"{path.partition('/{')[0]} {{{name}}}")
    return parameter if example is None else parameter | {"example": example}


def _path_keys(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def _tag(path: str) -> str:
    """The group of a route: its first segment, and what Postroom's own are about."""
    segments = path.strip("/").split("/")
    return segments[0] if segments[0] != "postroom" else f"postroom {segments[2]}"


def _msgspec_kinds(kind: Any) -> list[Any]:
    if isinstance(kind, AnyOf):
        return [found for each in kind.kinds for found in _msgspec_kinds(each)]
    return [] if kind is None or kind is NOTHING or isinstance(kind, Mapping | TextOf) else [kind]


def _problem(error: Code | RecipientError) -> _Problem:
    if isinstance(error, RecipientError):
        message = f"{error.code_name}: …"
        return _Problem(400, error.errorcode, error.name, message, "", "of the only recipient, or of one of several")
    row = error.row
    return _Problem(row.status, row.errorcode, error.name, error.message("…"), error.documentation, row.when)


def _every_problem() -> list[_Problem]:
    codes: list[Code | RecipientError] = [code for code in Code if code.row.status >= 400]
    return [_problem(error) for error in (*codes, *RecipientError)]


def _problems(route: Route, shape: Shape) -> list[_Problem]:
    errors: list[Code | RecipientError] = [*_ON_EVERY_ROUTE, *(shape.errors or ())]
    if route.scopes:
        errors.append(Code.INSUFFICIENT_PRIVILEGES)
    if "{" in route.template:
        errors += _WITH_A_PATH_KEY
    if shape.query:
        errors += _WITH_A_QUERY
    if shape.request is not None:
        errors += _WITH_A_BODY
    return [_problem(error) for error in dict.fromkeys(errors)]


def _error_responses(problems: Sequence[_Problem], *, exact: bool = True) -> dict[str, Any]:
    """Responses by status, each with its problems; ``exact`` also limits the error codes to these."""
    responses: dict[str, Any] = {}
    for status in sorted({problem.status for problem in problems}):
        here = sorted(problem for problem in problems if problem.status == status)
        schema = _ref("Error")
        if exact:
            codes = sorted({problem.errorcode for problem in here})
            schema = {"allOf": [schema, {"properties": {"errorcode": {"enum": codes}}}]}
        content = _json(schema)
        content["application/json"]["examples"] = {
            problem.name: {
                "summary": problem.when,
                "value": {
                    "message": problem.message,
                    "errorcode": problem.errorcode,
                    "documentation": problem.documentation,
                },
            }
            for problem in here
        }
        responses[str(status)] = {
            "description": "; ".join(f"{problem.errorcode}: {problem.when}" for problem in here),
            "content": content,
        }
        if status in _ERROR_HEADERS:
            responses[str(status)]["headers"] = {
                name: {"description": description, "schema": schema}
                for name, (schema, description) in _ERROR_HEADERS[status].items()
            }
    return responses


def _open_errors(route: OpenRoute) -> dict[str, Any]:
    wrong_method = _error_responses([_problem(Code.METHOD_NOT_ALLOWED)])
    if route.shape.errors:
        return wrong_method | _error_responses([_problem(error) for error in route.shape.errors]) | _open_failure()
    return wrong_method | _open_failure(*_OAUTH_ERRORS)


def _open_failure(*statuses: int) -> dict[str, Any]:
    failures: dict[str, Any] = {}
    for status in statuses or (500,):
        error, when = _OAUTH_ERRORS[status]
        content = _json(_ref("OAuthError"))
        value = {"error": error, "error_description": when, "error_uri": "https://developer.salesforce.com/docs"}
        content["application/json"]["example"] = value
        failures[str(status)] = {"description": when, "content": content}
    return failures


def _error_schema() -> dict[str, Any]:
    detail = object_of(message={"type": "string"}, errorcode={"type": "integer"}, documentation={"type": "string"})
    return {
        "type": "object",
        "required": ["message", "errorcode", "documentation"],
        "properties": {
            "message": {"type": "string"},
            "errorcode": {"type": "integer"},
            "documentation": {"type": "string"},
            "validationErrors": {"type": "array", "items": detail},
            "additionalErrors": {"type": "array", "items": detail},
            "requestId": {"type": "string"},
            "responses": {"type": "array", "items": _ref("WireResponse")},
            "retryAfter": {"type": "integer"},
            MEMBER: {"type": "array", "items": _ref("Diagnostic")},
        },
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _texts(examples: Mapping[str, str]) -> dict[str, Any]:
    return {kind: {"schema": {"type": "string"}, "example": text} for kind, text in examples.items()}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}
