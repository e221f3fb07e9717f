"""What the OpenAPI document's examples name by key, made in a business unit, so that requests made of them find it."""

from collections.abc import Mapping
from typing import Any

from tests.wire.live import Unit

_MADE_BY = (
    "POST /contacts/v1/contacts",
    "POST /data/v1/customobjects",
    "POST /postroom/v1/lists",
    "PUT /postroom/v1/classifications/{key}",
    "PUT /postroom/v1/profile-attributes/{name}",
    "POST /hub/v1/dataevents/{id}/rowset",
    "POST /messaging/v1/email/messages/{messageKey}",
)


def operations_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every operation by its method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def contents_of(part: dict[str, Any]) -> list[dict[str, Any]]:
    """What a request or reply is, in each of its media types: JSON, except for files."""
    return list(part["content"].values())


def example_path(route: str, operation: dict[str, Any], keys: Mapping[str, str]) -> str:
    """The path of an operation with the document's examples for its keys, or these."""
    path = route.partition(" ")[2]
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            text = keys.get(parameter["name"], str(parameter.get("example", "k")))
            path = path.replace(f"{{{parameter['name']}}}", text)
    return path


def example_body(operation: dict[str, Any]) -> Any:
    """The document's example of the request; None when it takes none."""
    return contents_of(operation["requestBody"])[0]["example"] if "requestBody" in operation else None


def make_examples(unit: Unit) -> dict[str, dict[str, Any]]:
    """Make them all; the document's operations."""
    unit.make_asset()
    unit.make_definition()
    operations = operations_of(unit.call("GET", "/schema").json())
    for name in _MADE_BY:
        operation = operations[name]
        reply = unit.call(name.partition(" ")[0], example_path(name, operation, {}), json=example_body(operation))
        assert reply.is_success, (name, reply.text)
    return operations
