"""HTTP from within a template (ampscript.md §14, HTTP): off unless the settings allow the host.

Nothing here opens a connection; ``run.fetch`` hands the request to the guarded fetcher of the delivery room.
"""

from typing import Final

from postroom.content.ampscript.faults import Fault, Raised, ValueFault
from postroom.content.ampscript.functions.registry import Reference, function
from postroom.content.ampscript.run import Request, Response, Run
from postroom.content.ampscript.values import RowSet, to_flag, to_text, to_whole

_MAX_BODY: Final = 1_000_000
_MAX_RETRIES: Final = 3
_NOTE: Final = (
    "Off unless the setting `template_http_hosts` names the host. Private addresses are reached only with "
    "`template_http_private`, every redirect is checked again, and size, time and number of requests are limited. "
    "Asked when a message is sent; never while saving, in trials or for web pages of mails."
)
_OK, _NOT_FOUND, _FAILED, _NOTHING = 0, -1, -2, -3


class HttpFault(Fault):
    """A request of a template failed."""

    code = "HttpFailed"


def _address(url: object) -> str:
    text = to_text(url).strip()
    if not text.lower().startswith(("https://", "http://")):
        raise ValueFault(f"{text!r} is no address; write https://…", code="BadUrl")
    return text


def _decoded(run: Run, response: Response) -> str:
    run.check_text(len(response.body))
    try:
        return response.body.decode(response.charset or "utf-8", "replace")
    except LookupError:
        return response.body.decode("utf-8", "replace")


def _failure(url: str, response: Response) -> HttpFault:
    what = f"the answer was {response.status}" if response.status else response.problem or "there was no answer"
    return HttpFault(f"{url.partition('?')[0]}: {what}")


def _set(target: object, value: object) -> None:
    if isinstance(target, Reference):
        target.set(value)


@function(
    "HTTPGet",
    minimum=1,
    maximum=4,
    params="url[, continueOnError[, emptyMode[, @status]]]",
    doc="The body of the answer. emptyMode: 0 an empty one is fine, 1 an error, 2 leaves the recipient out. @status: "
    "0 fine, -1 not found, -2 failed, -3 empty.",
    differences=_NOTE,
    category="HTTP",
    needs="http",
    references=(3,),
)
async def http_get(
    run: Run, url: object, continue_on_error: object = False, empty_mode: object = 0, status: object = None
) -> str:
    address = _address(url)
    goes_on = to_flag(continue_on_error)
    mode = to_whole(empty_mode, "emptyMode")
    response = await run.fetch(Request("GET", address))
    if not 200 <= response.status < 300:
        _set(status, _NOT_FOUND if response.status in {404, 410} else _FAILED)
        if goes_on:
            return ""
        raise _failure(address, response)
    body = _decoded(run, response)
    if not body:
        _set(status, _NOTHING)
        if mode == 1:
            raise HttpFault(f"{address.partition('?')[0]}: the answer is empty", code="EmptyAnswer")
        if mode == 2:
            raise Raised(f"{address.partition('?')[0]}: the answer is empty", skip=True)
        return ""
    _set(status, _OK)
    return body


async def _posted(run: Run, url: object, kind: object, body: object, headers: tuple[object, ...]) -> Response:
    data = to_text(body).encode("utf-8", "replace")
    if len(data) > _MAX_BODY:
        raise ValueFault(f"the body is larger than {_MAX_BODY:,} bytes", code="TextLimit")
    fields = [("Content-Type", to_text(kind).strip() or "application/x-www-form-urlencoded")]
    if len(headers) % 2:
        raise ValueFault("a header has a name and no value", code="BadHeader")
    fields.extend(
        (to_text(name).strip(), to_text(value).strip()) for name, value in zip(headers[::2], headers[1::2], strict=True)
    )
    return await run.fetch(Request("POST", _address(url), fields, data))


def _headers(response: Response) -> RowSet:
    return RowSet(("Name", "Value"), [(name, value) for name, value in response.headers])


def _answered(run: Run, url: object, response: Response, target: object, raises: bool) -> int:
    _set(target, _decoded(run, response))
    if raises and not 200 <= response.status < 300:
        raise _failure(to_text(url), response)
    return response.status


@function(
    "HTTPPost",
    minimum=3,
    params="url, contentType, body[, @response[, header, value …]]",
    doc="Sends a body; gives the status and puts the body of the answer into @response. Any but 2xx is an error.",
    differences=_NOTE,
    kind="Number",
    category="HTTP",
    needs="http",
    references=(3,),
)
async def http_post(
    run: Run, url: object, kind: object, body: object, response: object = None, *headers: object
) -> int:
    return _answered(run, url, await _posted(run, url, kind, body, headers), response, raises=True)


@function(
    "HTTPPost2",
    minimum=3,
    params="url, contentType, body[, throw[, @response[, @headers[, header, value …]]]]",
    doc="As HTTPPost; throw says whether any but 2xx is an error, @headers gets a rowset of Name and Value.",
    differences=_NOTE,
    kind="Number",
    category="HTTP",
    needs="http",
    references=(4, 5),
)
async def http_post_2(
    run: Run,
    url: object,
    kind: object,
    body: object,
    throw: object = True,
    response: object = None,
    fields: object = None,
    *headers: object,
) -> int:
    answer = await _posted(run, url, kind, body, headers)
    _set(fields, _headers(answer))
    return _answered(run, url, answer, response, raises=to_flag(throw))


@function(
    "HTTPPostWithRetry",
    minimum=3,
    params="url, contentType, body[, retries[, reschedule[, throw[, @response[, @headers[, header, value …]]]]]]",
    doc="As HTTPPost2, sent again when there is no answer or a 5xx.",
    differences=f"{_NOTE} At most {_MAX_RETRIES} more times, at once; reschedule is ignored.",
    kind="Number",
    category="HTTP",
    needs="http",
    references=(6, 7),
)
async def http_post_with_retry(
    run: Run,
    url: object,
    kind: object,
    body: object,
    retries: object = 1,
    reschedule: object = None,
    throw: object = True,
    response: object = None,
    fields: object = None,
    *headers: object,
) -> int:
    left = min(max(to_whole(retries, "the number of retries"), 0), _MAX_RETRIES)
    answer = await _posted(run, url, kind, body, headers)
    while left and (answer.status == 0 or answer.status >= 500):
        left -= 1
        answer = await _posted(run, url, kind, body, headers)
    _set(fields, _headers(answer))
    return _answered(run, url, answer, response, raises=to_flag(throw))
