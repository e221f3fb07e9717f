"""The web page of the sandbox: static files of this package under a policy that lets nothing else run."""

from __future__ import annotations

import html
from importlib.resources import files

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from postroom.sandbox.query import NOT_FOUND, RequestRejected

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_MEDIA_TYPES = {"mailbox.css": "text/css", "mailbox.js": "text/javascript"}


def page_routes(smtp_address: str) -> list[HTTPRouteHandler]:
    """`/`, `/sandbox` and the files the page needs. `smtp_address` is shown in the empty mailbox."""
    folder = files("postroom.sandbox") / "static"
    page = (folder / "mailbox.html").read_text("utf-8").replace("{{smtp}}", html.escape(smtp_address)).encode()
    static = {name: (folder / name).read_bytes() for name in _MEDIA_TYPES}

    @get(["/", "/sandbox"], sync_to_thread=False)
    def show_page() -> Response[bytes]:
        headers = _HEADERS | {"Content-Security-Policy": PAGE_POLICY}
        return Response(page, media_type="text/html", headers=headers)

    @get("/sandbox/static/{name:str}", sync_to_thread=False)
    def show_file(name: FromPath[str]) -> Response[bytes]:
        if name not in static:
            raise RequestRejected(404, NOT_FOUND, "ObjectNotFound", f"there is no file {name}")
        return Response(static[name], media_type=_MEDIA_TYPES[name], headers=_HEADERS)

    return [show_page, show_file]
