"""The OpenAPI document: as JSON at /schema, and as a page to read at /schema/page. Neither needs a token."""

from html import escape
from typing import Any

import msgspec

from postroom.api.oauth import AnyRequest
from postroom.api.reply import Reply

SCHEMA = "/schema"
SCHEMA_PAGE = "/schema/page"

_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:62rem;padding:0 1rem;color:#222;background:#fff}
body{overflow-wrap:anywhere}
h2{margin:2.5rem 0 .3rem;font-size:1.1rem}h2 code{font-size:1rem}b.method{display:inline-block;min-width:4.5rem}
pre{background:#f4f4f2;padding:.6rem .8rem;overflow:auto}table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0;border-bottom:1px solid #ddd}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}pre{background:#222}td,th{border-color:#444}}
"""


class Schema:
    """The handlers, over a finished document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._json = msgspec.json.encode(document)
        self._page = schema_page(document).encode()

    async def document(self, _request: AnyRequest) -> Reply:
        """GET /schema."""
        return Reply(self._json)

    async def page(self, _request: AnyRequest) -> Reply:
        """GET /schema/page."""
        headers = (
            (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
            (b"x-content-type-options", b"nosniff"),
        )
        return Reply(self._page, 200, headers, media_type=b"text/html; charset=utf-8")


def schema_page(document: dict[str, Any]) -> str:
    """The document as one HTML page without scripts."""
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Postroom API</title>"
        f"<meta name=viewport content='width=device-width, initial-scale=1'><style>{_STYLE}</style>",
        f"<h1>Postroom API</h1><p>{escape(document['info']['description'])} As OpenAPI 3.1: "
        "<a href=/schema>/schema</a>. <a href=#errors>Errors</a>.</p>",
    ]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parts.append(_operation(path, method, operation))
    parts.append("<h1 id=errors>Errors</h1><table><tr><th>HTTP<th>errorcode<th>message<th>when</tr>")
    for name, response in document["components"]["responses"].items():
        examples = response["content"]["application/json"].get("examples", {})
        for example in examples.values():
            value = example["value"]
            cells = (name.removeprefix("Error"), str(value["errorcode"]), value["message"], example["summary"])
            parts.append("<tr>" + "".join(f"<td>{escape(cell)}" for cell in cells) + "</tr>")
    parts.append("</table></html>")
    return "".join(parts)


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    shown = [f"<h2><b class=method>{method.upper()}</b> <code>{escape(path)}</code></h2>"]
    shown.append(f"<p>{escape(operation['summary'])} {escape(operation.get('description', ''))}</p>")
    names = [f"<code>{escape(each['name'])}</code> ({each['in']})" for each in operation["parameters"]]
    if names:
        shown.append(f"<p>Takes {', '.join(names)}.</p>")
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    if "example" in content:
        text = msgspec.json.format(msgspec.json.encode(content["example"]), indent=2).decode()
        shown.append(f"<pre>{escape(text)}</pre>")
    statuses = ", ".join(escape(status) for status in sorted(operation["responses"]))
    shown.append(f"<p>Answers {statuses}.</p>")
    return "".join(shown)
