"""How a route says what it takes and gives; `schema` makes the OpenAPI document of it.

The shape stands beside the route, and names the msgspec structs that requests are read with and replies made of:

    Route(
        "POST",
        "/postroom/v1/lists",
        WRITE,
        self.create_list,
        Shape(
            WireList,
            {201: ShownList},
            errors=(Code.REQUIRED, Code.ALREADY_EXISTS),
            required=("name",),
            example={"name": "Newsletter"},
        ),
    )

What every route answers (401, 403, 405, 429, 500), what each with a key in its path does (the 404 of an empty key, a
NUL in it) and what each with a body does (415, 413, 10001, 10004, 10005) is added by itself. A handler's docstring is
its summary. A group of routes with long shapes keeps them in a file of `shapes`. A route without a shape takes and
gives any JSON and any error, which tests/wire/test_schema.py does not let pass.

Kinds are whatever msgspec has a schema for (a struct, ``list[Struct]``, ``dict[str, str]``, a Literal), `AnyOf` of
several, `TextOf` for what is not JSON, or a JSON schema as a mapping where there is no type. Structs in replies write
what may be absent as ``X | UnsetType = UNSET``.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import msgspec

from postroom.api.endpoint import Handler
from postroom.api.errors import Code
from postroom.intake.request import RecipientError

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

_T = TypeVar("_T")


class NoContent(Enum):
    """The kind of a reply without a body."""

    NOTHING = 0


NOTHING = NoContent.NOTHING


class AnyOf:
    """One of several kinds; msgspec itself has no unions of structs without a tag."""

    def __init__(self, *kinds: Any) -> None:
        self.kinds = kinds


class TextOf:
    """Text that is not JSON: an example for each media type it comes in."""

    def __init__(self, examples: Mapping[str, str]) -> None:
        self.examples = examples


class Shape(NamedTuple):
    """What a route takes and gives.

    ``request`` None is no body. ``replies`` are kinds by status, ``errors`` what it answers beyond what is added by
    itself (None: any). ``required`` are the fields that a request must have (of each object, for an array), ``query``
    and ``headers`` the names it looks at, ``example`` a request and ``answer`` a reply. ``texts`` are examples of a
    request by the media types that are taken beside JSON.
    """

    request: Any = None
    replies: Mapping[int, Any] = {200: None}
    errors: "tuple[Code | RecipientError, ...] | None" = ()
    required: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    example: Any = None
    answer: Any = None
    texts: Mapping[str, str] = MappingProxyType({})


class Route(NamedTuple):
    """One REST route: any one of ``scopes`` admits, an empty set admits every token."""

    method: Method
    template: str
    scopes: frozenset[str]
    handler: Handler
    shape: Shape | None = None


class Page(msgspec.Struct, Generic[_T], rename="camel"):
    """A page of a listing as the vendor's routes have it; ``count`` is the total."""

    count: int
    page: int
    page_size: int
    links: dict[str, str]
    items: list[_T]


class Listing(msgspec.Struct, Generic[_T], rename="camel"):
    """A page of one of Postroom's own listings; ``count`` is the number of items here."""

    items: list[_T]
    count: int
    page: int
    page_size: int


class AllOf(msgspec.Struct, Generic[_T]):
    """All there are of something."""

    items: list[_T]
    count: int


PAGE = ("$page", "$pageSize")


def object_of(**properties: Any) -> dict[str, Any]:
    """The JSON schema of an object that always has these."""
    return {"type": "object", "required": list(properties), "properties": properties}
