"""Images by their public URL, for mail readers and browsers: no token, and no other type than the stored one."""

from uuid import UUID

from litestar.types import HTTPScope, Receive, Scope, Send

from postroom.api.errors import ApiError, Code
from postroom.api.oauth import AnyRequest
from postroom.api.paths import key_text, scope_keys
from postroom.api.reply import Reply, error_reply
from postroom.catalog.assets import FileDraft, public_file
from postroom.store.database import Pool

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"cache-control", b"public, max-age=3600"),
    (b"cross-origin-resource-policy", b"cross-origin"),
)


class FileReply(Reply):
    """The bytes of a file as an ASGI application."""

    def __init__(self, file: FileDraft, *, with_body: bool) -> None:
        super().__init__(file.content if with_body else b"")
        self._type = file.media_type.encode("ascii")
        self._size = len(file.content)

    async def __call__(self, scope: "Scope | HTTPScope", receive: Receive, send: Send) -> None:
        headers = [(b"content-type", self._type), (b"content-length", b"%d" % self._size), *_HEADERS]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


class Files:
    """The handler."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def answer(self, request: AnyRequest) -> Reply:
        """GET or HEAD /files/{mid}/{key}/{name}: 404 for whatever does not name a stored file."""
        try:
            account, key, _name = (key_text(raw, "URL") for raw in scope_keys(request.scope))
            account_id, public_key = _account_id(account), UUID(key)
        except (ApiError, ValueError):
            return error_reply(ApiError(Code.ROUTE_UNKNOWN))
        file = await public_file(self._pool, account_id, public_key)
        if file is None:
            return error_reply(ApiError(Code.ROUTE_UNKNOWN))
        return FileReply(file, with_body=request.scope["method"] != "HEAD")


def _account_id(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ValueError(text)
    return int(text)
