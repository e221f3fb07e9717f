"""The sandbox over HTTP: captured mails as JSON and as they came, the call that waits for one, the web page.

No log-in: these routes exist only in the sandbox. Times are UTC with a zone (`2026-11-23T08:00:00.000Z`), unlike
the vendor's routes. Errors have the vendor's body (contract §0.1): 400 with 10001 or 10005 for a parameter, 403 with
20000 for a request from elsewhere, 404 with 30003 for a mail that is not there.

`GET /sandbox/wait` answers 404, not 408, when nothing came in time: browsers and proxies repeat a request that was
answered 408 by themselves. 503 with 50300 says the server is stopping.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Request, Response, Router, delete, get
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from postroom.sandbox.business_units import BusinessUnits, make_business_unit
from postroom.sandbox.guard import host_is_ours, origin_is_ours
from postroom.sandbox.mailbox import Entry, Mailbox, MailFilter
from postroom.sandbox.page import page_routes
from postroom.sandbox.query import BIGGEST_ID, FORBIDDEN, NOT_FOUND, Query, RequestRejected, read_integer
from postroom.sandbox.view import MailView, read_mail
from postroom.sandbox.watch import MailWatch

JSON = "application/json; charset=utf-8"
FILTERS = ("to", "messageKey", "subject", "q", "after", "before", "accountId")
LONGEST_WAIT_SECONDS = 60.0

# A mail is shown by a frame that may do nothing: no script, no form, no request to anywhere.
FRAME_POLICY = (
    "sandbox; default-src 'none'; img-src data: cid:; style-src 'unsafe-inline'; font-src data:; frame-ancestors 'self'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

AnyRequest = Request[Any, Any, Any]


def sandbox_router(
    mailbox: Mailbox,
    watch: MailWatch,
    units: BusinessUnits,
    *,
    own_hosts: Collection[str] = (),
    smtp_address: str = "127.0.0.1:1025",
    failures: Sequence[HTTPRouteHandler] = (),
) -> Router:
    """All routes of the sandbox, for the root of an application.

    own_hosts: names beyond loopback by which the server is called (the host of POSTROOM_PUBLIC_URL), lower case.
    smtp_address: where the capture mailbox listens, for the page to show.
    failures: the calls that make failures (`failure_routes`).
    """

    def guard(request: AnyRequest) -> Response[bytes] | None:
        return check_request(request, own_hosts)

    return Router(
        path="/",
        route_handlers=[
            list_mails,
            get_mail,
            get_raw,
            get_html,
            get_attachment,
            delete_mails,
            delete_mail,
            wait_for_mail,
            make_business_unit,
            *failures,
            *page_routes(smtp_address),
        ],
        before_request=guard,
        dependencies={
            "mailbox": Provide(lambda: mailbox, sync_to_thread=False),
            "watch": Provide(lambda: watch, sync_to_thread=False),
            "units": Provide(lambda: units, sync_to_thread=False),
        },
        exception_handlers={RequestRejected: rejection},
        include_in_schema=False,
    )


def check_request(request: AnyRequest, own_hosts: Collection[str]) -> Response[bytes] | None:
    """The answer to a request that must not get through, else None."""
    host = request.headers.get("host", "")
    if not host_is_ours(host, own_hosts):
        text = f"Host {host!r} is not a name of this sandbox; set POSTROOM_PUBLIC_URL to the URL you call it by"
        return rejection(request, RequestRejected(403, FORBIDDEN, "Forbidden", text))
    if request.method not in ("GET", "HEAD") and not origin_is_ours(
        host, request.headers.get("origin"), request.headers.get("sec-fetch-site")
    ):
        text = "the request comes from a page of another site; call this from a program or from the sandbox's own page"
        return rejection(request, RequestRejected(403, FORBIDDEN, "Forbidden", text))
    return None


def rejection(_request: AnyRequest, problem: RequestRejected) -> Response[bytes]:
    return json_reply(problem.body, status=problem.status)


@get("/sandbox/messages")
async def list_mails(request: AnyRequest, mailbox: NamedDependency[Mailbox]) -> Response[bytes]:
    """Newest first. `next`, when not null, is the value of `before` for the next page."""
    query = query_of(request, *FILTERS, "limit")
    limit = query.integer("limit", least=1, most=500) or 50
    found = await mailbox.find(query.mail_filter(), limit=limit + 1)
    total = await mailbox.total()
    shown = found[:limit]
    return json_reply(
        {
            "items": [summary_json(entry) for entry in shown],
            "next": shown[-1].capture_id if len(found) > limit else None,
            "total": total.messages,
            "totalBytes": total.bytes,
        }
    )


@get("/sandbox/messages/{mail_id:str}")
async def get_mail(request: AnyRequest, mail_id: FromPath[str], mailbox: NamedDependency[Mailbox]) -> Response[bytes]:
    query_of(request)
    entry, raw = await _mail(mailbox, mail_id)
    return json_reply(mail_json(entry, read_mail(raw)))


@get("/sandbox/messages/{mail_id:str}/raw")
async def get_raw(request: AnyRequest, mail_id: FromPath[str], mailbox: NamedDependency[Mailbox]) -> Response[bytes]:
    """The mail as it arrived."""
    query_of(request)
    number = _mail_id(mail_id)
    raw = await mailbox.raw(number)
    if raw is None:
        raise _no_such_mail(number)
    disposition = {"Content-Disposition": f'inline; filename="{number}.eml"', "Content-Security-Policy": FRAME_POLICY}
    return Response(raw, media_type="message/rfc822", headers=_HEADERS | disposition)


@get("/sandbox/messages/{mail_id:str}/html")
async def get_html(request: AnyRequest, mail_id: FromPath[str], mailbox: NamedDependency[Mailbox]) -> Response[bytes]:
    """The HTML body for a sandboxed frame."""
    query_of(request)
    entry, raw = await _mail(mailbox, mail_id)
    html = read_mail(raw).framed_html()
    if html is None:
        raise RequestRejected(404, NOT_FOUND, "ObjectNotFound", f"mail {entry.capture_id} has no HTML part")
    headers = _HEADERS | {"Content-Security-Policy": FRAME_POLICY}
    return Response(html.encode("utf-8", "replace"), media_type="text/html", headers=headers)


@get("/sandbox/messages/{mail_id:str}/attachments/{number:str}")
async def get_attachment(
    request: AnyRequest, mail_id: FromPath[str], number: FromPath[str], mailbox: NamedDependency[Mailbox]
) -> Response[bytes]:
    """One attachment, always to be saved and never to be shown, whatever type it says it has."""
    query_of(request)
    entry, raw = await _mail(mailbox, mail_id)
    attachments = read_mail(raw).attachments
    index = read_integer("attachment", number, least=0, most=BIGGEST_ID)
    if index >= len(attachments):
        text = f"mail {entry.capture_id} has {len(attachments)} attachments, counted from 0; there is no {index}"
        raise RequestRejected(404, NOT_FOUND, "ObjectNotFound", text)
    name = quote(attachments[index].filename.replace("/", "_") or f"part-{index}", safe="")
    disposition = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        "Content-Security-Policy": FRAME_POLICY,
    }
    return Response(attachments[index].content, media_type="application/octet-stream", headers=_HEADERS | disposition)


@delete("/sandbox/messages", status_code=200)
async def delete_mails(request: AnyRequest, mailbox: NamedDependency[Mailbox]) -> Response[bytes]:
    """All of them, or those of one business unit."""
    account_id = query_of(request, "accountId").account_id()
    if account_id is not None:
        return json_reply({"deleted": await mailbox.delete_account(account_id)})
    return json_reply({"deleted": await mailbox.delete_all()})


@delete("/sandbox/messages/{mail_id:str}", status_code=200)
async def delete_mail(
    request: AnyRequest, mail_id: FromPath[str], mailbox: NamedDependency[Mailbox]
) -> Response[bytes]:
    query_of(request)
    number = _mail_id(mail_id)
    if not await mailbox.delete(number):
        raise _no_such_mail(number)
    return json_reply({"deleted": 1})


@get("/sandbox/wait")
async def wait_for_mail(
    request: AnyRequest, mailbox: NamedDependency[Mailbox], watch: NamedDependency[MailWatch]
) -> Response[bytes]:
    """The newest mail there is that matches, else the first to come within `timeout` seconds."""
    query = query_of(request, *FILTERS, "timeout")
    seconds = query.seconds("timeout", default=10.0, most=LONGEST_WAIT_SECONDS)
    wanted = query.mail_filter()
    number = await watch.wait(wanted, seconds)
    mail = None if number is None else await mailbox.get(number)
    if mail is not None:
        return json_reply(mail_json(mail[0], read_mail(mail[1])))
    if watch.closed:
        raise RequestRejected(503, 50300, "Stopping", "the server is stopping; ask again when it is back")
    total = await mailbox.total()
    text = f"no captured mail with {_described(wanted)} within {seconds:g} seconds; the mailbox holds {total.messages}"
    raise RequestRejected(404, NOT_FOUND, "ObjectNotFound", text)


def summary_json(entry: Entry) -> dict[str, object]:
    """A mail as lists show it."""
    return {
        "id": entry.capture_id,
        "capturedAt": _timestamp(entry.captured_at),
        "messageKey": entry.message_key,
        "requestId": None if entry.request_id is None else str(entry.request_id),
        "accountId": entry.account_id,
        "envelope": {"from": entry.sender, "to": entry.recipients},
        "from": entry.header_from,
        "to": entry.header_to,
        "subject": entry.subject,
        "size": entry.size,
    }


def mail_json(entry: Entry, view: MailView) -> dict[str, object]:
    """A whole mail."""
    return summary_json(entry) | {
        "headers": [{"name": name, "value": value} for name, value in view.headers],
        "html": view.html,
        "text": view.text,
        "attachments": [
            {
                "filename": part.filename,
                "contentType": part.content_type,
                "contentId": part.content_id,
                "size": len(part.content),
            }
            for part in view.attachments
        ],
    }


def json_reply(value: object, *, status: int = 200) -> Response[bytes]:
    """A value as JSON, with the headers of every answer."""
    return Response(msgspec.json.encode(value), status_code=status, media_type=JSON, headers=_HEADERS)


def query_of(request: AnyRequest, *known: str) -> Query:
    """The parameters of a request that takes those of ``known``."""
    return Query(request.query_params.multi_items(), known)


def _mail_id(text: str) -> int:
    return read_integer("id", text, least=0, most=BIGGEST_ID)


async def _mail(mailbox: Mailbox, mail_id: str) -> tuple[Entry, bytes]:
    number = _mail_id(mail_id)
    mail = await mailbox.get(number)
    if mail is None:
        raise _no_such_mail(number)
    return mail


def _no_such_mail(number: int) -> RequestRejected:
    text = f"there is no captured mail {number}; it may have been deleted or dropped as one of the oldest"
    return RequestRejected(404, NOT_FOUND, "ObjectNotFound", text)


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _described(wanted: MailFilter) -> str:
    named = {
        "to": wanted.to,
        "messageKey": wanted.message_key,
        "subject": wanted.subject,
        "q": " ".join(wanted.words) or None,
        "after": wanted.after,
        "before": wanted.before,
        "accountId": wanted.account_id,
    }
    given = [f"{name}={value}" for name, value in named.items() if value is not None]
    return " and ".join(given) or "any content"
