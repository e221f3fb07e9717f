"""HTTPGet and its family: what they ask for and what they make of answers."""

import pytest
from tests.unit.content.ampscript.functions.calls import Site, call, make_run

from postroom.content.ampscript.faults import LimitFault, Raised, ValueFault
from postroom.content.ampscript.functions.http import HttpFault
from postroom.content.ampscript.functions.registry import Reference
from postroom.content.ampscript.run import Limits, Request, Response, Run, Services
from postroom.content.ampscript.values import RowSet

URL = "https://api.example/x?secret=1"


def reference(run: Run, name: str) -> Reference:
    return Reference(run.variables, name)


@pytest.mark.parametrize(
    ("response", "text", "status"),
    [
        (Response(200, "grüß".encode("latin-1"), "iso-8859-1"), "grüß", 0),
        (Response(204, b""), "", -3),
        (Response(200, b"x", "no-such-charset"), "x", 0),
        (Response(404, b"gone"), "", -1),
        (Response(500, b"x"), "", -2),
        (Response(0, problem="no answer"), "", -2),
    ],
)
def test_get_that_goes_on(response: Response, text: str, status: int) -> None:
    run = make_run(site=Site(response))
    assert call("HTTPGet", URL, True, 0, reference(run, "s"), run=run) == text
    assert run.variables["s"] == status


def test_get_that_fails_says_why_without_the_query() -> None:
    with pytest.raises(HttpFault, match=r"^https://api\.example/x: the answer was 500 \[HttpFailed\]$") as failed:
        call("HTTPGet", URL, run=make_run(site=Site(Response(500))))
    assert failed.value.code == "HttpFailed"
    with pytest.raises(HttpFault, match="no answer within"):
        call("HTTPGet", URL, run=make_run(site=Site(Response(0, problem="no answer within 5 s"))))


def test_an_empty_answer_is_an_error_or_leaves_the_recipient_out() -> None:
    with pytest.raises(HttpFault, match=r"empty \[EmptyAnswer\]$"):
        call("HTTPGet", URL, False, 1, run=make_run(site=Site(Response(200))))
    with pytest.raises(Raised) as raised:
        call("HTTPGet", URL, False, "2", run=make_run(site=Site(Response(200))))
    assert raised.value.skip


@pytest.mark.parametrize("url", ["", "x", "file:///etc/passwd", "javascript:x", "//api.example"])
def test_what_is_no_address_is_never_asked_for(url: str) -> None:
    site = Site()
    for arguments in (("HTTPGet", url), ("HTTPPost", url, "text/plain", "x")):
        with pytest.raises(ValueFault, match="no address"):
            call(*arguments, run=make_run(site=site))
    assert not site.requests


def test_post() -> None:
    site = Site(Response(201, b"made"))
    run = make_run(site=site)
    assert call("HTTPPost", URL, "application/json", "{}", reference(run, "r"), "X-A", 1, run=run) == 201
    assert run.variables["r"] == "made"
    assert site.requests == [Request("POST", URL, [("Content-Type", "application/json"), ("X-A", "1")], b"{}")]


def test_post_that_fails_still_gives_the_answer() -> None:
    run = make_run(site=Site(Response(400, b"why")))
    with pytest.raises(HttpFault, match="400"):
        call("HTTPPost", URL, "text/plain", "x", reference(run, "r"), run=run)
    assert run.variables["r"] == "why"


def test_post_2_gives_headers_and_need_not_raise() -> None:
    run = make_run(site=Site(Response(400, b"why", headers=[("X-Id", "7")])))
    status = call(
        "HTTPPost2", URL, "text/plain", "x", False, reference(run, "r"), reference(run, "h"), "X-A", "1", run=run
    )
    assert status == 400
    headers = run.variables["h"]
    assert isinstance(headers, RowSet)
    assert headers.row(1).by_name("value") == (True, "7")
    with pytest.raises(HttpFault):
        call("HTTPPost2", URL, "", "x", run=make_run(site=Site(Response(400))))


def test_retries_are_few_and_only_for_what_may_pass() -> None:
    site = Site(Response(503), Response(0), Response(200))
    assert call("HTTPPostWithRetry", URL, "text/plain", "x", 99, 5, False, run=make_run(site=site)) == 200
    assert len(site.requests) == 3
    site = Site(Response(400))
    assert call("HTTPPostWithRetry", URL, "text/plain", "x", 3, 0, 0, run=make_run(site=site)) == 400
    site = Site(*[Response(503)] * 4)
    with pytest.raises(HttpFault):
        call("HTTPPostWithRetry", URL, "text/plain", "x", 99, run=make_run(site=site))
    assert len(site.requests) == 4


def test_a_header_without_a_value_and_a_huge_body_are_errors() -> None:
    with pytest.raises(ValueFault, match="no value"):
        call("HTTPPost", URL, "text/plain", "x", None, "X-A")
    with pytest.raises(ValueFault, match="1,000,000"):
        call("HTTPPost", URL, "text/plain", "x" * 1_000_001)


def test_requests_are_counted() -> None:
    run = make_run(site=Site(Response(200, b"x")), limits=Limits(http=1))
    call("HTTPGet", URL, run=run)
    with pytest.raises(LimitFault) as limit:
        call("HTTPGet", URL, True, run=run)
    assert limit.value.code == "HttpLimit"


def test_without_a_fetcher_http_is_off() -> None:
    run = make_run()
    run.services = Services()
    with pytest.raises(HttpFault, match="HTTP functions are off"):
        call("HTTPGet", URL, run=run)
