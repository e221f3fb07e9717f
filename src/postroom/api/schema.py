"""The OpenAPI 3.1 document, made from the route table, the wire structs and the error table.

What a handler says of itself is its summary. A route without an entry in `shapes` takes and gives any JSON.
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Protocol

import msgspec

from postroom import __version__
from postroom.api.errors import Code
from postroom.api.shapes import AUTH_SHAPES, REPLY_STRUCTS, SHAPES, Shape

_ANY: dict[str, Any] = {}
_BEARER: list[dict[str, list[str]]] = [{"bearer": []}]
_HEADERS = {
    "Idempotency-Key": "Repetitions within 72 hours get the first reply byte for byte (not the vendor's).",
    "Postroom-Definition-Version": "The version of the definition to send with (not the vendor's).",
}
_OAUTH_ERROR = {
    "type": "object",
    "required": ["error", "error_description", "error_uri"],
    "properties": {name: {"type": "string"} for name in ("error", "error_description", "error_uri")},
}
_ERROR = {
    "type": "object",
    "required": ["message", "errorcode", "documentation"],
    "properties": {
        "message": {"type": "string"},
        "errorcode": {"type": "integer"},
        "documentation": {"type": "string"},
        "validationErrors": {"type": "array", "items": {"type": "object"}},
        "requestId": {"type": "string"},
        "responses": {"type": "array", "items": {"type": "object"}},
        "retryAfter": {"type": "integer"},
    },
}


class DocumentedRoute(Protocol):
    """What the document needs of a route."""

    @property
    def method(self) -> str: ...

    @property
    def template(self) -> str: ...

    @property
    def scopes(self) -> frozenset[str]: ...

    @property
    def handler(self) -> Any: ...


def build_document(
    routes: Iterable[DocumentedRoute], auth_routes: Iterable[tuple[str, str, Any]], base_url: str
) -> dict[str, Any]:
    """The document; ``auth_routes`` are method, path and handler of the routes that need no token."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        shape = SHAPES.get((route.method, route.template), Shape())
        operation = _operation(route.method, route.template, route.handler, shape)
        operation["security"] = _BEARER
        operation["responses"] |= {str(status): _ref("responses", f"Error{status}") for status in _error_statuses()}
        if route.scopes:
            operation["description"] = f"Any one of these scopes admits: {', '.join(sorted(route.scopes))}."
        paths.setdefault(route.template, {})[route.method.lower()] = operation
    for method, path, handler in auth_routes:
        operation = _operation(method, path, handler, AUTH_SHAPES[path])
        error = _ref("responses", "OAuthError") if path.startswith("/v2") else _ref("responses", "Error400")
        operation["responses"] |= {str(status): error for status in (400, 401, 413, 415, 500)}
        operation["responses"]["405"] = _ref("responses", "Error405")
        paths.setdefault(path, {})[method.lower()] = operation
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
            "responses": _error_responses(),
            "schemas": _schemas(),
        },
    }


def _operation(method: str, path: str, handler: Any, shape: Shape) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": " ".join((handler.__doc__ or "").split()),
        "operationId": "_".join([method.lower(), *path.replace("{", "").replace("}", "").split("/")[1:]]),
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in _path_keys(path)
        ]
        + [{"name": name, "in": "query", "schema": {"type": "string"}} for name in shape.query]
        + [
            {"name": name, "in": "header", "description": _HEADERS[name], "schema": {"type": "string"}}
            for name in shape.headers
        ],
        "responses": {
            str(status): {"description": HTTPStatus(status).phrase, "content": _json(_schema(reply))}
            for status, reply in shape.replies.items()
        },
    }
    if method in ("POST", "PUT", "PATCH"):
        content = _json(_schema(shape.request))
        if shape.example is not None:
            content["application/json"]["example"] = shape.example
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _path_keys(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def _schema(kind: type | Mapping[str, Any] | None) -> dict[str, Any]:
    if kind is None:
        return _ANY
    return dict(kind) if isinstance(kind, Mapping) else _ref("schemas", kind.__name__)


def _schemas() -> dict[str, Any]:
    kinds: dict[str, type] = {kind.__name__: kind for kind in REPLY_STRUCTS}
    for shape in (*SHAPES.values(), *AUTH_SHAPES.values()):
        for kind in (shape.request, *shape.replies.values()):
            if isinstance(kind, type):
                kinds[kind.__name__] = kind
    _, components = msgspec.json.schema_components(kinds.values(), ref_template="#/components/schemas/{name}")
    return {**components, "Error": _ERROR, "OAuthError": _OAUTH_ERROR}


def _error_statuses() -> list[int]:
    return sorted({code.row.status for code in Code if code.row.status >= 400})


def _error_responses() -> dict[str, Any]:
    responses: dict[str, Any] = {
        "OAuthError": {"description": "The OAuth shape", "content": _json(_ref("schemas", "OAuthError"))}
    }
    for status in _error_statuses():
        codes = [code for code in Code if code.row.status == status]
        content = _json(_ref("schemas", "Error"))
        content["application/json"]["examples"] = {
            code.name: {
                "summary": code.row.when,
                "value": {
                    "message": code.message("…"),
                    "errorcode": code.row.errorcode,
                    "documentation": code.documentation,
                },
            }
            for code in codes
        }
        responses[f"Error{status}"] = {
            "description": "; ".join(f"{code.row.errorcode}: {code.row.when}" for code in codes),
            "content": content,
        }
    return responses


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _ref(kind: str, name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/{kind}/{name}"}
