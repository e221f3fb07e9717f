"""Reading a request: the few headers that matter, and the body within its limit."""

from collections.abc import Iterable

from litestar.types import Receive

from postroom.api.errors import ApiError, Code

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # some .NET clients send it ahead of their JSON


class ClientGone(Exception):
    """The client closed the connection before the body was complete."""


class Head:
    """The headers the API looks at; empty, -1 or None when absent."""

    __slots__ = ("authorization", "content_length", "content_type", "definition_version", "idempotency_key")

    def __init__(self) -> None:
        self.authorization = b""
        self.content_type = b""
        self.content_length = -1
        self.idempotency_key: bytes | None = None
        self.definition_version: bytes | None = None

    @property
    def is_json(self) -> bool:
        """Whether the body counts as JSON in UTF-8: it says so, or says nothing."""
        content_type = self.content_type
        if content_type in (b"application/json", b"application/json; charset=utf-8", b""):
            return True
        kind, _, parameters = content_type.lower().partition(b";")
        if kind.strip() != b"application/json":
            return False
        for parameter in parameters.split(b";"):
            name, _, value = parameter.partition(b"=")
            if name.strip() == b"charset" and value.strip(b" \t\"'") not in (b"utf-8", b"utf8", b"us-ascii"):
                return False
        return True

    @property
    def media_type(self) -> bytes:
        """The Content-Type in lower case without its parameters."""
        return self.content_type.lower().partition(b";")[0].strip()

    @property
    def is_form(self) -> bool:
        """Whether the body says it is form-encoded."""
        return self.media_type == b"application/x-www-form-urlencoded"


def read_head(headers: Iterable[tuple[bytes, bytes]]) -> Head:
    """Pick what matters out of the header list; of a header sent twice the last counts."""
    head = Head()
    for name, value in headers:
        if name == b"authorization":
            head.authorization = value
        elif name == b"content-type":
            head.content_type = value
        elif name == b"content-length":
            # The server has checked that it is a number.
            head.content_length = int(value) if value.isdigit() else -1
        elif name == b"idempotency-key":
            head.idempotency_key = value
        elif name == b"postroom-definition-version":
            head.definition_version = value
    return head


async def read_body(receive: Receive, head: Head, limit: int) -> bytes:
    """The whole body. Raises ApiError 413 as soon as it is known to exceed ``limit`` bytes, or ClientGone."""
    if head.content_length > limit:
        raise ApiError(Code.BODY_TOO_LARGE)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        part = message["body"]
        size += len(part)
        if size > limit:
            raise ApiError(Code.BODY_TOO_LARGE)
        parts.append(part)
        if not message["more_body"]:
            return (parts[0] if len(parts) == 1 else b"".join(parts)).removeprefix(_BYTE_ORDER_MARK)
